"""Seeing and steering a running tree from outside: what a status page and a command line stand on.

    book        the tree as a flat list of plain values, with a version
    shelves     the newest of many numbered things, by key, and no more than so many
    entries     a line, an event
    handler     what takes the records of the standard logging
    recorder    what has happened and what was logged, by player, with numbers to resume from
    where       where each task and thread of a player is right now
    control     start, stop, restart and scale by path: a result, or an error with a code
    console     all of it for one tree, as values that JSON has

and, for those who look from another process,

    exchange    one request of HTTP over a Unix socket
    client      asks the program that listens at one; what the command line stands on

Nothing in here knows of a web framework, and nothing in it is needed to play.
"""
