"""Judges the events of each player, by the grammar that `orchestra.events` gives, and the snapshots.

A path goes from state to state with each event; what has no arrow here is against the grammar.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra import PlayerStatus
from orchestra.events import (
    BackingOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
)
from orchestra.status import State

from .scenario import Group, Halt, Node, Remove, Restart, Start, is_below, split, walk
from .stage import Added, Called, Entry, Over, Record, Removed, Returned, Seen, Told

NONE, STARTING, READY, MENDED, WAITING = "none", "starting", "ready", "mended", "waiting"
STOPPING, CUT, ABANDONED, ENDED = "stopping", "cut off", "abandoned", "ended"

ALIVE = (STARTING, READY, STOPPING, CUT)

ARROWS: dict[tuple[str, str], str] = {
    # A player that is asked before it has started, or must not be started, ends at once.
    (NONE, "Started"): STARTING,
    (NONE, "Stopped"): ENDED,
    (NONE, "Failed"): ENDED,
    (NONE, "Mended"): MENDED,
    (STARTING, "Ready"): READY,
    # After each run: the end, or the next run.
    **{(state, "Stopped"): ENDED for state in (STARTING, READY, WAITING, STOPPING, CUT)},
    **{(state, "Failed"): ENDED for state in (STARTING, READY, WAITING, STOPPING, CUT, ABANDONED)},
    **{(state, "Mended"): MENDED for state in (STARTING, READY, WAITING, CUT, ABANDONED)},
    (STARTING, "Skipped"): ENDED,
    (STOPPING, "Skipped"): ENDED,
    (MENDED, "BackingOff"): WAITING,
    **{(state, "BackingOff"): WAITING for state in (STARTING, READY)},  # on="always"
    (WAITING, "Started"): STARTING,
    # Asked to stop; also again, where it was first asked to come back, or has been cut off.
    **{(state, "Stopping"): STOPPING for state in (STARTING, READY, STOPPING)},
    (CUT, "Stopping"): CUT,
    (CUT, "CutOff"): CUT,
    # Cut off: by a guard, or since it did not stop in time.
    **{(state, "CutOff"): CUT for state in (STARTING, READY, STOPPING)},
    (CUT, "Abandoned"): ABANDONED,
    # A failure more: all that went wrong is told of.
    (ENDED, "Failed"): ENDED,
}

BY_RESTART: dict[tuple[str, str], str] = {
    # Only while somebody waits for `restart` or `start`.
    **{
        (state, "Started"): STARTING for state in (STARTING, READY, STOPPING, CUT, ABANDONED, ENDED)
    },
    (STOPPING, "Mended"): MENDED,
    (ENDED, "Mended"): MENDED,
    # It was not its turn yet when the group was told to stop.
    **{(state, "Stopped"): ENDED for state in (ABANDONED, ENDED)},
}

STATUS: dict[str, tuple[State, ...]] = {
    NONE: (State.WAITING,),
    STARTING: (State.STARTING,),
    READY: (State.READY, State.DEGRADED),
    WAITING: (State.BACKING_OFF,),
    STOPPING: (State.STOPPING,),
    CUT: (State.CUT_OFF, State.STOPPING),
    ABANDONED: (State.ABANDONED, State.BACKING_OFF),
    ENDED: (State.STOPPED, State.FAILED, State.SKIPPED, State.ABANDONED),
}

AFTER = {
    "Stopped": (State.STOPPED,),
    "Failed": (State.FAILED, State.ABANDONED),
    "Skipped": (State.SKIPPED,),
}

EVERYTHING_READY = (State.READY, State.STOPPED, State.SKIPPED)


@dataclass
class Life:
    """What is known of a path from the events so far."""

    node: Node
    state: str = NONE
    restarts: int = 0
    has_run: bool = False
    was_ready: bool = False
    last: Event | None = None
    since: float = 0.0
    by_guard: bool = False  # cut off without having been asked
    coming_back: bool = False  # somebody has asked for a restart
    was_to_come_back: bool = False  # and it was stopped before that began
    leaving: bool = False  # it is being removed, or stopped by hand
    idle: bool = False  # only a hand starts it
    removed: bool = False  # it goes on, but whoever removed it has gone


@dataclass(frozen=True)
class Step:
    """An event, and where it led its path from and to."""

    index: int  # of its entry
    time: float
    event: Event
    name: str
    before: str
    after: str
    node: Node
    restarted: bool  # by `restart`, at the moment or soon
    by_guard: bool  # it was cut off by a guard, before it was asked

    @property
    def path(self) -> str:
        return self.event.path


def word(event: Event) -> str:
    if isinstance(event, Failed):
        return "Failed" if event.final else "Mended"
    return type(event).__name__


def was_not_started(event: Event) -> bool:
    """Whether it fails since an earlier run of it still goes on."""
    return isinstance(event, Failed) and "not started" in str(event.error)


class Grammar:
    """Reads the record from the start to the end; `faults` says what is wrong in it."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.lives: dict[str, Life] = {}
        self.steps: list[Step] = []
        self._index = 0
        self._is_over = False
        self._take_in("", record.scenario.tree)
        self.faults = list(self._read())

    def _take_in(self, path: str, node: Node) -> None:
        for below, one in walk(node, path):
            self.lives[below] = Life(one)

    def _read(self) -> Iterator[str]:
        for index, entry in enumerate(self._record.entries):
            self._index = index
            for fault in self._step(entry):
                yield f"{entry.time:g} (entry {index}): {fault}"

    def _step(self, entry: Entry) -> Iterator[str]:
        match entry:
            case Told(event=event):
                yield from self._on_event(event, entry.time)
            case Called(action=Restart(path=path) | Start(path=path) as action):
                if path in self.lives:
                    self._is_to_come_back(self.lives[path], action)
            case Called(action=Remove(path=path)) if path in self.lives:
                self.lives[path].leaving = True
            case Called(action=Halt(path=path), known=True) if path in self.lives:
                self.lives[path].leaving = self.lives[path].idle = True
            case Returned(action=Restart(path=path) | Start(path=path), error=error):
                # It comes back also where whoever waited for it has gone.
                if path in self.lives and not isinstance(error, asyncio.CancelledError):
                    self._comes_back_no_more(self.lives[path])
            case Added(path=path, node=node):
                alive = list(self._alive(path))
                self._take_in(path, node)
                if alive:
                    yield f"{path} was added while {alive} go on there"
            case Removed(path=path):
                self._remove(path)
            case Seen(status=status, names=names):
                yield from self._on_snapshot(status, names)
            case Over():
                self._is_over = True
                alive = [
                    path for path in self._alive("") if path or self._record.scenario.supervised
                ]
                if alive:
                    yield f"all is over, but not {alive}"

    def _alive(self, top: str) -> list[str]:
        return [
            path
            for path, life in self.lives.items()
            if (path == top or is_below(path, top)) and life.state in (*ALIVE, MENDED, WAITING)
        ]

    def _remove(self, top: str) -> None:
        gone = not self._alive(top)
        for path in [path for path in self.lives if path == top or is_below(path, top)]:
            if gone:
                del self.lives[path]
            else:
                self.lives[path].removed = True

    def _is_to_come_back(self, life: Life, action: Restart | Start) -> None:
        if isinstance(action, Start) and life.state in (*ALIVE, MENDED):
            return  # left alone
        life.coming_back = True

    def _comes_back_no_more(self, life: Life) -> None:
        if life.coming_back:
            life.coming_back, life.was_to_come_back = False, True

    # Events

    def _on_event(self, event: Event, now: float) -> Iterator[str]:
        path, name = event.path, word(event)
        life = self.lives.get(path)
        if life is None:
            yield f"{path!r} is nobody's path: {event}"
            return
        before = life.state
        after = ARROWS.get((before, name))
        restarted = after is None and life.coming_back
        if restarted:
            after = BY_RESTART.get((before, name))
        if after is None:
            yield f"{path}: {name} is no event for one that is {before} (the last was {life.last})"
            after = before
        if (
            name == "Failed"
            and before == ENDED
            and not (isinstance(life.last, Failed) and life.since == now)
        ):
            yield f"{path}: {event} long after its end"
        if life.last is not None and life.last.time > event.time:
            yield f"{path}: {event} comes after {life.last}"
        if life.coming_back and before in (ABANDONED, ENDED) and was_not_started(event):
            # The restart by hand that this is the failure of.
            life.restarts += 1
            life.coming_back = False
        yield from self._check_numbers(life, event, restarted)
        yield from self._check_group(life, event, after)
        restarted = restarted or life.coming_back
        by_guard = life.by_guard or (name == "CutOff" and before in (STARTING, READY))
        self.steps.append(
            Step(self._index, now, event, name, before, after, life.node, restarted, by_guard)
        )
        self._go(life, event, after, now)

    def _go(self, life: Life, event: Event, after: str, now: float) -> None:
        if after == CUT and life.state in (STARTING, READY):
            life.by_guard = True
        elif after in (STARTING, ENDED, WAITING):
            life.by_guard = False
        if isinstance(event, Ready):
            life.was_ready = True
        if isinstance(event, Started):
            life.coming_back = life.leaving = life.idle = False
            life.has_run = True
        elif after == ENDED:
            self._comes_back_no_more(life)
        if isinstance(event, Started):
            for path, other in list(self.lives.items()):
                if is_below(path, event.path) and other.removed:
                    del self.lives[path]
                elif is_below(path, event.path):
                    self.lives[path] = Life(other.node, idle=other.idle)
        life.state, life.last, life.since = after, event, now
        if life.removed and after == ENDED:
            self._remove(event.path)

    def _check_numbers(self, life: Life, event: Event, restarted: bool) -> Iterator[str]:
        match event:
            case BackingOff(restarts=restarts):
                life.restarts += 1
                if restarts != life.restarts:
                    yield f"{event.path}: {event}, and not restart {life.restarts}"
                last = life.last
                error = last.error if life.state == MENDED and isinstance(last, Failed) else None
                if event.error is not error:
                    yield f"{event.path}: {event} after {life.last}"
                if life.state == MENDED and life.last is not None and life.last.time != event.time:
                    yield f"{event.path}: {event} at another moment than {life.last}"
            case Started(restarts=restarts):
                life.restarts += restarted and life.has_run
                if restarts != life.restarts:
                    yield f"{event.path}: {event}, and not restart {life.restarts}"
            case Failed(restarts=restarts):
                if restarts not in (life.restarts, life.restarts + (not event.final)):
                    yield f"{event.path}: {event}, and not after restart {life.restarts}"

    def _check_group(self, life: Life, event: Event, after: str) -> Iterator[str]:
        path = event.path
        if not isinstance(life.node, Group):
            return
        alive = [one for one in self._alive(path) if one != path]
        if alive and (after in (STARTING, MENDED, WAITING, ENDED)) and after != life.state:
            yield f"{path}: {event}, while {alive} go on"
        if isinstance(event, Ready):
            unready = [
                one
                for one in self._children(path)
                if not self.lives[one].was_ready
                and not isinstance(self.lives[one].last, Stopped | Skipped)
                and not self.lives[one].idle
                and not (self.lives[one].leaving and self.lives[one].state in (ENDED, ABANDONED))
            ]
            if unready:
                yield f"{path}: ready, while {unready} have not been"

    def _children(self, path: str) -> Iterator[str]:
        for one in self.lives:
            if is_below(one, path) and "." not in one[len(path) + bool(path) :]:
                yield one

    # Snapshots

    def _on_snapshot(self, status: PlayerStatus, names: dict[str, list[str]]) -> Iterator[str]:
        for one in status.walk():
            yield from self._check_status(one, status is one)
            known = names.get(one.path)
            shown = list(one.players.keys())
            if (
                known is not None
                and self._plays(one.path)
                and shown != [name for name in known if name in shown]
            ):
                yield f"the status of {one.path!r} has {shown}, and not in the order of {known}"

    def _plays(self, path: str) -> bool:
        """Whether the group at this path, and all above it, play."""
        while path:
            if path in self.lives and self.lives[path].state not in ALIVE:
                return False
            path, _ = split(path)
        if not self._record.scenario.supervised:
            return not self._is_over
        return self.lives[""].state in ALIVE

    def _check_status(self, one: PlayerStatus, is_top: bool) -> Iterator[str]:
        if is_top and not self._record.scenario.supervised:
            return
        life = self.lives.get(one.path)
        if life is not None and life.state == NONE and not self._plays(split(one.path)[0]):
            return  # it was taken in by a group that does not play, which shows its last performance
        if life is None and not self._plays(split(one.path)[0]):
            return  # the same, of one that was removed
        if life is None:
            yield f"the status shows {one.path!r}, which is nobody"
            return
        allowed = list(STATUS.get(life.state, ()))
        if life.state == NONE and life.idle:
            allowed = [State.STOPPED]
        if life.state == READY and isinstance(life.node, Group):
            allowed.append(State.STOPPING)
        if life.state in (STOPPING, CUT, STARTING, READY) and life.coming_back:
            allowed.append(State.BACKING_OFF)  # for a turn of the loop
        if life.state in (ENDED, WAITING) and life.coming_back:
            allowed.append(State.WAITING)
        if life.state == ENDED:
            allowed = [*AFTER[word(life.last)], *allowed[4:]] if life.last is not None else []
        if one.state not in allowed:
            yield f"the status of {one.path} says {one.state}, the events {life.state} ({life.last})"
        if one.ready != (one.state in (State.READY, State.DEGRADED)):
            yield f"the status of {one.path} says {one.state} and ready={one.ready}"
        is_counted = life.coming_back or life.was_to_come_back
        if one.restarts not in (life.restarts, life.restarts + is_counted):
            yield f"the status of {one.path} says {one.restarts} restarts, the events {life.restarts}"
        if one.state is State.READY and any(
            not (player.ready or player.state in EVERYTHING_READY) for player in one.players
        ):
            yield f"the status of {one.path} is ready, and not all of its players: {one}"
