"""Judges the failures: each is told of once and under its path, none is dropped, none made up.

A player's own exception is in one `Failed` event of its path. If that is not final, a restart has
mended it, and it is nowhere else. If it is, it is in exactly one last place: what all raised, what
came out of a `remove` or a `stop`, the failure of a group above that a restart mended, or the log, if whoever
played all was cancelled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from orchestra import (
    ConductorError,
    OrchestraError,
    PlayerAbortedError,
    StartTimeoutError,
    StopTimeoutError,
    WatchdogError,
)
from orchestra.events import Abandoned, CutOff, Failed

from .scenario import CancelTask, Halt, Remove, is_below
from .stage import Called, Played, Record, Returned, Told


class Place:
    """A last place of failures, flattened: each exception with the path that it is given."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.name = name
        self.group = error if isinstance(error, ConductorError) else None
        all_of_it = [error] if self.group is None else list(self.group.exceptions)
        self.left = [one for one in all_of_it if isinstance(one, StopTimeoutError)]
        self.found = [
            (path_of(one), one) for one in all_of_it if not isinstance(one, StopTimeoutError)
        ]
        # What the players of a group raised that was cut off by its guard.
        self.behind = [(path_of(one), one) for whole in all_of_it for one in behind(whole)]


def account(record: Record) -> list[str]:
    return list(Accounts(record).faults())


