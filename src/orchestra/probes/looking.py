"""Probes that look at the program itself: what it prints, how long it runs, what a command says."""

from __future__ import annotations

import asyncio
import math
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from .._clock import seconds
from .._launch.order import checked_argv
from .probe import Check, Probe, Program, Timing


@dataclass(frozen=True, slots=True)
class Output(Timing):
    """See `output`."""

    pattern: re.Pattern[str]

    def __repr__(self) -> str:
        return f"output({self.pattern.pattern!r})"

    def on(self, program: Program) -> Check:
        """What looks at this run of the program."""
        seen = asyncio.Event()
        search = self.pattern.search

        def look(line: str) -> None:
            if search(line) is not None:
                seen.set()

        program.watch(look)

        async def check() -> None:
            await seen.wait()
            seen.clear()

        return check


def output(regex: str | re.Pattern[str], *, timeout: float = 1.0) -> Probe:
    """Passes when a line matches somewhere that the program has printed, to stdout or stderr.

    As a liveness probe it passes when one has come since the last look, or comes within `timeout`
    seconds. Raises `ValueError` for what is no regular expression.

    >>> output("[Rr]eady to accept connections")
    output('[Rr]eady to accept connections')
    """
    if not isinstance(regex, (str, re.Pattern)):
        raise TypeError(f"the regular expression must be a string, not {regex!r}")
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise ValueError(f"{regex!r} is no regular expression: {error}") from None
    if not isinstance(pattern.pattern, str):
        raise TypeError(f"the regular expression must be one for strings, not {regex!r}")
    return Output(pattern, interval=0.0, timeout=timeout)


@dataclass(frozen=True, slots=True)
class After(Timing):
    """See `after`."""

    delay: float

    def __repr__(self) -> str:
        return f"after({self.delay:g})"

    def on(self, program: Program) -> Check:
        """What looks at this run of the program."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.delay

        async def check() -> None:
            if until == math.inf:
                await loop.create_future()  # not every loop can sleep that long
            await asyncio.sleep(until - loop.time())

        return check


def after(delay: float) -> Probe:
    """Passes when the program has run for so many seconds: for one that gives no other sign.

    With `math.inf` it never does: then the player is ready when it has ended well, and not before.

    Raises `ValueError` for what is no number of seconds from 0 on.

    >>> after(2.5)
    after(2.5)
    """
    return After(seconds("delay", delay, infinite=True), timeout=math.inf)


@dataclass(frozen=True, slots=True)
class Command(Timing):
    """See `command`."""

    argv: tuple[str, ...]

    def __repr__(self) -> str:
        return f"command({shlex.join(self.argv)!r})"

    def on(self, program: Program) -> Check:
        """What looks at this run of the program."""

        async def check() -> None:
            code, line = await program.run(self.argv)
            if code:
                raise ChildProcessError(f"exit code {code}" + (f": {line}" if line else ""))

        return check


def command(
    argv: str | Sequence[str | os.PathLike[str]], *, interval: float = 0.2, timeout: float = 5.0
) -> Probe:
    """Passes when this command, run beside the program, ends with 0.

    It has the same user, directory and environment. A string is split as a shell would, without one.
    `interval` are the seconds from one try to the next, `timeout` those after which one is killed.
    Raises `TypeError` or `ValueError` for what is no command.

    >>> command("redis-cli -p 6379 ping")
    command('redis-cli -p 6379 ping')
    """
    return Command(checked_argv(argv), interval=interval, timeout=timeout)
