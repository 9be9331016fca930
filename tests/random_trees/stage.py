"""Plays a scenario in virtual time, and writes down what happened: the record that is judged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Performance,
    PermanentError,
    PlayerStatus,
    restarting,
)
from orchestra._root import Root
from orchestra.events import Event
from orchestra.testing import VirtualLoop

from .scenario import (
    Action,
    Add,
    Again,
    Call,
    Cancel,
    CancelTask,
    Group,
    Halt,
    Leaf,
    Look,
    Node,
    Remove,
    Restart,
    Run,
    Scenario,
    Start,
    Stop,
    delays_of,
    join,
    split,
)

THE_END = 40.0
"""When a scenario that has not ended by itself is told to."""

LONG = 1000.0
"""Longer than any stop may take."""

STORM = 20_000
"""More than so many events are a loop that does not end."""


class Boom(Exception):
    """What players fail with."""


class Fatal(PermanentError):
    """What players fail with that must not be restarted."""


class Uninvited(asyncio.CancelledError):
    """A cancellation that nobody asked for."""


# The record


@dataclass(eq=False)
class Played:
    """One run of a player, as the player knows it."""

    path: str
    actor: Actor
    script: Run
    ctx: Context
    task: asyncio.Task[Any] | None
    began: float
    asked: float | None = None
    remaining: float | None = None  # seconds that it was given, as it was asked
    cuts: list[Cut] = field(default_factory=list)
    error: BaseException | None = None  # what it failed with
    ended: float | None = None
    was_asked: bool = False  # its context was done before it ended

    def __repr__(self) -> str:
        return f"<run of {self.path} began {self.began:g}>"


@dataclass(frozen=True)
class Cut:
    """A cancellation that a run got."""

    time: float
    done: bool
    remaining: float | None


@dataclass(frozen=True)
class Entry:
    """Something that happened."""

    time: float


@dataclass(frozen=True)
class Told(Entry):
    """The library told of an event."""

    event: Event


@dataclass(frozen=True)
class Began(Entry):
    run: Played


@dataclass(frozen=True)
class Ended(Entry):
    run: Played


@dataclass(frozen=True)
class Called(Entry):
    """A method was called; `known`: there was such a player."""

    action: Action
    known: bool = True


@dataclass(frozen=True)
class Returned(Entry):
    action: Action
    error: BaseException | None = None
    known: bool = True


@dataclass(frozen=True)
class Added(Entry):
    path: str
    node: Node


@dataclass(frozen=True)
class Removed(Entry):
    path: str


@dataclass(frozen=True)
class Seen(Entry):
    """A snapshot, and the names that each group had at that moment."""

    status: PlayerStatus
    names: dict[str, list[str]]


@dataclass(frozen=True)
class Over(Entry):
    """All is over."""

    error: BaseException | None


@dataclass
class Record:
    """All that happened, in order."""

    scenario: Scenario
    entries: list[Entry] = field(default_factory=list)
    runs: list[Played] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lost: list[BaseException] = field(default_factory=list)  # told to the standard logger only
    over: Over | None = None
    open: list[Played] = field(default_factory=list)  # runs that went on at the end
    faults: list[str] = field(default_factory=list)  # what was wrong already while it played

    def told(self) -> Iterator[tuple[int, Event]]:
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Told):
                yield index, entry.event


# The players


class Actor:
    """A player that does what its leaf says."""

    def __init__(self, stage: Stage, leaf: Leaf) -> None:
        self._stage = stage
        self.leaf = leaf
        self.signals_ready = leaf.ready is not None
        self.start_timeout = leaf.start_timeout
        self.watchdog = leaf.watchdog
        self._number = 0
        if leaf.backoff is not None:
            self.backoff = lambda: delays_of(leaf.backoff)

    async def play(self, ctx: Context) -> None:
        stage, leaf = self._stage, self.leaf
        script = leaf.runs[min(self._number, len(leaf.runs) - 1)]
        self._number += 1
        run = Played(ctx.path, self, script, ctx, asyncio.current_task(), stage.time())
        stage.begin(run)
        timers = Timers()
        if leaf.watchdog is not None:
            until = math.inf if stage.tame else run.began + script.beats
            self._beat(run, timers, leaf.watchdog / 2, until)
        try:
            if stage.tame:
                ctx.ready()
                await ctx.wait()
            else:
                if leaf.ready is not None and leaf.ready < math.inf:
                    timers.later(leaf.ready, ctx.ready)
                await self._play(run, timers)
        except BaseException as error:
            if isinstance(error, Uninvited) or not isinstance(error, asyncio.CancelledError):
                run.error = error
            raise
        finally:
            timers.stop()
            stage.end(run)

    def _beat(self, run: Played, timers: Timers, every: float, until: float) -> None:
        if self._stage.time() <= until:
            run.ctx.heartbeat()
            timers.later(every, self._beat, run, timers, every, until)

    async def _play(self, run: Played, timers: Timers) -> None:
        script, time = run.script, self._stage.time
        try:
            if await run.ctx.sleep(script.after):
                self._end(run)
                return
            run.asked, run.remaining = time(), run.ctx.remaining()
            await asyncio.sleep(script.stop) if script.stop < math.inf else await forever()
            if script.fails_stopping:
                raise Boom(f"{run.path} while it stopped")
        except Uninvited:
            raise
        except asyncio.CancelledError:
            run.cuts.append(Cut(time(), run.ctx.done(), run.ctx.remaining()))
            if script.on_cut == "heed":
                raise
            if script.on_cut == "fail":
                raise Boom(f"{run.path} when it was cut off") from None
            await self._swallow(run, time() + script.swallows)
            if script.fails_late:
                raise Boom(f"{run.path} after it swallowed its cancellation") from None

    async def _swallow(self, run: Played, until: float) -> None:
        time, released = self._stage.time, self._stage.released
        while time() < until and not released.done():
            try:
                left = None if until == math.inf else until - time()
                await asyncio.wait([released], timeout=left)
            except asyncio.CancelledError:
                run.cuts.append(Cut(time(), run.ctx.done(), run.ctx.remaining()))

    def _end(self, run: Played) -> None:
        path = run.path
        match run.script.then:
            case "fail":
                raise Boom(path)
            case "permanent":
                raise Fatal(path)
            case "exit":
                raise SystemExit(path)
            case "interrupt":
                raise KeyboardInterrupt(path)
            case "cancel":
                raise Uninvited(path)
            case "group":
                raise ExceptionGroup(path, [Boom("one"), Boom("two")])
            case "base group":
                raise BaseExceptionGroup(path, [SystemExit(3)])


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


class Timers:
    """The timers of one run, which end with it."""

    def __init__(self) -> None:
        self._handles: list[asyncio.TimerHandle] = []

    def later(self, delay: float, call: Callable[..., object], *args: Any) -> None:
        loop = asyncio.get_running_loop()
        self._handles = [one for one in self._handles if one.when() >= loop.time()]
        self._handles.append(loop.call_later(delay, call, *args))

    def stop(self) -> None:
        for handle in self._handles:
            handle.cancel()


class Lines:
    """The logger of the root, and of all groups below it."""

    def __init__(self, record: Record) -> None:
        self._lines = record.lines

    def info(self, msg: str, **attrs: object) -> None:
        self._lines.append((msg, attrs))

    def error(self, msg: str, **attrs: object) -> None:
        self._lines.append((msg, attrs))

    def with_group(self, name: str) -> Lines:
        return self


class Lost(logging.Handler):
    """What the library tells the standard logger, for want of a better place."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and isinstance(record.exc_info[1], BaseException):
            self._record.lost.append(record.exc_info[1])


