"""One run of a command player: from the start of the command to the judgement on its end."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

from ..._launch.launcher import Launcher
from ..._launch.order import Order
from ..._launch.process import Process
from ...context import Context
from ...errors import CommandFailedError, ProbeFailedError, StopTimeoutError, note_lines
from ...probes import Probe
from .execution import Input, executing
from .health import Liveness, until_ill, until_ready
from .output import Output

MARGIN: Final = 0.1
"""The share of the time left that is kept back, for what has to be killed."""

MOST_MARGIN: Final = 0.5
"""And no more than so many seconds of it."""

PATIENCE: Final = 1.0
"""Seconds that the rest of its group has, once a command that was asked to stop has ended."""

TIME_FOR_THE_ILL: Final = 5.0
"""Seconds that a command has to stop in when a probe failed, where nobody has set another limit."""

LAST_MOMENT: Final = 0.1
"""Seconds before its time is over that a command's last lines are given up, if they are so many."""

MOMENT: Final = 0.2
"""Seconds within which the program is asked to stop as well, if it was a stop that ended a command."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a command player was told beside its command."""

    ready: Probe | None
    alive: Liveness | None
    stop_signal: signal.Signals
    stop_group: bool
    stop_timeout: float | None
    stdin: Input
    clean_codes: frozenset[int]


class CommandRun:
    """A command while it runs, and how it ends."""

    def __init__(
        self, ctx: Context, launcher: Launcher, order: Order, terms: Terms, path: str
    ) -> None:
        self._ctx, self._launcher = ctx, launcher
        self._order, self._terms, self._path = order, terms, path
        self._output = Output(ctx.logger, path)
        self._asked = False
        self._doing = "starts"

    async def play(self) -> None:
        """Run it to its end."""
        self._ctx.locate(lambda: self._where(None))
        watched = _Watched(self)
        ready, alive = self._terms.ready, self._terms.alive
        checks = (
            None if ready is None else ready.on(watched),
            None if alive is None else alive.probe.on(watched),
        )
        async with executing(
            self._launcher, self._order, self._terms.stdin, self._output, self._is_late
        ) as process:
            self._ctx.locate(lambda: self._where(process))
            ill = None
            async with self._ctx.interrupt():
                await process.until_started(self._order)
                ill = await self._watch(process, watched, *checks)
            if not process.is_over:
                await self._stop(process, ill)
        if ill is not None:
            note_lines(ill, self._output.lines)
            raise ill
        await self._judge(process)

    def _where(self, process: Process | None) -> str:
        pid = "" if process is None or process.pid is None else f" {process.pid}"
        return f"process{pid} ({self._order.name}) {self._doing}"

    # While it runs

    async def _watch(
        self, process: Process, watched: _Watched, ready: Any, alive: Any
    ) -> ProbeFailedError | None:
        """Until it has ended, or a probe of it failed too often."""
        over = asyncio.ensure_future(process.until_over())
        health = asyncio.ensure_future(self._look_after(process, watched, ready, alive))
        try:
            await asyncio.wait({over, health}, return_when=asyncio.FIRST_COMPLETED)
            if health.done() and not process.is_over:
                ill = health.result()
                if ill is not None:
                    return ill
                await over
            return None
        finally:
            for task in (over, health):
                task.cancel()
            # Not cut short by a probe that fails right now: it is the command's end that counts.
            await asyncio.wait({over, health})
            watched.close()
            if not health.cancelled():
                health.exception()

    async def _look_after(
        self, process: Process, watched: _Watched, ready: Any, alive: Any
    ) -> ProbeFailedError | None:
        terms, ctx = self._terms, self._ctx
        details: dict[str, object] = {"pid": process.pid}
        liveness = terms.alive
        if terms.ready is not None:
            self._doing = "is not ready yet"
            await until_ready(terms.ready, ready, self._note_unready)
        if liveness is None:
            watched.close()
        probes = (terms.ready, None if liveness is None else liveness.probe)
        addresses = [probe.address for probe in probes if probe is not None]
        if any(addresses):
            details["addresses"] = tuple(dict.fromkeys(filter(None, addresses)))
        self._doing = "runs"
        ctx.ready(**details)
        if liveness is None:
            return None
        return await until_ill(liveness, alive, self._order.name, ctx.heartbeat)

    def _note_unready(self, wrong: str) -> None:
        self._doing = f"is not ready yet: {self._terms.ready!r}: {wrong}"

    async def run_beside(self, argv: str | Sequence[str | PathLike[str]]) -> tuple[int, str]:
        """Run another command in the same place: its exit code, and the last line that it printed."""
        order, output = self._order.of(argv), Output(None, "")
        async with executing(self._launcher, order, None, output) as process:
            await process.until_started(order)
            await process.until_over()
        code = process.exit_code
        if code is None:
            raise process.lost()
        return code, output.lines[-1] if output.lines else ""

    # When it is to end

    async def _stop(self, process: Process, ill: ProbeFailedError | None) -> None:
        """Ask it to stop; when its time is over, kill it."""
        name = self._terms.stop_signal.name
        self._asked = True
        self._doing = f"has not ended after {name}"
        limit = self._time_to_stop(ill is not None)
        process.signal(
            self._terms.stop_signal,
            to_group=self._terms.stop_group,
            patience=min(PATIENCE, 0.5 * limit) if self._terms.stop_group else 0.0,
        )
        if await _within(limit, process.until_over()) or process.exit_code is not None:
            return
        process.kill()
        if ill is None:
            stuck = f"{self._where(process)} for {limit:.3g} s, and was killed"
            raise StopTimeoutError((self._path,), {self._path: stuck})

    def _time_to_stop(self, is_ill: bool) -> float:
        left = self._ctx.remaining()
        if left is None:
            left = TIME_FOR_THE_ILL if is_ill and self._terms.stop_timeout is None else math.inf
        own = left - min(MOST_MARGIN, left * MARGIN)
        return own if self._terms.stop_timeout is None else min(own, self._terms.stop_timeout)

    def _is_late(self) -> bool:
        """Whether there is no time left for what the command has printed last."""
        left = self._ctx.remaining()
        return left is not None and left < LAST_MOMENT

    # When it has ended

    async def _judge(self, process: Process) -> None:
        await process.until_started(self._order)  # it may have been refused while it was stopped
        code, name = process.exit_code, self._order.name
        if code is None:
            raise process.lost()
        if not self._asked and ends_as_asked(code, self._terms):
            # A service manager may tell all processes at once, and this one was faster.
            self._asked = not await self._ctx.sleep(MOMENT)
        if process.end is not None and process.end.left:
            pids = ", ".join(map(str, process.end.left))
            self._ctx.logger.error(
                f"{self._path}: processes that {name} has started could not be killed: {pids}",
                path=self._path,
                pids=process.end.left,
            )
        if not is_clean(code, self._terms, asked=self._asked):
            memory = 0 if process.end is None else process.end.most_memory
            raise CommandFailedError(name, code, hint_for(code, memory), self._output.lines)


