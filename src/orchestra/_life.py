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
from collections.abc import Callable, Generator
from typing import Any, cast

from . import _ending, _stack, log
from ._keeper import Group, Keeper
from ._leftovers import Leftovers
from ._seat import Subtree
from ._waiter import call_soon_threadsafe
from ._watch import Watch
from .context import Context
from .errors import ConductorError, OrchestraError
from .events import (
    Abandoned,
    BackingOff,
    CutOff,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from .log import Logger, complain, in_words
from .player import Player, terms_of
from .restart import Series, Verdict, decide, note_of, note_restarts, note_whose
from .status import State

# Read once, since a member of an enum is looked for at each reading.
_WAITING, _STARTING, _READY = State.WAITING, State.STARTING, State.READY
_STOPPING, _STOPPED = State.STOPPING, State.STOPPED


class Life:
    """One player from its first start to its last end, with all restarts in between."""

    __slots__ = (
        "again",
        "begun_at",
        "blame",
        "ctx",
        "details",
        "error",
        "errors",
        "groups",
        "has_run",
        "keeper",
        "left",
        "leftovers",
        "locate",
        "over",
        "path",
        "player",
        "ready_at",
        "reported",
        "restarts",
        "series",
        "since",
        "skipped",
        "state",
        "stopping",
        "subtree",
        "task",
        "terms",
        "was_ready",
        "watch",
        "watchers",
    )

    def __init__(self, keeper: Keeper, path: str, player: Player) -> None:
        self.keeper = keeper
        self.path = path
        self.player = player
        self.terms = terms_of(player)
        self.state = _WAITING
        self.since = 0.0
        self.ctx: Context | None = None  # of the run that counts; an abandoned one's is another
        self.task: asyncio.Task[None] | None = None
        self.stopping = False  # asked to stop for good
        self.again = False  # asked to stop, and to come back
        self.over = False
        self.has_run = False  # a run of it has begun, this one or an earlier
        self.was_ready = False
        self.skipped = False
        self.restarts = 0
        self.begun_at: float | None = None
        self.ready_at: float | None = None
        self.watch: Watch | None = None
        self.blame: Exception | None = None  # why the run is cut off, where that is a failure
        self.reported: list[Exception] | None = None  # by groups of this run that were cut off
        self.error: str | None = None
        self.errors: list[Exception] | None = None
        self.series: Series | None = None
        self.details: dict[str, object] | None = None
        self.groups: list[Group] | None = None
        self.locate: Callable[[], str] | None = None
        self.leftovers: Leftovers | None = None  # earlier runs that were abandoned
        self.subtree: Subtree | None = None
        self.left: dict[str, str] | None = None  # who was cut off here, and where each was
        self.watchers: list[Callable[[Life], None]] | None = None

    @property
    def name(self) -> str:
        """Its name in its group."""
        return self.path.rpartition(".")[2]

    # The seat of its contexts

    @property
    def performance(self) -> Any:
        return self.keeper.performance

    @property
    def logger(self) -> Logger:
        return self.keeper.logger

    def on_ready(self, context: Context, details: dict[str, object]) -> None:
        loop = self.keeper.loop
        if asyncio._get_running_loop() is loop:
            self._signal_ready(context, details)
        else:
            call_soon_threadsafe(loop, self._signal_ready, context, details)

    def on_heartbeat(self, context: Context) -> None:
        if self.watch is not None and context is self.ctx:
            self.watch.beat()

    def on_locate(self, context: Context, locate: Callable[[], str]) -> None:
        if context is self.ctx:
            self.locate = locate

    def on_attach(self, context: Context, subtree: Subtree) -> None:
        if context is self.ctx:
            self.subtree = subtree

    # Running

    def start(self, now: float) -> None:
        """Begin the first run: its task takes the first step in the loop's next turn."""
        if self.leftovers is not None:
            self._create_task(0.0)  # by way of `_begin`, which looks at what is left over
            return
        self._take_note_of_start(now)
        self._create_task(None)

    def _take_note_of_start(self, now: float) -> None:
        self.state = _STARTING
        self.again = False
        self.has_run = True
        self.since = self.begun_at = now
        if self.keeper.listening:
            self.keeper.emit(Started, self.path, self.restarts)
        if self.terms.has_limits:
            self.watch = Watch(self.keeper.loop, self.terms, self._accuse)

    def sit_out(self, now: float) -> None:
        """It is not to start: somebody will start another life of it by hand, or nobody."""
        self.over = True
        self.state, self.since = _STOPPED, now

    def _create_task(self, delay: float | None) -> None:
        self.ctx = ctx = self.keeper.context.of_player(self)
        self.task = self.keeper.loop.create_task(
            self._live(ctx, delay), name=self.path or "conductor"
        )

    async def _live(self, ctx: Context, delay: float | None) -> None:
        """All runs, one after the other: what to do is decided elsewhere."""
        if log.path_is_wanted:
            log.player_path.set(self.path)
        while True:
            error: BaseException | None = None
            try:
                if delay is not None:
                    if delay:
                        await ctx.sleep(delay)
                    elif self.series is None or self.series.gives_way(self.since):
                        await _turn()
                    ctx = self.ctx or ctx
                    if not self.has_run and self.keeper.stopping:
                        await ctx.wait()  # for its turn in the order, and then it does not begin
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
        self.again = self.skipped = False
        if self.leftovers is not None:
            self._mind_leftovers(self.leftovers)
        self.details = self.groups = self.locate = self.subtree = None
        now = keeper.loop.time()
        self._take_note_of_start(now)
        if not self.terms.signals_ready:
            if self.was_ready and not self.watchers:
                self._become_ready(now, True)
            elif self.series is None or not self.series.settling:
                # Only a run that outlives its first step counts as ready. That of first runs is
                # for the keeper to settle, for all of them in one callback.
                if self.series is not None:
                    self.series.settling = True
                keeper.loop.call_soon(self._settle_soon)

    def _settle_soon(self) -> None:
        if self.series is not None:
            self.series.settling = False
        self.settle(self.keeper.loop.time())

    def _mind_leftovers(self, leftovers: Leftovers) -> None:
        """Start no second copy, or at least not silently."""
        zombies = leftovers.count()
        if not zombies:
            self.leftovers = None
            return
        what, where = leftovers.in_words(), leftovers.where()
        if not self.terms.overlaps:
            raise OrchestraError(f"not started: {what}\n{where}")
        attrs: dict[str, Any] = {"path": self.path, "zombies": zombies, "where": where}
        complain(self.keeper.logger, f"{self.path}: started beside others: {what}", **attrs)

    def settle(self, now: float) -> None:
        """Count it as ready, if it has started and does not signal that by itself."""
        if self.state is _STARTING and not self.terms.signals_ready:
            self._become_ready(now, True)

    def _signal_ready(self, context: Context, details: dict[str, object]) -> None:
        if context is self.ctx:
            if details:
                self.details = {**(self.details or {}), **details}
            if self.state is State.STARTING:
                self._become_ready(self.keeper.loop.time(), False)

    def _become_ready(self, now: float, implied: bool) -> None:
        keeper = self.keeper
        self.state = _READY
        self.since = self.ready_at = now
        if self.watch is not None:
            self.watch.ready()
        if keeper.listening:
            keeper.emit(Ready, self.path, dict(self.details or {}), implied)
        if not self.was_ready:
            self.was_ready = True
            keeper.on_ready(self)
        if self.watchers is not None:
            self._notify()

    def _accuse(self, error: Exception) -> None:
        note_of(error, self.where())
        self.blame = error
        self.cut(self.keeper.grace)

    def _unwatch(self, watch: Watch) -> None:
        watch.end()
        self.watch = None

    # After a run

    def _after_run(self, ctx: Context, caught: BaseException | None) -> float | None:
        """Settle what the run has left; the seconds until the next, or None if there is none."""
        if isinstance(caught, GeneratorExit) and not self.keeper.loop.is_running():
            return None  # the loop has been closed around it
        if ctx is not self.ctx:
            self._report_late(caught)
            return None
        if self.watch is not None:
            self._unwatch(self.watch)
        asked = self.stopping or self.again or (self.blame is None and ctx.done())
        error = None
        if caught is not None or self.blame is not None or self.reported is not None:
            error = self._judge(caught, asked)
        elif self.stopping:
            self._finish(None)  # as most often, and then there is nothing to decide
            return None
        if not asked:
            ctx.close()
        return self._follow(error, asked)

    def _judge(self, caught: BaseException | None, asked: bool) -> Exception | None:
        if caught is not None:
            _ending.without_our_frame(caught)
        reported, self.reported = self.reported or (), None
        blame, self.blame = self.blame, None
        return _ending.judge(caught, reported, blame, asked=asked, path=self.path)

    def _follow(self, error: Exception | None, asked: bool) -> float | None:
        if self.again and not self.stopping:
            self._back_off(error, 0.0)
            return 0.0
        draw = self._draw if self.terms.backoff is not None else _no_restart
        always = self.terms.always and not self.skipped
        try:
            verdict = decide(error, asked=asked, always=always, draw=draw)
        except Exception as broken:  # a backoff of the user's that raises, or gives nonsense
            verdict, error = Verdict.FAIL, _ending.of_backoff(broken, error)
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
        keeper = self.keeper
        self.over = True
        self.begun_at = self.task = self.ctx = None
        self.since = keeper.loop.time()
        if self.errors is not None:
            self.state = State.FAILED
            self.error = in_words(self.errors[0])
            self._tell_end()
        else:
            self.state = State.SKIPPED if self.skipped else _STOPPED
            if keeper.listening:
                self._tell_end()
        keeper.on_end(self)
        if self.watchers is not None:
            self._notify()

    def _tell_end(self) -> None:
        emit, path = self.keeper.emit, self.path
        if self.errors:
            for error in self.errors:
                emit(Failed, path, error, self.restarts, True)
        else:
            emit(Skipped if self.skipped else Stopped, path)

    def report(self, error: Exception) -> None:
        """Take note of what a group in this run has to tell, that is cut off and can't raise it."""
        self.reported = [*(self.reported or ()), error]

    def _add_error(self, error: Exception) -> None:
        if not isinstance(error, ConductorError):
            note_whose(error, self.path)
        self.errors = [*(self.errors or ()), error]

    def _report_late(self, caught: BaseException | None) -> None:
        if caught is not None and not isinstance(caught, asyncio.CancelledError):
            what = f"{self.path}: failed after it was abandoned"
            complain(self.keeper.logger, what, caught, path=self.path)

    def _notify(self) -> None:
        for watcher in self.watchers or ():
            watcher(self)

    # Stopping

    def ask(self, reason: object, now: float) -> None:
        """It is to stop for good; its context is the keeper's to end."""
        if self.stopping or self.over:
            return
        self.stopping = True
        if self.state is _READY and self.watch is None:  # as most often
            self.state, self.since = _STOPPING, now
            if self.keeper.listening:
                self.keeper.emit(Stopping, self.path, reason)
        elif self.task is None:
            self._finish(None)
        elif self.state is State.BACKING_OFF:
            self._drop_task(self.task)
            self._finish(None)
        elif self.state is not State.WAITING:
            self._ask(reason, now)

    def ask_again(self, reason: object, now: float) -> None:
        """It is to stop and then to come back; its context is the keeper's to end."""
        self.again = True
        if self.state is State.BACKING_OFF and self.task is not None:
            self._drop_task(self.task)
            self._create_task(0.0)
        elif self.state is not State.WAITING:
            self._ask(reason, now)

    def _ask(self, reason: object, now: float) -> None:
        if self.blame is None:
            if self.watch is not None:
                self._unwatch(self.watch)
            self.state = _STOPPING
            self.since = now
        if self.keeper.listening:
            self.keeper.emit(Stopping, self.path, reason)

    def _drop_task(self, task: asyncio.Task[None]) -> None:
        """Let go of a task in which no player is at work."""
        self.task = self.ctx = None
        task.cancel()

    def cut(self, grace: float) -> None:
        """Its time is over: cancel the run, and give it `grace` seconds to take notice."""
        ctx = self.ctx
        if self.over or ctx is None or self.task is None or self.state is State.CUT_OFF:
            return
        if not self.has_begun():
            self._drop_task(self.task)
            self._finish(None)
            return
        keeper = self.keeper
        now = keeper.loop.time()
        if keeper.complaining and not (self.terms.lingers and self.stopping):
            keeper.emit(CutOff, self.path, self.where())
        self.state, self.since = State.CUT_OFF, now
        ctx.end_by(self.blame or "cut off", now + grace)
        ctx.grant(now + grace)
        self.task.cancel()
        keeper.watch(now + grace, self)

    def has_begun(self) -> bool:
        """Whether its task has taken the first step of a run, and does not wait for the next."""
        if self.state is State.WAITING or self.state is State.BACKING_OFF:
            return False
        return _stack.has_begun(self.task)

    def abandon(self) -> None:
        """Cutting it off did not end it: go on without it."""
        self.keeper.emit(Abandoned, self.path, self.where())
        if self.leftovers is None:
            self.leftovers = Leftovers()
        self.leftovers.add(cast("asyncio.Task[None]", self.task), self.locate)
        self.ctx = None
        if not self.stopping:
            delay = self._follow(self._judge(None, asked=False), asked=False)
            if delay is not None:
                self._create_task(delay)
            return
        blame, self.blame = self.blame, None
        for error in (blame, *(self.reported or ())):
            if error is not None:
                self._add_error(error)
        self.over = True
        self.begun_at = None
        self.state, self.since = State.ABANDONED, self.keeper.loop.time()
        if self.errors is not None:
            self._tell_end()
        self.keeper.on_end(self)
        self._notify()

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


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Let the loop have one turn: a restart without a delay must not keep the others waiting."""
    yield


def _no_restart() -> None:
    return None
