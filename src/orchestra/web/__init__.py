"""Seeing and steering a running tree from outside: what a status page and a command line stand on.

    book        the tree as a flat list of plain values, with a version
    shelves     the newest of many numbered things, by key, and no more than so many
    entries     a line, an event
    handler     what takes the records of the standard logging
    recorder    what has happened and what was logged, by player, with numbers to resume from
    reasons     whom a player waits for, and how many copies it is
    where       where each task and thread of a player is right now
    control     start, stop, restart and scale by path: a result, or an error with a code
    console     all of it for one tree, as values that JSON has

Nothing up to here knows of a web framework. What serves it does:

    player      the status player; `company` tells it who else plays, `directory` where its socket lies
    service     its sockets, its application, and its end
    guarded     connections that are counted, known, and not waited for without end; `limits` are how many
    door        who is let in; `site` is what is behind it
    api         the routes; `asked` checks what comes in, `answers` is what goes out
    stream      server-sent events; `pulse` finds what changes, once for all who follow
    probed      what Kubernetes and Prometheus ask
    pages       the page, which is in `static`
    program     the program that is served; `usage` is its CPU and memory, `settings` those of its players
    openapi     the description of all that, with its `schemas`

and `client`, over `exchange`, is what the command line asks it with.
"""