class _Watched:
    """A command as its probes see it."""

    def __init__(self, run: CommandRun) -> None:
        self._run = run
        self._endings: list[Callable[[], None]] = []

    def watch(self, on_line: Callable[[str], None]) -> None:
        self._endings.append(self._run._output.watch(on_line))

    async def run(self, argv: str | Sequence[str | PathLike[str]]) -> tuple[int, str]:
        return await self._run.run_beside(argv)

    def close(self) -> None:
        while self._endings:
            self._endings.pop()()


def is_clean(code: int, terms: Terms, *, asked: bool) -> bool:
    """Whether a command that ends like this has done well."""
    return code in terms.clean_codes or (asked and ends_as_asked(code, terms))


def ends_as_asked(code: int, terms: Terms) -> bool:
    """Whether it left the end to the stop signal, or says the same with a code."""
    return code in (-terms.stop_signal, 128 + terms.stop_signal)


def hint_for(code: int, memory: int) -> str:
    """What may have happened to a command that nobody here has killed."""
    if code != -signal.SIGKILL:
        return ""
    used = f", it has used up to {memory / 2**20:.0f} MiB" if memory else ""
    return f"by somebody else; by the system, if memory ran out{used}"


async def _within(limit: float, waiting: Awaitable[None]) -> bool:
    """Wait so long; whether it has come."""
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task}, timeout=None if limit == math.inf else limit)
        return task.done()
    finally:
        task.cancel()
