"""How a player plays in another Python process.

On this side, `run` is one run of it: `launch` starts the process, `wire` is the connection, `subtree` is
what is known of the players there, `requests` has them asked, and `loans` are the sockets that they get
from here. In the process, `boot` comes first, and `tie` has it end with its parent; then `child` plays.
`carried` has exceptions and other values brought over, `records` log records.
"""
