"""Plays a command, and puts its lines on stdout: `flood.py COMMAND logging|logger`."""

import logging
import sys

from orchestra import CommandPlayer, Conductor, Logger, run


class Printing:
    """A logger of a program's own, which writes the lines and nothing else."""

    def info(self, msg: str, **attrs: object) -> None:
        """Write a line."""
        sys.stdout.write(f"{attrs['path']} | {msg}\n")

    error = info

    def with_group(self, name: str) -> Logger:
        """The same for all groups."""
        return self


logger: Logger | None = None
if sys.argv[2] == "logging":
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(path)s | %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
else:
    logger = Printing()
run(Conductor({"child": CommandPlayer(sys.argv[1])}, logger=logger))
