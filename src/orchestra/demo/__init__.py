"""A small real service, to see Orchestra play: `python -m orchestra.demo`.

It takes jobs over HTTP, works on them, and writes them to SQLite. Read it from `service`, which puts
the players together:

    __main__    from the environment to the exit code
    service     the players, and who stops before whom
    api         takes jobs over HTTP
    desk        where jobs lie until they are written
    worker      does the jobs
    store       writes what is done, in a thread
    rows        the table in SQLite
    troubled    a player that fails now and then, and one that does not stop
    visitors    real requests, for a demo that drives itself
    settings    what the environment says
    ending      who stopped when, as lines to print
    screen      where lines are printed
"""
