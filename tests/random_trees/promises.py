"""Judges how it went: who is asked when, what is cut off, how long it takes, and in which order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra import OrchestraError, PermanentError
from orchestra.events import BackingOff, Started

from .grammar import ALIVE, CUT, ENDED, MENDED, STOPPING, WAITING, Grammar, Step
from .scenario import (
    Add,
    Call,
    Cancel,
    CancelTask,
    Group,
    Halt,
    Leaf,
    Node,
    Remove,
    Restart,
    Start,
    Stop,
    delays_of,
    is_below,
    split,
    walk,
)
from .stage import Added, Began, Called, Played, Record, Removed, Returned, Told

EPSILON = 1e-6

TENTH = 1.1
NESTED = 0.85
"""What a nested group has of the time that its parent has left."""


def promises(record: Record, grammar: Grammar) -> list[str]:
    return list(Promises(record, grammar.steps).faults())


@dataclass
class Spell:
    """One run of a group, from its start to its end."""

    path: str
    group: Group
    start: int
    began: float
    end: int
    ended: float
    steps: list[Step]  # of its own players


class Promises:
    def __init__(self, record: Record, steps: list[Step]) -> None:
        self._record = record
        self._steps = steps
        self._spells = list(self._all_spells())
        self._stop = {id(spell): self._stop_of(spell) for spell in self._spells}

    def faults(self) -> Iterator[str]:
        yield from self._the_bound_held()
        for spell in self._spells:
            for fault in self._judge_spell(spell):
                yield f"{spell.path!r} from {spell.began:g} to {spell.ended:g}: {fault}"
        for run in self._record.runs:
            for fault in self._judge_run(run):
                yield f"{run.path} of {run.began:g}: {fault}"
        yield from self._backoffs_are_kept()
        yield from self._calls_return()

    # The whole

    def _stops(self) -> Iterator[tuple[int, float, float]]:
        """When all of it was told to stop, and when it is over at the latest."""
        timeout = self._record.scenario.tree.timeout
        for index, entry in enumerate(self._record.entries):
            match entry:
                case Called(time=time, action=Stop() | Cancel(within=None)):
                    yield index, time, time + timeout * TENTH
                case Called(time=time, action=Cancel(within=float(within))):
                    yield index, time, time + min(timeout * TENTH, within)
                case Called(time=time, action=CancelTask()):
                    yield index, time, time + timeout * (TENTH - 1)

    def _the_bound_held(self) -> Iterator[str]:
        assert self._record.over is not None
        for _, asked, limit in self._stops():
            if self._record.over.time > limit + EPSILON:
                yield f"asked at {asked:g}, it ended at {self._record.over.time:g}, not by {limit:g}"

    # Groups

    def _all_spells(self) -> Iterator[Spell]:
        over = self._record.over
        assert over is not None
        tree = self._record.scenario.tree
        length = len(self._record.entries)
        open_: dict[str, tuple[Group, int, float]] = {}
        if not self._record.scenario.supervised:
            yield self._spell("", tree, -1, 0.0, length, over.time)
        for step in self._steps:
            if not isinstance(step.node, Group):
                continue
            if step.after in (ENDED, MENDED, WAITING) or step.name == "Started":
                begun = open_.pop(step.path, None)
                if begun is not None:
                    group, start, began = begun
                    yield self._spell(step.path, group, start, began, step.index, step.time)
            if step.name == "Started":
                open_[step.path] = (step.node, step.index, step.time)

    def _spell(
        self, path: str, group: Group, start: int, began: float, end: int, ended: float
    ) -> Spell:
        steps = [
            step
            for step in self._steps
            if start < step.index < end and step.path and split(step.path)[0] == path
        ]
        return Spell(path, group, start, began, end, ended, steps)

    def _judge_spell(self, spell: Spell) -> Iterator[str]:
        stop = self._stop[id(spell)]
        if stop is not None:
            index, time, why = stop
            if spell.ended > time + spell.group.timeout * TENTH + EPSILON:
                yield f"it stopped at {time:g} ({why}), and ended too late"
            for step in spell.steps:
                late = step.name == "Started" and step.index > index
                if late and not self._may_start_late(spell, step):
                    yield f"it stopped at {time:g} ({why}), and then {step.event}"
            if not spell.group.ordered and not spell.group.after:
                yield from self._all_were_asked(spell, index, time)
        yield from self._ends_in_time(spell, stop)
        yield from self._goes_on_for_somebody(spell, stop)
        if spell.group.ordered or spell.group.after:
            yield from self._in_order(spell, stop)

    def _may_start_late(self, spell: Spell, step: Step) -> bool:
        """Whether it may begin a run though its group has begun to stop."""
        cuts = [
            other.time
            for other in self._steps
            if spell.start < other.index < step.index and other.name == "CutOff"
            if other.path == spell.path or is_below(spell.path, other.path)
        ]
        cancelled = [
            entry.time
            for entry in self._record.entries[: step.index]
            if isinstance(entry, Called) and isinstance(entry.action, CancelTask)
        ]
        # A group hears of its cancellation in one of the next turns of the loop.
        if any(time < step.time for time in (*cuts, *cancelled)):
            return False
        # In an order those that stop may need one before them to come back, whose turn has not come.
        comes_back = step.event.restarts > 0  # type: ignore[attr-defined]
        return bool(cancelled) or (comes_back and bool(spell.group.ordered or spell.group.after))

    def _stop_of(self, spell: Spell) -> tuple[int, float, str] | None:
        """When it began to stop, and why; None if it did not."""
        found: list[tuple[int, float, str]] = []
        if spell.path or self._record.scenario.supervised:
            found += [
                (step.index, step.time, step.name)
                for step in self._steps
                if step.path == spell.path
                and spell.start < step.index < spell.end
                and step.name in ("Stopping", "CutOff")
            ]
        else:
            found += [(index, time, "asked") for index, time, _ in self._stops()]
        for step in spell.steps:
            if self._removals(step.path, step.index):
                continue
            if step.name == "Failed":
                found.append((step.index, step.time, f"{step.path} failed"))
            if step.name == "Stopped" and spell.group.stop_when == "any":
                found.append((step.index, step.time, f"{step.path} ended"))
        return min(found, default=None)

    def _removals(self, path: str, index: int) -> bool:
        """Whether the player at this path is ended by hand, also where whoever did it gave up."""
        known = False
        for entry in self._record.entries[:index]:
            match entry:
                case Called(action=Remove(path=other) | Halt(path=other), known=True):
                    known = known or other == path
                case Added(path=other) if other == path:
                    known = False
                case Told(event=Started(path=other)) if other == path:
                    known = False
        return known

    def _all_were_asked(self, spell: Spell, index: int, time: float) -> Iterator[str]:
        states: dict[str, str] = {}
        asked: dict[str, float] = {}
        ended: dict[str, float] = {}
        for step in spell.steps:
            if step.index <= index:
                states[step.path] = step.after
            if step.name == "Started":
                asked.pop(step.path, None)
                ended.pop(step.path, None)
            elif step.name == "Stopping":
                asked.setdefault(step.path, step.time)
            if step.after == ENDED or step.name == "Abandoned":
                ended[step.path] = step.time
        for path, state in states.items():
            if state in (*ALIVE, WAITING) and not (
                asked.get(path, math.inf) <= time + EPSILON
                or ended.get(path, math.inf) <= time + EPSILON
            ):
                yield f"it stopped at {time:g}, and {path} was asked at {asked.get(path)}"

    def _ends_in_time(self, spell: Spell, stop: tuple[int, float, str] | None) -> Iterator[str]:
        ends = [
            step.time for step in spell.steps if step.after == ENDED or step.name == "Abandoned"
        ]
        ends += [
            entry.time
            for entry in self._record.entries[max(0, spell.start) : max(0, spell.end)]
            if isinstance(entry, Removed) and split(entry.path)[0] == spell.path
        ]
        last = max([spell.began, *ends, *([] if stop is None else [stop[1]])])
        if spell.ended > last + EPSILON:
            yield f"its last player ended at {last:g}"
        if stop is not None or self._stops_above(spell.path, spell.end):
            return
        if spell.group.stop_when == "never":
            yield "it ended by itself"
        begun = {step.path for step in spell.steps}
        if not all(
            path in begun or self._was_removed(path, spell) for path in self._paths_of(spell)
        ):
            yield f"it ended by itself, and only {sorted(begun)} had played"

    def _goes_on_for_somebody(
        self, spell: Spell, stop: tuple[int, float, str] | None
    ) -> Iterator[str]:
        """A group without anybody who plays or may still play ends."""
        if spell.group.stop_when == "never":
            return
        left = dict.fromkeys(self._paths_of(spell), True)  # and whether it has not ended
        for path in self._added_before(spell):
            left[path] = True
        idle = self._idle_at(spell.start, spell.path)
        ends = {step.index: step for step in spell.steps}
        over = spell.ended if stop is None else stop[1]
        since = spell.began
        for index, entry in enumerate(self._record.entries[: max(0, spell.end)]):
            if index <= spell.start:
                continue
            if not any(left.values()) and not idle and min(entry.time, over) > since + EPSILON:
                yield f"it goes on at {entry.time:g}, and its last player ended at {since:g}"
                return
            since = entry.time
            match entry:
                case Called(action=Halt(path=path), known=True) if path in left:
                    idle.add(path)
                case Called(action=Restart(path=path) | Start(path=path)) if path in left:
                    left[path] = True  # and idle until it is: it may be refused
                case Added(path=path) if split(path)[0] == spell.path:
                    left[path] = True
                case Removed(path=path):
                    left.pop(path, None)
                    idle.discard(path)
                case Told() if index in ends:
                    step = ends[index]
                    left[step.path] = not (step.after == ENDED or step.name == "Abandoned")
                    if step.name == "Started":
                        idle.discard(step.path)

    def _added_before(self, spell: Spell) -> set[str]:
        """Those that are in the group though they were not at first."""
        found: set[str] = set()
        for entry in self._record.entries[: max(0, spell.start)]:
            match entry:
                case Added(path=path) if split(path)[0] == spell.path:
                    found.add(path)
                case Removed(path=path):
                    found.discard(path)
        return found

    def _stops_above(self, path: str, index: int) -> bool:
        """Whether this was asked to stop by what is above, even if no event has told of it."""
        for entry in self._record.entries[: max(0, index)]:
            match entry:
                case Called(action=Stop() | Cancel() | CancelTask()):
                    return True
                case Called(action=Remove(path=other) | Restart(path=other) | Halt(path=other)):
                    if other == path or is_below(path, other):
                        return True
        for spell in self._spells:
            stop = self._stop[id(spell)]
            within = is_below(path, spell.path) and spell.start < index <= spell.end
            if within and stop is not None and stop[0] < index:
                return True
        return False

    def _stops_now(self, step: Step) -> bool:
        """Whether a group above began to stop in this moment, and has not asked it yet."""
        told = any(index < step.index and time == step.time for index, time, _ in self._stops())
        return told or any(
            stop is not None and stop[0] < step.index and stop[1] == step.time
            for spell in self._spells
            for stop in [self._stop[id(spell)]]
            if is_below(step.path, spell.path) and spell.start < step.index <= spell.end
        )

    def _paths_of(self, spell: Spell) -> list[str]:
        return [f"{spell.path}.{name}".lstrip(".") for name in spell.group.players]

    def _was_removed(self, path: str, spell: Spell) -> bool:
        return any(
            isinstance(entry, Called)
            and isinstance(entry.action, Remove)
            and entry.action.path == path
            for entry in self._record.entries[: max(spell.end, 0)]
        )

    # Groups with an order

    def _in_order(self, spell: Spell, stop: tuple[int, float, str] | None) -> Iterator[str]:
        before = self._befores(spell)
        settled: set[str] = set()
        begun: set[str] = set()
        alive: set[str] = set()
        for step in spell.steps:
            name = split(step.path)[1]
            if step.name == "Started" and name not in begun:
                begun.add(name)
                missing = before.get(name, set()) - settled
                if missing:
                    yield f"{step.path} was started before {missing} were ready"
            if step.name in ("Ready", "Stopped", "Skipped") and not (
                step.name == "Stopped" and self._removals(step.path, step.index)
            ):
                settled.add(name)
            if step.after == ENDED or step.name == "Abandoned":
                alive.discard(name)
            else:
                alive.add(name)
            is_its_turn = stop is not None and step.index >= stop[0] and not step.restarted
            if step.name == "Stopping" and is_its_turn and not self._hurries(spell, step):
                behind = {other for other in alive if name in before.get(other, set())}
                if behind:
                    yield f"{step.path} was asked to stop before {behind} had ended"

    def _befores(self, spell: Spell) -> dict[str, set[str]]:
        """For each name, those that it comes after, also by way of others."""
        # Of those that were never removed or added: who comes in their place is not the same player.
        changed = {
            split(entry.path)[1]
            for entry in self._record.entries
            if isinstance(entry, Added | Removed) and split(entry.path)[0] == spell.path
        }
        # Those that were stopped by hand before it began are passed over.
        idle = {split(path)[1] for path in self._idle_at(spell.start, spell.path)}
        found: dict[str, set[str]] = {}
        last: str | None = None
        for name in spell.group.players:
            direct = {*spell.group.after.get(name, ())}
            if spell.group.ordered and last is not None:
                direct.add(last)
            found[name] = direct.union(*(found.get(one, set()) for one in direct))
            if name not in idle:
                last = name
        return {name: before - changed for name, before in found.items() if name not in changed}

    def _idle_at(self, index: int, path: str) -> set[str]:
        """Those of this group that only a hand starts, at an entry."""
        found: set[str] = set()
        for entry in self._record.entries[: max(0, index)]:
            match entry:
                case Called(action=Halt(path=one), known=True) if split(one)[0] == path:
                    found.add(one)
                case Told(event=Started(path=one)) | Added(path=one) | Removed(path=one):
                    found.discard(one)
        return found

    def _hurries(self, spell: Spell, step: Step) -> bool:
        """Whether all are asked at once, or this one for another reason."""
        return (
            self._removals(step.path, step.index)
            or self._was_cancelled(step.index)
            or any(
                other.name == "CutOff"
                and (other.path == spell.path or is_below(spell.path, other.path))
                for other in self._steps
                if spell.start < other.index <= step.index
            )
        )

    def _was_cancelled(self, index: int) -> bool:
        return any(
            isinstance(entry, Called) and isinstance(entry.action, CancelTask)
            for entry in self._record.entries[:index]
        )

    # Single runs

    def _judge_run(self, run: Played) -> Iterator[str]:
        if run.ended is not None and run.cuts and not run.cuts[0].done:
            yield "it was cancelled before it was asked to stop"
        if run.asked is None or run.remaining is None:
            return
        given = run.asked + run.remaining
        if run.cuts and run.cuts[0].time < given - EPSILON and not self._was_hurried(run):
            yield f"it had {run.remaining:g} seconds from {run.asked:g}, and was cut off at {run.cuts[0].time:g}"
        if not self._is_plain():
            return
        chain = self._chain(run.path, self._index_of(run))
        least = min(
            (group.timeout * NESTED**level for level, group in enumerate(reversed(chain))),
            default=math.inf,
        )
        ordered = any(group.ordered or group.after for group in chain)
        less = run.remaining <= 0 or (not ordered and run.remaining < least - EPSILON)
        if least > 0 and less and not self._was_restarted(run):
            yield f"it had {run.remaining:g} seconds to stop, and not at least {least:g}"
        if run.remaining > chain[-1].timeout + EPSILON:
            yield f"it had {run.remaining:g} seconds to stop, more than its group"

    def _was_hurried(self, run: Played) -> bool:
        assert run.asked is not None
        return any(
            isinstance(entry, Called)
            and isinstance(entry.action, Cancel | CancelTask | Stop)
            and entry.time >= run.asked
            for entry in self._record.entries
        ) or any(
            step.time >= run.asked
            and step.time <= run.cuts[0].time
            and (
                (is_below(run.path, step.path) and step.name in ("Stopping", "CutOff"))
                or (step.path == run.path and step.by_guard)
                or (
                    # A failure that stopped a group above, while this was being restarted.
                    step.name in ("Failed", "Stopped") and is_below(run.path, split(step.path)[0])
                )
            )
            for step in self._steps
        )

    def _is_plain(self) -> bool:
        """Whether nothing made the time shorter than it is by itself."""
        return not any(
            isinstance(entry, Called)
            and (
                isinstance(entry.action, CancelTask)
                or (isinstance(entry.action, Cancel) and entry.action.within is not None)
            )
            for entry in self._record.entries
        ) and not any(step.by_guard and isinstance(step.node, Group) for step in self._steps)

    def _was_restarted(self, run: Played) -> bool:
        """Whether a group above was asked by hand: its time had begun before."""
        return any(
            isinstance(action, Restart | Remove | Halt)
            and (action.path == run.path or is_below(run.path, action.path))
            for action in self._record.scenario.actions
        )

    def _index_of(self, run: Played) -> int:
        return next(
            index
            for index, entry in enumerate(self._record.entries)
            if isinstance(entry, Began) and entry.run is run
        )

    def _chain(self, path: str, index: int) -> list[Group]:
        """The groups above a path at the time of an entry, from the root on."""
        nodes: dict[str, Node] = dict(walk(self._record.scenario.tree))
        for entry in self._record.entries[:index]:
            if isinstance(entry, Added):
                nodes.update(walk(entry.node, entry.path))
        found = []
        while path:
            path, _ = split(path)
            node = nodes.get(path)
            assert isinstance(node, Group), path
            found.append(node)
        return found[::-1]

    # Restarts

    def _backoffs_are_kept(self) -> Iterator[str]:
        drawn: dict[str, int] = {}
        for step in self._steps:
            path, node = step.path, step.node
            if not isinstance(node, Leaf | Group):
                continue
            if step.before in ("none", ENDED):
                drawn[path] = 0
            given = delays_of(node.backoff)
            delays = (1.0,) * 1000 if node.backoff == "every second" else tuple(given or ())
            number = drawn.get(path, 0)
            match step.event:
                case BackingOff(delay=delay, error=error) if not step.restarted:
                    drawn[path] = number + 1
                    if number >= len(delays) or delays[number] != delay:
                        yield f"{path}: {step.event}, and its backoff is {node.backoff}"
                    if error is None and not node.always:
                        yield f"{path}: {step.event}, and it comes back only after failures"
                    if error is not None and is_permanent(error):
                        yield f"{path}: {step.event}, after a permanent error"
            left = number < len(delays)
            asked = step.before in (STOPPING, CUT, "abandoned") and not step.by_guard
            if step.after != ENDED or asked or step.restarted or not left:
                continue
            if step.before in (ENDED, WAITING, "none") or self._asked_meanwhile(step):
                continue
            permanent = step.name == "Failed" and is_permanent(step.event.error)  # type: ignore[attr-defined]
            if step.name == "Failed" and not permanent and not self._stops_now(step):
                yield f"{path}: {step.event}, after {number} restarts of {node.backoff}"
            if step.name == "Stopped" and node.always and not self._stops_above(path, step.index):
                yield f"{path}: {step.event}, after {number} restarts of {node.backoff}"

    def _asked_meanwhile(self, step: Step) -> bool:
        """Whether one that was cut off by a guard was asked to stop after that."""
        for other in reversed(self._steps):
            if other.index < step.index and other.path == step.path:
                if other.name == "Stopping":
                    return True
                if other.name == "Started":
                    return False
        return False

    # Calls

    def _calls_return(self) -> Iterator[str]:
        called: dict[int, tuple[int, Called]] = {}
        for index, entry in enumerate(self._record.entries):
            match entry:
                case Called():
                    called[id(entry.action)] = (index, entry)
                case Returned(action=action):
                    start, call = called.get(id(action), (index, None))
                    if call is not None:
                        for fault in self._judge_call(call, entry, start, index):
                            yield f"{action} of {call.time:g}: {fault}"

    def _judge_call(self, call: Called, back: Returned, start: int, end: int) -> Iterator[str]:
        action, error = call.action, back.error
        if isinstance(error, asyncio.CancelledError):
            if not isinstance(action, Call) or action.patience == math.inf:
                yield f"raised {error!r}"
            return
        match action:
            case Add():
                if call.known and not isinstance(error, ValueError):
                    yield f"the name is taken, and it raised {error!r}"
                if not call.known and error is not None and type(error) is not OrchestraError:
                    yield f"it raised {error!r}"
            case Remove() | Halt():
                if isinstance(error, KeyError) == call.known:
                    yield f"it raised {error!r}"
                if (
                    call.known
                    and back.time
                    > call.time + self._chain(action.path, start)[-1].timeout * TENTH + EPSILON
                ):
                    yield f"it returned at {back.time:g}"
            case Restart() | Start():
                yield from self._judge_restart(action, call, error, start, end)

    def _judge_restart(
        self,
        action: Restart | Start,
        call: Called,
        error: BaseException | None,
        start: int,
        end: int,
    ) -> Iterator[str]:
        if isinstance(error, KeyError):
            if call.known and not action.by_path:
                yield f"it raised {error!r}"
            return
        if not call.known:
            yield f"there is no such player, and it raised {error!r}"
        events = [
            step for step in self._steps if step.path == action.path and start < step.index < end
        ]
        if error is None:
            if isinstance(action, Restart) and not any(step.name == "Started" for step in events):
                yield "it returned, and there was no start"
        elif type(error) is not OrchestraError and not any(
            getattr(step.event, "error", None) is error for step in events
        ):
            yield f"it raised {error!r}, which no event told of"


def is_permanent(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(is_permanent(one) for one in error.exceptions)
    return isinstance(error, PermanentError)
