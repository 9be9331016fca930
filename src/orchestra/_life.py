"""The life of one player under its keeper, as a small state machine.

    waiting -> starting -> ready -> stopping -> stopped
                  ^          |          |-> cut off -> stopped
                  |          v                     |-> abandoned
                  +--- backing off -> failed

What happens to it: its task begins a run (`_begin`), it becomes ready (`on_ready`, `settle`), a run
ends (`_after_run`, which asks `restart.decide` what follows), it is asked to stop, for good (`ask`)
or to come back (`ask_again`), its time is over (`cut`), and still it goes on (`abandon`). Everything
here runs in the loop's thread; a player in a thread of its own is brought here by `on_ready`.
"""

from __future__ import annotations

import asyncio
import math
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, Protocol

from . import _clock, _stack
from ._waiter import call_soon_threadsafe
from .context import Context
from .errors import (
    ConductorError,
    OrchestraError,
    PlayerAbortedError,
    StartTimeoutError,
    WatchdogError,
)
from .events import (
    Abandoned,
    BackingOff,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from .log import Logger, in_words, player_path
from .player import Player, kind_of, terms_of
from .restart import Series, Verdict, decide, note_of, note_restarts
from .status import Players, PlayerStatus, State

Loop = asyncio.AbstractEventLoop

HURRY: Final = 0.0001
"""Seconds that restarts without a delay may keep the loop from its other work."""

HURRIED_RESTARTS: Final = 16
"""How many they may be at the most, also where time stands still."""


class Keeper(Protocol):
    """Whom a life answers to: the group it plays in, or the performance for the root."""

    loop: Loop
    logger: Logger
    listening: bool  # somebody would see an event
    complaining: bool  # somebody would see an event that is an error
    grace: float

    @property
    def context(self) -> Context: ...
    @property
    def performance(self) -> Any: ...
    def emit(self, make: Callable[..., Event], path: str, *args: object) -> None: ...
    def on_ready(self, life: Life) -> None: ...
    def on_end(self, life: Life) -> None: ...
    def watch(self, deadline: float) -> None: ...


class Group(Protocol):
    """The players of a conductor that plays inside of a life."""

    lives: dict[str, Life]
    stopping: bool
    over: bool


class Life:
    """One player from its first start to its last end, with all restarts in between."""

    __slots__ = (
        "again",
        "beat",
        "begun_at",
        "blame",
        "ctx",
        "delay",
        "details",
        "error",
        "errors",
        "groups",
        "hurried",
        "keeper",
        "left",
        "leftover",
        "locate",
        "name",
        "over",
        "path",
        "player",
        "ready_at",
        "reported",
        "restarts",
        "series",
        "settling",
        "since",
        "skipped",
        "state",
        "stopping",
        "task",
        "terms",
        "timer",
        "turn_at",
        "was_ready",
        "watchers",
    )

    def __init__(self, keeper: Keeper, name: str, path: str, player: Player) -> None:
        self.keeper = keeper
        self.name = name
        self.path = path
        self.player = player
        self.terms = terms_of(player)
        self.state = State.WAITING
        self.since = 0.0
        self.ctx: Context | None = None  # of the run that counts; an abandoned one's is another
        self.task: asyncio.Task[None] | None = None
        self.stopping = False  # asked to stop for good
        self.again = False  # asked to stop, and to come back
        self.over = False
        self.was_ready = False
        self.skipped = False
        self.settling = False
        self.restarts = 0
        self.hurried = 0  # restarts without a turn of the loop in between
        self.turn_at = 0.0
        self.delay: float | None = None
        self.begun_at: float | None = None
        self.ready_at: float | None = None
        self.beat = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.blame: Exception | None = None  # why the run is cut off, where that is a failure
        self.reported: list[Exception] | None = None  # by groups of this run that were cut off
        self.error: str | None = None
        self.errors: list[Exception] | None = None
        self.series: Series | None = None
        self.details: dict[str, object] | None = None
        self.groups: list[Group] | None = None
        self.locate: Callable[[], str] | None = None
        self.leftover: asyncio.Task[None] | None = None  # of an earlier run that was abandoned
        self.left: dict[str, str] | None = None  # who was cut off here, and where each was
        self.watchers: list[Callable[[Life], None]] | None = None

    # The seat of its contexts

    @property
    def performance(self) -> Any:
        return self.keeper.performance

    def on_ready(self, context: Context, details: dict[str, object]) -> None:
        loop = self.keeper.loop
        if asyncio._get_running_loop() is loop:
            self._signal_ready(context, details)
        else:
            call_soon_threadsafe(loop, self._signal_ready, context, details)

    def on_heartbeat(self) -> None:
        self.beat = self.keeper.loop.time()

    def on_locate(self, context: Context, locate: Callable[[], str]) -> None:
        self.locate = locate

    # Running

    def start(self, now: float) -> None:
        """Begin the first run: its task takes the first step in the loop's next turn."""
        if self.leftover is not None:
            self._create_task(0.0)  # by way of `_begin`, which looks at what is left over
            return
        self.state = State.STARTING
        self.since = self.begun_at = now
        if self.keeper.listening:
            self.keeper.emit(Started, self.path, self.restarts)
        if self.terms.start_timeout is not None:
            self._arm_start()
        self._create_task(None)

    def _arm_start(self) -> None:
        limit = self.terms.start_timeout
        if limit is not None:
            self.timer = self.keeper.loop.call_later(limit, self._check_start)

    def _create_task(self, delay: float | None) -> None:
        self.ctx = ctx = self.keeper.context.of_player(self)
        self.task = self.keeper.loop.create_task(self._live(ctx, delay), name=self.path)

    async def _live(self, ctx: Context, delay: float | None) -> None:
        """All runs, one after the other: what to do is decided elsewhere."""
        player_path.set(self.path)
        while True:
            error: BaseException | None = None
            try:
                if delay is not None:
                    if delay:
                        await ctx.sleep(delay)
                    elif self._has_hurried():
                        await _turn()
                    ctx = self.ctx or ctx
                    self._begin(ctx)
                if not ctx.done():
                    await self.player.play(ctx)
            except BaseException as caught:
                error = caught
            delay = self._after_run(ctx, error)
            if delay is None or self.ctx is None:
                return
            ctx = self.ctx

    def _begin(self, ctx: Context) -> None:
        """Begin one more run, unless it has been asked to stop in the meantime."""
        if self.stopping or ctx.done():
            return
        keeper = self.keeper
        if self.leftover is not None:
            self._refuse_second_copy(self.leftover)
        self.state = State.STARTING
        self.since = self.begun_at = now = keeper.loop.time()
        self.again = self.skipped = False
        self.delay = self.details = self.groups = self.locate = None
        if keeper.listening:
            keeper.emit(Started, self.path, self.restarts)
        if self.terms.start_timeout is not None:
            self._arm_start()
        if not self.terms.signals_ready:
            if self.was_ready and not self.watchers:
                self._become_ready(now, implied=True)
            elif not self.settling:
                # Only a run that outlives its first step counts as ready. That of first runs is
                # for the keeper to settle, for all of them in one callback.
                self.settling = True
                keeper.loop.call_soon(self._settle_soon)

    def _settle_soon(self) -> None:
        self.settling = False
        self.settle(self.keeper.loop.time())

    def _has_hurried(self) -> bool:
        """Whether restarts without a delay have kept the loop from its other work long enough."""
        self.hurried += 1
        if self.hurried < HURRIED_RESTARTS and self.since - self.turn_at < HURRY:
            return False
        self.hurried, self.turn_at = 0, self.since
        return True

    def _refuse_second_copy(self, leftover: asyncio.Task[None]) -> None:
        if leftover.done():
            self.leftover = None
        else:
            raise OrchestraError(
                "not started: an earlier run, which was abandoned, still goes on\n"
                + _stack.of_task(leftover)
            )

    def settle(self, now: float) -> None:
        """Count it as ready, if it has started and does not signal that by itself."""
        if self.state is State.STARTING and not self.terms.signals_ready:
            self._become_ready(now, implied=True)

    def _signal_ready(self, context: Context, details: dict[str, object]) -> None:
        if context is self.ctx and not self.over:
            if details:
                self.details = {**(self.details or {}), **details}
            if self.state is State.STARTING:
                self._become_ready(self.keeper.loop.time(), implied=False)

    def _become_ready(self, now: float, *, implied: bool) -> None:
        keeper = self.keeper
        if self.timer is not None:
            self._disarm()
        self.state = State.READY
        self.since = self.ready_at = self.beat = now
        if self.terms.watchdog is not None:
            self.timer = keeper.loop.call_later(self.terms.watchdog, self._check_heartbeat)
        if keeper.listening:
            keeper.emit(Ready, self.path, dict(self.details or {}), implied)
        if not self.was_ready:
            self.was_ready = True
            keeper.on_ready(self)
        if self.watchers is not None:
            self._notify()

    # Guards

    def _check_start(self) -> None:
        limit = self.terms.start_timeout
        self._accuse(StartTimeoutError(f"not ready within {limit:g} seconds"))

    def _check_heartbeat(self) -> None:
        watchdog = self.terms.watchdog or 0.0
        left = self.beat + watchdog - self.keeper.loop.time()
        if left > 0:
            self.timer = self.keeper.loop.call_later(left, self._check_heartbeat)
        else:
            self._accuse(WatchdogError(f"no heartbeat for {watchdog:g} seconds"))

    def _accuse(self, error: Exception) -> None:
        note_of(error, self.where())
        self.blame = error
        self.cut(self.keeper.grace)

    def _disarm(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()

    # After a run

    def _after_run(self, ctx: Context, caught: BaseException | None) -> float | None:
        """Settle what the run has left; the seconds until the next, or None if there is none."""
        if isinstance(caught, GeneratorExit) and not self.keeper.loop.is_running():
            return None  # the loop has been closed around it
        if ctx is not self.ctx:
            self._report_late(caught)
            return None
        if self.timer is not None:
            self._disarm()
        asked = self.stopping or self.again or (self.blame is None and ctx.done())
        error = None
        if caught is not None or self.blame is not None or self.reported is not None:
            error = self._judge(caught, asked)
        if not asked:
            ctx.close()
        return self._follow(error, asked)

    def _judge(self, caught: BaseException | None, asked: bool) -> Exception | None:
        """The failure that an ending is, if it is one."""
        error: Exception | None
        if caught is None or isinstance(caught, Exception):
            error = caught
        elif isinstance(caught, asyncio.CancelledError) and (asked or self.blame is not None):
            error = None
        else:
            error = PlayerAbortedError(f"ended by {in_words(caught)}")
            error.__cause__ = caught
        if caught is not None and caught.__traceback__ is not None:
            # Without our own frame, which tells nothing, and would tie the error to this life.
            caught.__traceback__ = caught.__traceback__.tb_next or caught.__traceback__
        if self.reported is not None:
            found = [*self.reported] if error is None else [error, *self.reported]
            error = found[0] if len(found) == 1 else _merged(self.path, found)
            self.reported = None
        if self.blame is not None:
            self.blame.__cause__ = error
            error, self.blame = self.blame, None
        return error

    def _follow(self, error: Exception | None, asked: bool) -> float | None:
        if self.again and not self.stopping:
            self._back_off(error, 0.0)
            return 0.0
        draw = self._draw if self.terms.backoff is not None else _no_restart
        always = self.terms.always and not self.skipped
        try:
            verdict = decide(error, asked=asked, always=always, draw=draw)
        except Exception as broken:  # a backoff of the user's that raises, or gives nonsense
            verdict, error = Verdict.FAIL, _chained(broken, error)
        if isinstance(verdict, Verdict):
            if error is not None and verdict is Verdict.FAIL and self.series is not None:
                note_restarts(error, self.series.length)
            self._finish(error)
            return None
        self._back_off(error, verdict)
        return verdict

    def _draw(self) -> float | None:
        if self.series is None:
            self.series = Series(self.terms.backoff)
        now = self.keeper.loop.time()
        return self.series.draw(now, 0.0 if self.ready_at is None else now - self.ready_at)

    def _back_off(self, error: Exception | None, delay: float) -> None:
        keeper = self.keeper
        self.state = State.BACKING_OFF
        self.since = keeper.loop.time()
        self.delay = delay
        self.restarts += 1
        self.begun_at = self.ready_at = None
        if error is not None:
            self.error = in_words(error)
        if error is not None and keeper.complaining:
            keeper.emit(Failed, self.path, error, self.restarts, False)
        if keeper.complaining if error is not None else keeper.listening and not self.again:
            keeper.emit(BackingOff, self.path, delay, self.restarts, error)
        while self.task is not None and self.task.cancelling():
            self.task.uncancel()  # of the run that was cut off; the next has not been
        self.ctx = keeper.context.of_player(self)

    def _finish(self, error: Exception | None) -> None:
        if error is not None:
            self._add_error(error)
        self.over = True
        self.begun_at = self.delay = self.task = self.ctx = None
        self.since = self.keeper.loop.time()
        if self.errors:
            self.state = State.FAILED
            self.error = in_words(self.errors[0])
        else:
            self.state = State.SKIPPED if self.skipped else State.STOPPED
        if self.keeper.listening or self.errors:
            self._tell_end()
        self._end()

    def _tell_end(self) -> None:
        emit, path = self.keeper.emit, self.path
        if self.errors:
            for error in self.errors:
                emit(Failed, path, error, self.restarts, True)
        else:
            emit(Skipped if self.skipped else Stopped, path)

    def _end(self) -> None:
        self.keeper.on_end(self)
        if self.watchers is not None:
            self._notify()

    def report(self, error: Exception) -> None:
        """Take note of what a group in this run has to tell, that is cut off and can't raise it."""
        self.reported = [*(self.reported or ()), error]

    def _add_error(self, error: Exception) -> None:
        if not isinstance(error, ConductorError):
            note_of(error, f"raised by player {self.path!r}")
        self.errors = [*(self.errors or ()), error]

    def _report_late(self, caught: BaseException | None) -> None:
        if caught is not None and not isinstance(caught, asyncio.CancelledError):
            attrs: dict[str, Any] = {"path": self.path, "error": caught, "exc_info": caught}
            self.keeper.logger.error(f"{self.path}: failed after it was abandoned", **attrs)

    def _notify(self) -> None:
        for watcher in self.watchers or ():
            watcher(self)

    # Stopping

    def ask(self, reason: object, now: float) -> None:
        """It is to stop for good; its context is the keeper's to end."""
        if self.stopping or self.over:
            return
        self.stopping = True
        state = self.state
        if state is State.READY or state is State.STARTING:
            self._ask(reason, now)
        elif self.task is None:
            self._finish(None)
        elif state is State.BACKING_OFF:
            self._drop_task()
            self._finish(None)
        elif state is not State.WAITING:
            self._ask(reason, now)

    def ask_again(self, reason: object, now: float) -> None:
        """It is to stop and then to come back; its context is the keeper's to end."""
        self.again = True
        if self.state is State.BACKING_OFF:
            self._drop_task()
            self._create_task(0.0)
        elif self.state is not State.WAITING:
            self._ask(reason, now)

    def _ask(self, reason: object, now: float) -> None:
        if self.blame is None:
            if self.timer is not None:
                self._disarm()
            self.state = State.STOPPING
            self.since = now
        if self.keeper.listening:
            self.keeper.emit(Stopping, self.path, reason)

    def _drop_task(self) -> None:
        """Let go of a task in which no player is at work."""
        task, self.task, self.ctx = self.task, None, None
        if task is not None:
            task.cancel()

    def cut(self, grace: float) -> None:
        """Its time is over: cancel the run, and give it `grace` seconds to take notice."""
        ctx = self.ctx
        if self.over or ctx is None or self.task is None or self.state is State.CUT_OFF:
            return
        if not self.has_begun():
            self._drop_task()
            self._finish(None)
            return
        keeper = self.keeper
        now = keeper.loop.time()
        if keeper.complaining:
            keeper.emit(CutOff, self.path, self.where())
        self.state, self.since = State.CUT_OFF, now
        ctx.end_by(self.blame or "cut off", now + grace)
        self.task.cancel()
        keeper.watch(now + grace)

    def has_begun(self) -> bool:
        """Whether its task has taken the first step of a run."""
        return self.state is not State.WAITING and _stack.has_begun(self.task)

    def abandon(self) -> None:
        """Cutting it off did not end it: go on without it."""
        self.keeper.emit(Abandoned, self.path, self.where())
        self.leftover, self.ctx = self.task, None
        blame, self.blame = self.blame, None
        if not self.stopping:
            delay = self._follow(blame, asked=False)
            if delay is not None:
                self._create_task(delay)
            return
        for error in (blame, *(self.reported or ())):
            if error is not None:
                self._add_error(error)
        self.over = True
        self.begun_at = None
        self.state, self.since = State.ABANDONED, self.keeper.loop.time()
        self._end()

    @property
    def due(self) -> float:
        """When the keeper has to see to it next: to cut it off, or to abandon it."""
        if self.over or self.ctx is None or not self.ctx.done():
            return math.inf
        return self.ctx.deadline

    # Seeing

    def where(self) -> str:
        """Where it is right now."""
        return _stack.of_task(self.task) if self.locate is None else self.locate()

    def below(self) -> Iterator[Life]:
        """The lives of the groups that play in it."""
        for group in self.groups or ():
            yield from list(group.lives.values())

    def leaves(self) -> Iterator[tuple[str, str]]:
        """The paths of those that still go on at the ends of the tree, and where each is."""
        alive = [life for life in self.below() if not life.over]
        for life in alive:
            yield from life.leaves()
        if not alive:
            yield self.path, self.where()

    def height(self) -> int:
        """How many levels of players there are below it that still go on."""
        return max((1 + life.height() for life in self.below() if not life.over), default=0)

    def status(self, *, ready: bool = True) -> PlayerStatus:
        """A snapshot; with `ready=False`, of a tree in which nothing counts as ready any more."""
        now, wall = _clock.now(self.keeper.loop), self.keeper.performance.wall_time()
        players = Players(life.status(ready=ready) for life in self.below())
        state = self.state
        if state is State.READY and self.groups:
            state = self._group_state(players)
        begun, delay = self.begun_at, self.delay
        return PlayerStatus(
            name=self.name,
            path=self.path,
            kind=kind_of(self.player),
            state=state,
            ready=ready and state in (State.READY, State.DEGRADED),
            since=wall - (now - self.since),
            uptime=None if begun is None else max(0.0, now - begun),
            restarts=self.restarts,
            next_restart_in=None if delay is None else max(0.0, self.since + delay - now),
            error=self.error,
            details=dict(self.details or {}),
            players=players,
        )

    def _group_state(self, players: Players) -> State:
        if any(group.stopping and not group.over for group in self.groups or ()):
            return State.STOPPING
        fine = (State.STOPPED, State.SKIPPED)
        all_fine = all(player.ready or player.state in fine for player in players)
        return State.READY if all_fine else State.DEGRADED


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Let the loop have one turn: a restart without a delay must not keep the others waiting."""
    yield


def _no_restart() -> None:
    return None


def _merged(path: str, errors: list[Exception]) -> ConductorError:
    """Several failures of one run as one, flattened."""
    failures = []
    for error in errors:
        if isinstance(error, ConductorError):
            failures += error.entries()
        else:
            failures.append((0.0, path, error))
    return ConductorError.of(f"{path} failed", failures, base=path)


def _chained(error: Exception, cause: Exception | None) -> Exception:
    note_of(error, "raised by the player's backoff")
    error.__cause__ = error.__cause__ or cause
    return error
