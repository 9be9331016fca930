"""One run of a player in another process, as its parent sees it."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from .._life import Life
from ..context import Context
from ..errors import ProcessDiedError, StopTimeoutError
from ..log import Logger, complains, default_logger, informs, report
from ._boot import Boot
from ._carried import Carried, in_process, portable, restored
from ._child import Order
from ._launch import ChildProcess, Luggage, StartMethod, launch, socket_pair
from ._records import handle, levels
from ._requests import Requests
from ._subtree import RemoteTree
from ._wire import Wire

TERMINATE_AT: Final = 0.9
"""The share of its time to stop after which it gets a SIGTERM. By then it should have ended."""

KILL_AT: Final = 1.05
"""And after which it is killed, if nobody has cut it off before."""

ASK_EVERY: Final = 0.25
"""Seconds between two questions where everybody is, while it stops."""

EXIT_WITHIN: Final = 2.0
"""Seconds that a process has to end in when its player has."""

NO_LIMIT: Final = 1e6
"""The time to stop of a player that nobody supervises here: its process goes by the context alone."""


class ProcessRun:
    """One process, from its start to its end: what it tells, and what it is told."""

    def __init__(self, ctx: Context, watchdog: float | None) -> None:
        self._ctx, self._watchdog = ctx, watchdog
        self._loop = asyncio.get_running_loop()
        self._requests = Requests(lambda *message: self._wire.send(*message))
        self._tree = RemoteTree(self._requests)
        self._ended = asyncio.Event()
        self._logger = _Loggers(ctx)
        self._begun = self._asked = self._late = False
        self._outcome: tuple[Carried | None, bool] | None = None
        self._details: dict[str, object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._process: ChildProcess
        self._wire: Wire

    async def start(self, method: StartMethod, pack: Callable[[Luggage], bytes]) -> None:
        """Start the process, and send it what it is to play."""
        ctx = self._ctx
        packed: list[bytes] = []
        ends: list[Any] = []

        def make_boot(luggage: Luggage) -> Boot:
            packed.append(pack(luggage))
            ours, theirs, passed = socket_pair(luggage)
            ends.extend((ours, theirs))
            return Boot(passed, os.getpid() if method == "spawn" else None)

        try:
            self._process, prepared = await launch(
                method, ctx.path or "orchestra", make_boot, self._on_exit
            )
        except BaseException:
            for end in ends:
                end.close()
            raise
        ours, theirs = ends
        theirs.close()
        self._tree.pid = self._process.pid
        self._wire = Wire(self._loop, ours, self._on_message, self._on_silence)
        order = Order(
            prepared,
            packed[0],
            ctx.path,
            self._logger.timeout,
            self._watchdog,
            levels(),
            self._logger.seen,
        )
        self._wire.send("play", order)

    async def play(self) -> None:
        """Wait for its end, and stop it when it is time; raises what it raised."""
        ctx = self._ctx
        ctx.attach(self._tree)
        ctx.locate(self._tree.where)
        try:
            async with ctx.interrupt():
                await self._ended.wait()
            if not self._ended.is_set():
                await self._stop()
        except asyncio.CancelledError:
            # Who cancels once more is let go, and the process killed all the same.
            self._process.kill()
            await self._ended.wait()
            if self._outcome is None or self._outcome[0] is None:
                raise
        finally:
            self._close()
        self._raise()

    async def _stop(self) -> None:
        ctx, process = self._ctx, self._process
        self._asked = True
        if not self._begun:
            process.terminate()  # in the middle of its imports: nothing plays yet
        told, whole = math.inf, math.inf
        while not self._ended.is_set():
            now, deadline = self._loop.time(), ctx.deadline
            left = deadline - now
            if whole is math.inf or deadline < told:
                told, whole = deadline, left
                within = None if left == math.inf else max(0.0, left)
                self._wire.send("stop", portable(ctx.reason), within)
            self._tree.ask_places()
            self._wire.send("where")
            past = math.inf if whole <= 0 else 1.0 - left / whole if whole < math.inf else 0.0
            if past >= KILL_AT:
                self._late = True
                process.kill()
            elif past >= TERMINATE_AT and not process.terminated:
                process.terminate()
            await self._until_ended(_next_look(left, whole))

    async def _until_ended(self, most: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._ended.wait()

    # What it tells

    def _on_message(self, data: bytes) -> None:
        try:
            kind, *args = pickle.loads(data)
            getattr(self, f"_on_{kind}")(*args)
        except Exception as error:
            report(f"what process {self._process.pid} has told can't be read", error)

    def _on_begun(self) -> None:
        self._begun = True

    def _on_status(self, status: Any) -> None:
        self._tree.tell(status)
        if status.ready and status.details != self._details:
            self._details = status.details
            self._ctx.ready(**{"pid": self._process.pid, **status.details})

    def _on_places(self, places: dict[str, str]) -> None:
        self._tree.tell_places(places)

    def _on_answer(self, number: int, value: object, failure: Carried | None) -> None:
        self._requests.answer(number, value, failure)

    def _on_heartbeat(self) -> None:
        self._ctx.heartbeat()

    def _on_event(self, kind: Any, path: str, values: dict[str, Any]) -> None:
        performance = self._ctx.performance
        if performance is not None and performance.observed:
            performance.publish(kind(path, **self._restored(values)))

    def _on_line(self, groups: tuple[str, ...], is_error: bool, msg: str, attrs: Any) -> None:
        self._logger.write(groups, is_error, msg, self._restored(attrs))

    def _on_record(self, attributes: dict[str, Any]) -> None:
        handle(attributes)

    def _on_outcome(self, failure: Carried | None, terminated: bool) -> None:
        self._outcome = (failure, terminated)
        left = self._ctx.remaining()
        within = EXIT_WITHIN if left is None else min(EXIT_WITHIN, left)
        self._timer = self._loop.call_later(within, self._process.kill)

    def _restored(self, values: dict[str, Any]) -> dict[str, Any]:
        where = self._tree.where()
        return {
            name: restored(value, where) if isinstance(value, Carried) else value
            for name, value in values.items()
        }

    # Its end

    def _on_silence(self) -> None:
        """It has closed its end of the connection: it has ended, or has to."""
        self._process.expect_end()
        if self._timer is None:
            self._timer = self._loop.call_later(EXIT_WITHIN, self._process.kill)

    def _on_exit(self) -> None:
        self._wire.drain()
        self._ended.set()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._requests.close()
        self._process.close()
        self._wire.close()

    def _raise(self) -> None:
        process = self._process
        if self._outcome is not None:
            failure, terminated = self._outcome
            if failure is not None:
                raise in_process(restored(failure, self._tree.where()), process.pid)
            if terminated and not self._asked:
                raise died(process.pid, -signal.SIGTERM, started=True)
        elif self._late or (self._asked and self._begun and process.terminated_by_us()):
            path = self._ctx.path
            left = self._tree.leaves() or {path: self._tree.where()}
            raise StopTimeoutError(left, left)
        elif not (self._asked and process.terminated_by_us()):
            raise died(process.pid, process.exitcode, started=self._begun, cut=process.killed)


def _next_look(left: float, whole: float) -> float:
    """Seconds until there may be something to do about a process that stops."""
    if whole == math.inf:
        return ASK_EVERY
    steps = (left - whole * (1.0 - TERMINATE_AT), left - whole * (1.0 - KILL_AT))
    return min([ASK_EVERY, *(step for step in steps if step > 0)])


def died(pid: int, exitcode: int | None, *, started: bool, cut: bool = False) -> ProcessDiedError:
    """The error for a process that ended by itself, or had to, since it had `cut` the connection."""
    if cut:
        words = "closed its connection, and was killed for that"
    elif exitcode is None:
        words = "ended, and nobody can tell how: somebody else has taken its exit code"
    elif exitcode >= 0:
        words = f"ended with exit code {exitcode} before its player did, as after os._exit"
    else:
        words = f"was killed by {_signal_in_words(-exitcode)}"
    when = "" if started else ", while it started"
    return ProcessDiedError(f"process {pid} {words}{when}", pid, exitcode)


def _signal_in_words(signum: int) -> str:
    try:
        name = signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"
    if signum == signal.SIGKILL:
        return f"{name}, which was not sent from here: the system does so when memory is short"
    if signum == signal.SIGTERM:
        return f"{name}, which was not sent from here"
    return f"{name} ({signal.strsignal(signum)})"


class _Loggers:
    """The logger that lines of the child are written with, and those of the groups in it."""

    def __init__(self, ctx: Context) -> None:
        seat = ctx.seat
        supervised = isinstance(seat, Life)
        keeper: Any = seat.keeper if isinstance(seat, Life) else None
        self.timeout: float = keeper.timeout if supervised else NO_LIMIT
        top: Logger = keeper.logger if supervised else default_logger()
        self.seen = informs(top), complains(top)
        self._found: dict[tuple[str, ...], Logger] = {(): top}

    def write(
        self, groups: tuple[str, ...], is_error: bool, msg: str, attrs: dict[str, Any]
    ) -> None:
        """Write one line of the child."""
        logger = self._of(groups)
        (logger.error if is_error else logger.info)(msg, **attrs)

    def _of(self, groups: tuple[str, ...]) -> Logger:
        if groups not in self._found:
            self._found[groups] = self._of(groups[:-1]).with_group(groups[-1])
        return self._found[groups]