class Accounts:
    def __init__(self, record: Record) -> None:
        self._record = record
        # Of leaves and of groups: a group's failure is no ConductorError where it is its own.
        self._failed: list[tuple[int, Failed]] = [
            (index, event) for index, event in record.told() if isinstance(event, Failed)
        ]
        self._places = list(self._last_places())
        self._cuts = [event.path for _, event in record.told() if isinstance(event, CutOff)]
        self._given_up = [event.path for _, event in record.told() if isinstance(event, Abandoned)]

    def _last_places(self) -> Iterator[Place]:
        record = self._record
        assert record.over is not None
        if isinstance(record.over.error, Exception):
            yield Place("what all raised", record.over.error)
        raised: set[int] = set()
        for entry in record.entries:
            match entry:
                case Returned(
                    action=Remove(path=path) | Halt(path=path),
                    error=Exception() as error,
                    known=True,
                ):
                    place = Place(f"remove or stop of {path!r}", error)
                    # Who ends the same player at the same time hears the same of it.
                    found = {id(one) for _, one in place.found}
                    if not found or not found <= raised:
                        yield place
                    raised |= found
                case Told(event=Failed(path=path, error=error, final=False)):
                    place = Place(f"the mended failure of {path!r}", error)
                    if place.group is None:
                        place.found = []
                    yield place
        for lost in record.lost:
            if any(
                isinstance(entry, Called) and isinstance(entry.action, CancelTask)
                for entry in record.entries
            ):
                yield Place("the log", lost)

    def faults(self) -> Iterator[str]:
        yield from self._each_failure_is_told_of()
        yield from self._each_final_failure_has_one_last_place()
        yield from self._nothing_is_made_up()
        yield from self._failures_by_path()
        yield from self._those_left()

    # From the players to the events

    def _each_failure_is_told_of(self) -> Iterator[str]:
        for run in self._record.runs:
            if run.error is None or not self._counts(run):
                continue
            events = [event for _, event in self._failed if carries(event.error, run.error)]
            own = [event for event in events if event.path == run.path]
            others = [
                event
                for event in events
                if event.path != run.path
                and not (is_below(run.path, event.path) and isinstance(event.error, Exception))
            ]
            if len(own) != 1:
                yield f"{run.path}: {run.error!r} is told of by {own}"
            if others:
                yield f"{run.path}: {run.error!r} is told of by {others}"

    def _counts(self, run: Played) -> bool:
        """Whether it failed while it was still waited for."""
        for entry in self._record.entries:
            match entry:
                case Told(time=time, event=Abandoned(path=path)):
                    meant = run.path == path or is_below(run.path, path)
                    if meant and run.began <= time and (run.ended is None or time <= run.ended):
                        return self._before(run, entry)
        return True

    def _before(self, run: Played, entry: Told) -> bool:
        """Whether a run had ended before an entry."""
        from .stage import Ended

        for other in self._record.entries:
            if other is entry:
                return False
            if isinstance(other, Ended) and other.run is run:
                return True
        return False

    # From the events to the last places

    def _each_final_failure_has_one_last_place(self) -> Iterator[str]:
        for _, event in self._failed:
            if isinstance(event.error, ConductorError):
                continue  # those of its players have their own events
            places = [
                (place, path)
                for place in self._places
                for path, error in place.found + place.behind
                if error is event.error
            ]
            names = [place.name for place, _ in places]
            if not event.final and places:
                yield f"{event.path}: {event.error!r} was mended, and is in {names}"
            if event.final and len(places) != 1:
                yield f"{event.path}: {event.error!r} is in {names or 'no last place'}"
            for place, path in places:
                if path != event.path:
                    yield f"{event.path}: {event.error!r} is of {path!r} in {place.name}"

    # From the last places and the events to the players

    def _nothing_is_made_up(self) -> Iterator[str]:
        finals = Counter(id(event.error) for _, event in self._failed if event.final)
        for place in self._places:
            for path, error in place.found:
                if not isinstance(error, ConductorError) and not finals[id(error)]:
                    yield f"{place.name} has {error!r} of {path!r}, which no event told of"
        for index, event in self._failed:
            if isinstance(event.error, ConductorError | StopTimeoutError):
                continue
            runs = [run for run in self._record.runs if run.path == event.path]
            if any(run.error is not None and carries(event.error, run.error) for run in runs):
                continue
            if not self._is_ours(index, event):
                yield f"{event.path}: {event.error!r} did not happen"

    def _is_ours(self, index: int, event: Failed) -> bool:
        """Whether it is a failure that the library finds by itself."""
        match event.error:
            case WatchdogError() | StartTimeoutError():
                before = [
                    entry.event
                    for entry in self._record.entries[:index]
                    if isinstance(entry, Told) and entry.event.path == event.path
                ]
                return any(isinstance(one, CutOff) for one in before)
            case PlayerAbortedError():
                return False
            case OrchestraError():
                return event.path in self._given_up and "not started" in str(event.error)
        return False

    def _failures_by_path(self) -> Iterator[str]:
        for place in self._places:
            if place.group is None:
                continue
            first: dict[str, BaseException] = {}
            for path, error in place.found:
                first.setdefault(path, error)
            if dict(place.group.failures) != first:
                yield f"{place.name}: failures are {place.group.failures}, and not {first}"

    # Those who did not stop

    def _those_left(self) -> Iterator[str]:
        for place in self._places:
            if len(place.left) > 1:
                yield f"{place.name} has several: {place.left}"
            for error in place.left:
                if set(error.stuck) != set(error.left):
                    yield f"{place.name}: {error.left} are left, and stuck are {set(error.stuck)}"
                if not set(error.abandoned) <= set(error.left):
                    yield f"{place.name}: abandoned are {error.abandoned}, left are {error.left}"
                if len(set(error.left)) != len(error.left):
                    yield f"{place.name}: {error.left} are left"
                for path in error.left:
                    if not self._was_cut(path):
                        yield f"{place.name}: {path} is left, and was never cut off"
                for path in error.abandoned:
                    if not self._was_given_up(path):
                        yield f"{place.name}: {path} is abandoned, and was never told of"
        named = {path for place in self._places for error in place.left for path in error.abandoned}
        for run in self._record.open:
            if run.path not in named and run.path not in self._given_up:
                yield f"{run.path} still plays, and is not named: {sorted(named)}"
            if not run.ctx.done():
                yield f"{run.path} still plays, and was never asked to stop"

    def _was_cut(self, path: str) -> bool:
        return any(path == cut or is_below(path, cut) for cut in self._cuts)

    def _was_given_up(self, path: str) -> bool:
        return any(path == one or is_below(path, one) for one in self._given_up)


def behind(error: BaseException) -> Iterator[BaseException]:
    """What a group's players raised, where its own failure is another one."""
    if isinstance(error.__cause__, ConductorError):
        for one in error.__cause__.exceptions:
            if not isinstance(one, StopTimeoutError):
                yield one
            yield from behind(one)
    elif error.__cause__ is not None:
        yield from behind(error.__cause__)


def path_of(error: BaseException) -> str:
    """The path in the note that each exception gets."""
    for note in getattr(error, "__notes__", ()):
        if match := re.fullmatch(r"raised by player '(.*)'", note):
            return match[1]
    return ""


def carries(error: BaseException | None, own: BaseException) -> bool:
    """Whether this is a player's own exception, or has it as its cause or as a part."""
    while error is not None:
        if error is own:
            return True
        if isinstance(error, BaseExceptionGroup) and any(
            carries(one, own) for one in error.exceptions
        ):
            return True
        error = error.__cause__
    return False
