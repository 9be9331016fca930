"""A small real service, to see Orchestra play: `python -m orchestra.demo`.

It takes jobs over HTTP, works on them, and writes them to SQLite. `service` puts its players together;
begin there:

    service      the players, and who stops before whom
    api          takes jobs over HTTP
    desk         where jobs lie until they are written
    worker       does the jobs
    store        writes what is done, in a thread
    rows         the table in SQLite
    troubled     a player that fails now and then, and one that does not stop
    visitors     real requests, for a demo that drives itself

and around it is the program:

    program      from the environment to the exit code
    settings     what the environment says
    welcome      where the service is, an observer
    ending       who stopped when, an observer
    account      what became of the jobs
    explanation  what went wrong, in words
    screen       where all of that is printed
"""
