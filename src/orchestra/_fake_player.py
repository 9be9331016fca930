"""A player that does what its script says, and keeps a log of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Context


class Take:
    """One run of a `FakePlayer`, as its script sees it."""

    def __init__(self, ctx: Context, note: Callable[[str], None]) -> None:
        self.ctx = ctx
        self.note = note
        self._asked = False

    async def until_asked(self) -> None:
        """Wait until the player is asked to stop."""
        await self.ctx.wait()
        self._note_asked()

    async def sleep(self, seconds: float) -> bool:
        """Play for so long: True if it did, False if it was asked to stop before."""
        slept = await self.ctx.sleep(seconds)
        if not slept:
            self._note_asked()
        return slept

    def _note_asked(self) -> None:
        if not self._asked:
            self._asked = True
            self.note("asked")


Step = Callable[[Take], Awaitable[None]]
"""What a player does in one run. Any `async def step(take)` will do."""


class FakePlayer:
    """A player by script: each run does the next step, and the last step repeats.

    Without a script it plays until it is asked to stop. `ready_after` calls `ctx.ready()` so many
    seconds after each start, if it still plays, and sets `signals_ready`. `signals_ready`,
    `start_timeout`, `watchdog` and `backoff` are what any player may declare; it has a `backoff()`
    only if one is given. All in seconds of the loop's time.

    What happened is in `log`, as pairs of the time and one of "started", "ready", "asked",
    "cancelled", "failed" and "ended", and counted by the properties. To be used in the loop's thread.

    >>> from orchestra import Conductor, Context
    >>> from orchestra.testing import run_virtual
    >>> player = FakePlayer(fails(after=3), ends(after=5), backoff=[1])
    >>> run_virtual(Conductor({"flaky": player}).play(Context()))
    >>> player.log
    [(0.0, 'started'), (3.0, 'failed'), (3.0, 'ended'), (4.0, 'started'), (9.0, 'ended')]
    """

    def __init__(
        self,
        *script: Step,
        ready_after: float | None = None,
        signals_ready: bool = False,
        start_timeout: float | None = None,
        watchdog: float | None = None,
        backoff: Iterable[float] | None = None,
    ) -> None:
        self.signals_ready = signals_ready or ready_after is not None
        self.start_timeout = start_timeout
        self.watchdog = watchdog
        if backoff is not None:
            self.backoff: Callable[[], Iterable[float]] = lambda: backoff
        self.log: list[tuple[float, str]] = []
        self._script = script or (plays(),)
        self._ready_after = ready_after

    async def play(self, ctx: Context) -> None:
        """Do the next step of the script."""
        step = self._script[min(self.runs, len(self._script) - 1)]
        loop = asyncio.get_running_loop()
        note = partial(self._note, loop)
        note("started")
        timer = None
        if self._ready_after is not None:
            timer = loop.call_later(self._ready_after, self._get_ready, ctx, note)
        try:
            await step(Take(ctx, note))
        except asyncio.CancelledError:
            note("cancelled")
            raise
        except BaseException:
            note("failed")
            raise
        finally:
            if timer is not None:
                timer.cancel()
            note("ended")

    def _get_ready(self, ctx: Context, note: Callable[[str], None]) -> None:
        note("ready")
        ctx.ready()

    def _note(self, loop: asyncio.AbstractEventLoop, what: str) -> None:
        # A run that was abandoned is thrown away some time after its loop. That is nobody's doing.
        if not loop.is_closed():
            self.log.append((loop.time(), what))

    def _count(self, what: str) -> int:
        return sum(happened == what for _, happened in self.log)

    @property
    def runs(self) -> int:
        """How many runs have started."""
        return self._count("started")

    @property
    def playing(self) -> int:
        """How many runs go on at the moment: never more than 1, unless it is played twice."""
        return self.runs - self.ended

    @property
    def asked(self) -> int:
        """How many runs have seen that they were asked to stop."""
        return self._count("asked")

    @property
    def cancelled(self) -> int:
        """How many cancellations it got, those that it swallowed included."""
        return self._count("cancelled")

    @property
    def failed(self) -> int:
        """How many runs have raised an error."""
        return self._count("failed")

    @property
    def ended(self) -> int:
        """How many runs are over, whichever way they ended."""
        return self._count("ended")


def plays() -> Step:
    """Play until asked to stop."""

    async def step(take: Take) -> None:
        await take.until_asked()

    return step


def ends(after: float = 0.0) -> Step:
    """End well after so many seconds, or when asked to stop."""

    async def step(take: Take) -> None:
        await take.sleep(after)

    return step


def fails(error: BaseException | type[BaseException] | None = None, *, after: float = 0.0) -> Step:
    """Raise the error (a `RuntimeError` if none is given) after so many seconds.

    Asked to stop before, it ends well. A class is raised as a new instance each time.
    """

    async def step(take: Take) -> None:
        if await take.sleep(after):
            raise error or RuntimeError("fails by script")

    return step


def fails_stopping(error: BaseException | type[BaseException] | None = None) -> Step:
    """Play until asked to stop, and raise the error then."""

    async def step(take: Take) -> None:
        await take.until_asked()
        raise error or RuntimeError("fails stopping by script")

    return step


def slow_stop(seconds: float) -> Step:
    """Play until asked to stop, and take so many seconds to do so."""

    async def step(take: Take) -> None:
        await take.until_asked()
        await asyncio.sleep(seconds)

    return step


def hangs() -> Step:
    """Play on when asked to stop, until cancelled."""

    async def step(take: Take) -> None:
        await take.until_asked()
        await asyncio.get_running_loop().create_future()

    return step


def ignores_cancellation(for_: float | None = None) -> Step:
    """Play on when asked to stop, and when cancelled: for ever, or `for_` seconds from the first time.

    Then it ends well.
    """

    async def step(take: Take) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer: asyncio.TimerHandle | None = None
        while not over.done():
            try:
                if timer is None:
                    await take.until_asked()
                await asyncio.wait([over])
            except asyncio.CancelledError:
                take.note("cancelled")
                if timer is None and for_ is not None:
                    timer = loop.call_later(for_, over.set_result, None)

    return step
