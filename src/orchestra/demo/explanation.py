"""The explanation: what went wrong, in words and as an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from traceback import format_exception

from orchestra import ConductorError, StopTimeoutError

from .screen import BOLD, RED, Screen

FAILED, USAGE, STUCK = 1, 2, 3
"""The exit codes that the command line of Orchestra has as well."""

HERE = os.path.dirname(__file__)


def code_for(error: ConductorError | None) -> int:
    """What the program exits with."""
    if error is None:
        return 0
    return FAILED if error.failures else STUCK


def explain(error: ConductorError, screen: Screen) -> Iterator[str]:
    """Who failed and why, and who had to be cut off and where."""
    for path, failure in error.failures.items():
        yield from _about_failed(path, failure, screen)
    for part in error.exceptions:
        if isinstance(part, StopTimeoutError):
            yield from _about_stuck(part, screen)


def _about_failed(path: str, error: Exception, screen: Screen) -> Iterator[str]:
    if not isinstance(error, OSError):
        yield screen.paint(f"{path} failed:", RED)
        yield from "".join(format_exception(error)).splitlines()
        return
    yield screen.paint(f"{path} failed: {error.strerror or error}", RED)
    if error.errno == errno.EADDRINUSE:
        yield "Choose another DEMO_PORT, or none: then any that is free is taken."


def _about_stuck(error: StopTimeoutError, screen: Screen) -> Iterator[str]:
    yield screen.paint("Cut off before they had stopped, where they were:", RED)
    for path in error.left:
        yield f"  {screen.paint(path, BOLD)}"
        places = error.stuck[path].splitlines()
        # Our own lines say more than those of the libraries below them.
        for place in [place for place in places if HERE in place] or places:
            yield f"    {place}"
    for path in error.abandoned:
        yield f"{path} may even go on: only the end of the program ends a thread."
