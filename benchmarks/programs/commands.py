"""Plays a command so many times: `commands.py FOLDER COMMAND SIZE`."""

import sys

from orchestra import CommandPlayer, Conductor, run

command, size = sys.argv[2], int(sys.argv[3])
run(Conductor({f"child{number}": CommandPlayer(command) for number in range(size)}))