# The play


def play(scenario: Scenario, *, observed: bool = True) -> Record:
    """Play a scenario to its end."""
    record = Record(scenario)
    stage = Stage(record, observed)
    logger, handler = logging.getLogger("orchestra"), Lost(record)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    loop = VirtualLoop(patience=0.01)
    try:
        with stage.observing_from_the_first_moment():
            loop.run_until_complete(stage.play())
    except RuntimeError as error:
        record.faults.append(f"{loop.time():g}: {error}")
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
    finally:
        loop.close()
        logger.removeHandler(handler)
        logger.propagate = propagates
    return record


class Stage:
    """Where one scenario is played."""

    def __init__(self, record: Record, observed: bool) -> None:
        self._record = record
        self._observed = observed
        self.tame = False
        self._wrapped: list[tuple[object, Conductor]] = []
        self._calls: list[asyncio.Task[None]] = []
        self._root = self._conductor(record.scenario.tree, [])

    def time(self) -> float:
        return self._loop.time()

    def note(self, entry: Entry) -> None:
        self._record.entries.append(entry)

    def fault(self, text: str) -> None:
        self._record.faults.append(f"{self.time():g}: {text}")

    # Building

    def _player(self, node: Node, above: list[Conductor]) -> Any:
        if isinstance(node, Again):
            return above[-min(node.levels, len(above))]
        if isinstance(node, Group):
            return self._coming_back(self._conductor(node, above), node)
        return self._coming_back(Actor(self, node), node)

    def _coming_back(self, player: Any, node: Leaf | Group) -> Any:
        """The player, in what restarts it after a good end where its node says so."""
        delays = delays_of(node.backoff)
        if node.always and delays is not None:
            wrapped = restarting(player, delays, on="always")
            if isinstance(player, Conductor):
                self._wrapped.append((wrapped, player))
            return wrapped
        return player

    def _conductor(self, group: Group, above: list[Conductor]) -> Conductor:
        # Before its players, since it may be one of them, or of those below.
        conductor = object.__new__(Conductor)
        players = {
            name: self._player(node, [*above, conductor]) for name, node in group.players.items()
        }
        Conductor.__init__(
            conductor,
            players,
            timeout=group.timeout,
            ordered=group.ordered,
            after=group.after,
            backoff=delays_of(group.backoff),
            stop_when=group.stop_when,
            logger=None if above else Lines(self._record),
        )
        if group.start_timeout is not None:
            conductor.start_timeout = group.start_timeout  # type: ignore[attr-defined]
        return conductor

    def _inner(self, player: object) -> Conductor | None:
        """The conductor that a player is."""
        if isinstance(player, Conductor):
            return player
        return next((inner for wrapped, inner in self._wrapped if wrapped is player), None)

    def _find(self, path: str) -> list[Conductor] | None:
        """The conductors from the root to the one at this path; None if there is none."""
        found = [self._root]
        for name in path.split(".") if path else ():
            conductor = self._inner(found[-1].players.get(name))
            if conductor is None or conductor in found:
                return None
            found.append(conductor)
        return found

    def _groups(
        self,
        conductor: Conductor,
        path: str = "",
        above: tuple[Conductor, ...] = (),
        *,
        idle: bool = True,
    ) -> Iterator[tuple[str, Conductor, dict[str, Conductor | None]]]:
        """Each group with its path and players: a conductor, or None for a leaf.

        Without those that are met again, and without the idle ones if so asked.
        """
        above = (*above, conductor)
        inner = {name: self._inner(player) for name, player in conductor.players.items()}
        first = {
            name: one
            for name, one in inner.items()
            if (one is None or one not in above) and (idle or name not in conductor.idle)
        }
        yield path, conductor, first
        for name, one in first.items():
            if one is not None:
                yield from self._groups(one, join(path, name), above, idle=idle)

    # Playing

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._loop = loop
        self.released: asyncio.Future[None] = self._loop.create_future()
        self._loop.set_exception_handler(
            lambda _, context: self.fault(f"the loop complains: {context}")
        )
        self._ctx = Context()
        self._begin_to_play()
        await asyncio.sleep(0)
        self._performance = self._performance or self._ctx.performance
        timers = [
            self._loop.call_at(action.at, self._act, action)
            for action in self._record.scenario.actions
        ]
        await asyncio.wait([self._task], timeout=THE_END)
        for timer in timers:
            timer.cancel()
        if not self._task.done():
            self._act(Cancel(THE_END))
            await asyncio.wait([self._task], timeout=LONG)
        if await self._check_the_end():
            await self._play_again()
            await self._check_what_is_left()

    @contextlib.contextmanager
    def observing_from_the_first_moment(self) -> Iterator[None]:
        """A performance over a bare context is there to be observed only when it has begun."""
        over = Performance.over

        def observed(ctx: Context) -> Performance:
            performance = over(ctx)
            if self._observed and not self.tame:
                performance.subscribe(self._observe)
            return performance

        with mock.patch.object(Performance, "over", observed):
            yield

    def _begin_to_play(self) -> None:
        self._performance: Performance | None = None
        if self._record.scenario.supervised:
            observers = [self._observe] if self._observed else []
            player = self._coming_back(self._root, self._record.scenario.tree)
            root = Root(player, timeout=9.0, ctx=self._ctx, observers=observers)
            self._performance = root.performance
            self._task = self._loop.create_task(root.play(), name="all")
        else:
            self._task = self._loop.create_task(self._root.play(self._ctx), name="all")

    def _observe(self, event: Event) -> None:
        if event.time != self._loop.wall_time():
            self.fault(f"the time of {event} is not now")
        self.note(Told(self.time(), event))
        self._stop_a_storm()

    def _stop_a_storm(self) -> None:
        if len(self._record.entries) > STORM:
            self._loop.stop()

    def begin(self, run: Played) -> None:
        for other in self._record.runs:
            if other.actor is run.actor and other.ended is None:
                self.fault(f"{run.path} was started while its run of {other.began:g} goes on")
        self._record.runs.append(run)
        self.note(Began(self.time(), run))

    def end(self, run: Played) -> None:
        run.ended = self.time()
        run.was_asked = run.ctx.done()
        self.note(Ended(self.time(), run))

    # Acting

    def _act(self, action: Action) -> None:
        if self._task.done():
            return
        match action:
            case Remove() | Restart() | Halt() | Start():
                call = self._loop.create_task(self._call(action), name=f"{action}")
                self._calls.append(call)
            case Add():
                self._add(action, action.path, action.node)
            case Look():
                self._look()
            case _:
                self.note(Called(self.time(), action))
                self._stop(action)

    def _stop(self, action: Action) -> None:
        match action:
            case Cancel():
                self._ctx.cancel("cancelled", within=action.within)
            case CancelTask():
                self._task.cancel()
            case Stop() if self._performance is not None:
                self._performance.stop("stopped")

    def _add(self, action: Action, path: str, node: Node) -> None:
        above, name = split(path)
        conductors = self._find(above)
        if conductors is None:
            return
        known = name in conductors[-1].players
        player = self._player(node, conductors)
        self.note(Called(self.time(), action, known))
        # What it will be, for the events that come before `add` returns.
        self.note(Added(self.time(), path, node))
        try:
            conductors[-1].add(name, player)
        except Exception as error:
            self._record.entries.pop()
            self.note(Returned(self.time(), action, error, known))
        else:
            self.note(Returned(self.time(), action, None, known))

    async def _call(self, action: Call) -> None:
        above, name = split(action.path)
        conductors = self._find(above)
        if conductors is None:
            return
        conductor = conductors[-1]
        player = conductor.players.get(name)
        known = player is not None and self._plays(action)
        self.note(Called(self.time(), action, known))
        task = asyncio.current_task()
        assert task is not None
        timer = None
        if action.patience < math.inf:
            timer = self._loop.call_later(action.patience, task.cancel)
        error: BaseException | None = None
        try:
            await self._does(action, conductor, name)
        except BaseException as caught:
            error = caught
        if timer is not None:
            timer.cancel()
        # Somebody else may have removed it in the meantime, and have added another.
        is_it = conductor.players.get(name, player) is player
        if isinstance(action, Remove) and known and is_it:
            self.note(Removed(self.time(), action.path))
        self.note(Returned(self.time(), action, error, known))
        if isinstance(action, Remove) and action.then is not None and known:
            self._add(Add(self.time(), action.path, action.then), action.path, action.then)

    def _plays(self, action: Call) -> bool:
        """Whether a stop by path finds the player: only those have one that play in a group that does."""
        if not isinstance(action, Halt) or not action.by_path or self._performance is None:
            return True
        try:
            self._performance.find(action.path)
        except KeyError:
            return False
        return True

    async def _does(self, action: Call, conductor: Conductor, name: str) -> None:
        performance = self._performance
        by_path = not isinstance(action, Remove) and action.by_path and performance is not None
        match action:
            case Remove():
                await conductor.remove(name)
            case Restart():
                await (performance.restart(action.path) if by_path else conductor.restart(name))
            case Halt():
                await (performance.stop_player(action.path) if by_path else conductor.stop(name))
            case Start():
                await (performance.start(action.path) if by_path else conductor.start(name))

    def _look(self) -> None:
        if self._performance is None:
            return
        try:
            status = self._root.status()
            if status != self._performance.status() and self._performance.groups:
                self.fault("the statuses of the conductor and of the performance differ")
            status.to_dict()
            str(status)
        except Exception as error:
            self.fault(f"status raised {error!r}")
        else:
            names = {path: list(group.players) for path, group, _ in self._groups(self._root)}
            self.note(Seen(self.time(), status, names))

    # At the end

    async def _check_the_end(self) -> bool:
        record = self._record
        if not self._task.done():
            self.fault("it does not end")
            record.open = [run for run in record.runs if run.ended is None]
            return False
        error: BaseException | None = asyncio.CancelledError()
        if not self._task.cancelled():
            error = self._task.exception()
        record.over = Over(self.time(), error)
        self.note(record.over)
        record.open = [run for run in record.runs if run.ended is None]
        await settle()
        for call in self._calls:
            if not call.done():
                self.fault(f"this has not returned: {call.get_name()}")
        self._check_tasks({run.task for run in record.open})
        self._look()
        return True

    def _check_tasks(self, allowed: set[asyncio.Task[Any] | None]) -> None:
        left = asyncio.all_tasks() - allowed - {asyncio.current_task()} - set(self._calls)
        if left:
            self.fault(f"tasks are left: {[task.get_name() for task in left]}")

    async def _play_again(self) -> None:
        """All of it once more, with well-behaved players."""
        record, self.tame = self._record, True
        before, entries = len(record.runs), len(record.entries)
        ctx = Context()
        task = self._loop.create_task(self._root.play(ctx), name="all once more")
        await asyncio.wait([task], timeout=1.0)
        ended = task.done()
        started = [run.path for run in record.runs[before:]]
        status = self._root.status()
        ctx.cancel("enough")
        await asyncio.wait([task], timeout=LONG)
        del record.entries[entries:]
        runs, record.runs[before:] = record.runs[before:], []
        if not task.done():
            self.fault("played again, it does not end")
            return
        error = task.exception()
        if record.open:
            return
        groups = list(self._groups(self._root, idle=False))
        cut_at_once = isinstance(error, ConductorError) and not error.failures
        cut_at_once &= any(not group.timeout for _, group, _ in groups)
        if error is not None and not cut_at_once:
            self.fault(f"played again, it raises {error!r}")
        leaves = sorted(
            join(path, name) for path, _, inner in groups for name in inner if inner[name] is None
        )
        if any(
            group.idle.intersection(befores)
            for _, group, _ in groups
            for befores in group.after.values()
        ):
            return  # who comes after an idle one waits for it
        if all(group.stop_when == "never" or inner or group.idle for _, group, inner in groups):
            if ended or sorted(started) != leaves or not status.ready:
                self.fault(f"played again, {sorted(started)} started and not {leaves}: {status}")
            if any(run.asked is None and not run.was_asked for run in runs):
                self.fault("played again, not all were asked to stop")

    async def _check_what_is_left(self) -> None:
        self.released.set_result(None)
        await settle()
        self._check_tasks(set())
        timers = [one for one in self._loop._scheduled if not one.cancelled()]
        if timers:
            self.fault(f"timers are left: {timers}")


async def settle() -> None:
    """Let all happen that happens while no time passes."""
    for _ in range(50):
        await asyncio.sleep(0)
