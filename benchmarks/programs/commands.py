"""Plays a command so many times: `commands.py COMMAND SIZE`."""

import sys

from orchestra import CommandPlayer, Conductor, run

command, size = sys.argv[1], int(sys.argv[2])
run(Conductor({f"child{number}": CommandPlayer(command) for number in range(size)}))
