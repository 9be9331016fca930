"""What those who keep players have in common: deadlines, and steering one player by name."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final, Protocol

from ._failures import Failures
from ._life import Life
from ._snapshot import height, leaves
from .context import GroupContext
from .errors import OrchestraError
from .events import Event
from .log import Logger, complains, informs, log_event
from .status import State

TENTH: Final = 0.1
"""The share of its time that a player gets on top, once it has been cut off."""

PASSES: Final = 20
"""Turns of the loop that a cancelled task has at least, where a tenth of its time is no time."""


class Stream(Protocol):
    """Where events go, and when it is: what a supervisor needs of its performance."""

    @property
    def observed(self) -> bool: ...
    def wall_time(self) -> float: ...
    def publish(self, event: Event) -> None: ...


def check_thread(loop: asyncio.AbstractEventLoop) -> None:
    """Raise a `RuntimeError` where this is not the thread of a loop that runs."""
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        raise RuntimeError(
            "players are steered in the thread of their loop; from another, use "
            "asyncio.run_coroutine_threadsafe or loop.call_soon_threadsafe"
        )


class Supervisor:
    """Keeps players: asks them to stop, cuts off and abandons those that do not."""

    def __init__(self, performance: Any, logger: Logger, timeout: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.performance = performance
        self.logger = logger
        self.timeout = timeout
        self.grace = timeout * TENTH
        self.lives: dict[str, Life] = {}
        self.failures = Failures()
        self._timed: dict[Life, None] = {}  # those that have a limit
        self._all_timed = False
        self._timer: asyncio.Handle | None = None
        self._timer_at = math.inf
        self._passes = self._patience = 0
        self.refresh()

    @property
    def context(self) -> GroupContext:
        """What the players' contexts are children of."""
        raise NotImplementedError

    @property
    def stopping(self) -> bool:
        """Whether all here have been asked to stop, or are about to be."""
        raise NotImplementedError

    @property
    def above(self) -> Life | None:
        """The life that this plays in, if there is one."""
        return None

    def waits_for(self, name: str) -> list[str]:
        """The names of those that this one waits for before it starts."""
        return []

    def on_ready(self, life: Life) -> None:
        raise NotImplementedError

    def on_end(self, life: Life) -> None:
        raise NotImplementedError

    # Events

    def refresh(self) -> None:
        """See again who listens: asked before what may be many events, not before each."""
        stream: Stream = self.performance
        self.listening = stream.observed or informs(self.logger)
        self.complaining = self.listening or complains(self.logger)

    def emit(self, make: Callable[..., Event], path: str, *args: object) -> None:
        """Make an event, log it and hand it to the observers."""
        stream: Stream = self.performance
        event = make(path, stream.wall_time(), *args)
        log_event(self.logger, event)
        stream.publish(event)

    # Deadlines

    def watch(self, deadline: float, life: Life | None = None) -> None:
        """See to this one, or to all, at this moment, when its time is over."""
        if life is None:
            self._all_timed = True
        else:
            self._timed[life] = None
        self._wake_at(deadline)

    def _wake_at(self, deadline: float) -> None:
        if deadline < self._timer_at:
            self.close()
            self._timer_at = deadline
            self._timer = self.loop.call_at(deadline, self._enforce)

    def _enforce(self) -> None:
        """Cut off who is late, abandon who has been cut off and is late again."""
        self._timer, self._timer_at = None, math.inf
        now = self.loop.time()
        # In a group with an order, few have a limit at a time.
        self._timed = {life: None for life in self._timed if not life.over}
        timed = self.lives.values() if self._all_timed else self._timed
        due = [life for life in timed if life.due <= now]
        gone = [life for life in due if life.state is State.CUT_OFF]
        self.cut([life for life in due if life.state is not State.CUT_OFF])
        # Once high it stays high: a group may have ended inside by now, and still has to say so.
        levels = 1 + max((height(life) for life in gone), default=0)
        self._patience = max(self._patience, PASSES * levels)
        if gone and self._passes < self._patience:
            self._passes += 1
            self.close()
            self._timer, self._timer_at = self.loop.call_soon(self._enforce), -math.inf
            return
        self._passes = self._patience = 0
        for life in gone:
            self._abandon(life)
        self._wake_at(min((life.due for life in timed), default=math.inf))

    def cut(self, lives: list[Life], grace: float | None = None) -> None:
        """Cut these off, after a look at where all of them are."""
        for life in lives:
            if life.stopping and life.has_begun():
                life.left = {**dict(leaves(life)), **(life.left or {})} or None
        for life in lives:
            life.cut(self._grace_of(life) if grace is None else grace)

    def _grace_of(self, life: Life) -> float:
        # What was due at the moment it was asked had no time of which to take a tenth.
        return self.context.grace(max(0.0, life.due - life.since) * TENTH)

    def _abandon(self, life: Life) -> None:
        if life.stopping:
            left = dict(leaves(life, lingering=True))
            life.left = {**left, **(life.left or {})}
            self.failures.abandoned += left
        life.abandon()

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf

    # One player

    def ask(self, life: Life, reason: object, deadline: float) -> None:
        """Ask one player to stop for good."""
        life.ask(reason, self.loop.time())
        if life.ctx is not None and not life.over:
            life.ctx.end_by(reason, deadline)
            self.watch(deadline, life)

    async def start_player(self, name: str) -> None:
        """Start one player that does not play, until it is ready."""
        life = self._to_play(name, "started")
        if life.over:
            life = self.play_again(life)
        elif life.state is State.BACKING_OFF:
            self._ask_again(life, "start")
        await self._until_ready(life)

    async def stop_player(self, name: str) -> None:
        """Stop one player, until somebody starts it; raises what it raised."""
        raise NotImplementedError

    async def restart(self, name: str) -> None:
        """Stop one player and start it again, until it is ready."""
        life = self._to_play(name, "restarted")
        if life.over:
            life = self.play_again(life)
        else:
            self._ask_again(life, "restart")
        await self._until_ready(life)

    def _to_play(self, name: str, what: str) -> Life:
        life = self.lives[name]
        if self.stopping or (life.stopping and not life.over):
            raise OrchestraError(f"{life.path or name!r} is stopping, it can't be {what}")
        self.refresh()
        return life

    def _ask_again(self, life: Life, reason: str) -> None:
        now = self.loop.time()
        life.ask_again(reason, now)
        if life.ctx is not None and life.state in (State.STOPPING, State.CUT_OFF):
            deadline = now + self.timeout
            life.ctx.end_by(reason, deadline)
            self.watch(deadline, life)

    async def _until_ready(self, life: Life) -> None:
        await self.until(life, lambda: life.over or (life.state is State.READY and not life.again))
        if life.errors:
            raise life.errors[0]
        if life.stopping:
            raise OrchestraError(f"{life.path!r} was stopped before it was ready")

    def play_again(self, life: Life) -> Life:
        """Start a player that has ended."""
        raise NotImplementedError

    async def until(self, life: Life, reached: Callable[[], bool]) -> None:
        """Wait until this holds for a life; looked at when it gets ready and when it ends."""
        if reached():
            return
        future: asyncio.Future[None] = self.loop.create_future()

        def look(_: Life) -> None:
            if reached() and not future.done():
                future.set_result(None)

        life.watchers = [*(life.watchers or ()), look]
        try:
            await future
        finally:
            life.watchers = [one for one in life.watchers if one is not look] or None
