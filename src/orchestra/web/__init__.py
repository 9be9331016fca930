"""Seeing and steering a running tree from outside: what a status page and a command line stand on.

    player      the status player: `company` tells it who else plays, `directory` where its socket lies
    site        what is served, and to whom: the server, its door, the page, the probes
    api         questions and answers over HTTP, and what changes, as it changes
    console     what there is to see and to do, as values that JSON has
    record      what has happened and what was logged

    client      how the command line asks: over `exchange`, at a socket in `directory`

Each imports from those below it only. `console` and `record` know of no web framework, and `client` of
nothing but the standard library.
"""
