"""What has happened and what was logged, by player: bounded, and numbered to resume from."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from .._waiter import call_soon_threadsafe
from ..events import Event, Started
from ..log import describe, in_words, player_path, shown, want_path
from ..performance import Performance
from ..status import plain
from .handler import Handler, traceback_of
from .shelves import Shelves

MOST_TEXT: Final = 8_000
"""Characters of one line, with its traceback, that are kept."""

Runs = Literal["current", "previous", "both"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """What was logged by or about a player, in its run with this number; `text` may have many lines."""

    id: int
    time: float
    path: str
    run: int
    level: str
    source: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """The same as values that JSON has."""
        return {"type": "line", **{name: getattr(self, name) for name in self.__slots__}}


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event of a player: what kind, in words if it is worth some, and what else it says."""

    id: int
    time: float
    path: str
    kind: str
    text: str | None
    details: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The same as values that JSON has."""
        return {"type": "event", **{name: getattr(self, name) for name in self.__slots__}}


Entry = LogLine | EventRecord


@dataclass(frozen=True, slots=True)
class Slice:
    """Entries in their order: ask for those after `last` next. `missed`: there were more, now gone."""

    entries: tuple[Entry, ...]
    last: int
    missed: bool = False


class Recorder:
    """Keeps the newest log lines and events of a tree, in memory, for whoever looks later.

    Of each player the newest `lines` lines of a run, in its current and its previous run, and the newest
    `events` events; of all together no more than `most` of either, and the newest `most` of both to
    resume from. Lines come from the standard logging, with the path of the player that made them, and
    from the events.

    Make it before the players start, or their lines come without a path. All methods may be called from
    any thread, and `follow` in any loop.
    """

    def __init__(self, *, lines: int = 500, events: int = 100, most: int = 20_000) -> None:
        want_path()
        # Reentrant, since a line may be logged by a finalizer or a signal handler, in here as well.
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._last = 0
        self._recent: deque[Entry] = deque(maxlen=most)
        self._lines: Shelves[tuple[str, int], LogLine] = Shelves(lines, most)
        self._events: Shelves[str, EventRecord] = Shelves(events, most)
        self._runs: dict[str, int] = {}
        self._most_runs = most
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def attach(self, performance: Performance) -> Callable[[], None]:
        """Record this tree from now on; returns a function that ends it. One tree at a time."""
        handler = Handler(self._on_record)
        unsubscribe = performance.subscribe(self._on_event)
        handler.install()

        def detach() -> None:
            handler.uninstall()
            unsubscribe()

        return detach

    # What comes in, in any thread

    def _on_record(self, path: str | None, given: object, **line: Any) -> None:
        with self._lock:
            if path is None:
                # What a record has as its path may be anything, as that of a request.
                known = isinstance(given, str) and given in self._runs
                path = str(given) if known else player_path.get()
            self.add_line(path, **line)

    def add_line(self, path: str, *, time: float, level: str, source: str, text: str) -> None:
        """Take in a line about a player, as of a logger that is none of the standard library's."""
        with self._lock:
            run = self._runs.get(path, 0)
            line = LogLine(next(self._numbers), time, path, run, level, source, _cut(text))
            self._lines.put((path, run), line)
            self._add(line)

    def _on_event(self, event: Event) -> None:
        try:
            told = describe(event)
        except Exception:  # somebody's object that has no text
            told = None
        text = None if told is None else told[0]
        details = {name: _value(getattr(event, name)) for name in type(event).__slots__}
        with self._lock:
            logged = self._logged(event.path, text)
            if isinstance(event, Started):
                self._begin_run(event.path, logged)
            record = EventRecord(
                next(self._numbers), event.time, event.path, type(event).__name__, text, details
            )
            self._events.put(event.path, record)
            self._add(record)
            if told is not None and logged is None:
                self._add_told(event, *told)

    def _logged(self, path: str, text: str | None) -> LogLine | None:
        """The line that the logger has made of an event just before, if it is a standard one."""
        newest = self._lines.newest((path, self._runs.get(path, 0)))
        if text is None or newest is None:
            return None
        return newest if newest.text == text or newest.text.startswith(text + "\n") else None

    def _begin_run(self, path: str, logged: LogLine | None) -> None:
        run = self._runs.get(path, 0)
        if logged is not None:  # it belongs to the run that it tells of
            self._lines.take_newest((path, run))
            self._lines.put((path, run + 1), replace(logged, run=run + 1))
        self._runs[path] = run + 1
        self._lines.clear((path, run - 1))
        if len(self._runs) > self._most_runs:
            kept = {path for path, _ in self._lines} | {path}
            self._runs = {path: run for path, run in self._runs.items() if path in kept}

    def _add_told(self, event: Event, text: str, attrs: dict[str, Any], is_error: bool) -> None:
        level = "error" if is_error else "info"
        text += traceback_of(attrs.get("exc_info"))
        self.add_line(event.path, time=event.time, level=level, source="orchestra", text=text)

    def _add(self, entry: Entry) -> None:
        self._recent.append(entry)
        self._last = entry.id
        if self._waiting:
            for future, loop in self._waiting.items():
                call_soon_threadsafe(loop, _wake, future)
            self._waiting.clear()

    # What goes out, to any thread

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 if there is none."""
        return self._last

    def lines(
        self, path: str = "", *, since: int = 0, runs: Runs = "both", limit: int | None = None
    ) -> list[LogLine]:
        """The lines of a player and all below it that are newer than `since`, oldest first.

        With a `limit`, the newest so many of them.
        """
        with self._lock:
            found = [
                line
                for key in self._lines
                if _is_within(key[0], path) and self._is_of(key, runs)
                for line in self._lines.of(key)
                if line.id > since
            ]
        return _newest(found, limit)

    def _is_of(self, key: tuple[str, int], runs: Runs) -> bool:
        return runs == "both" or (self._runs.get(key[0], 0) == key[1]) == (runs == "current")

    def events(
        self, path: str = "", *, since: int = 0, limit: int | None = None
    ) -> list[EventRecord]:
        """The events of a player and all below it that are newer than `since`, oldest first.

        With a `limit`, the newest so many of them.
        """
        with self._lock:
            found = [
                record
                for key in self._events
                if _is_within(key, path)
                for record in self._events.of(key)
                if record.id > since
            ]
        return _newest(found, limit)

    def last_lines(self) -> dict[str, LogLine]:
        """The newest line of each player that has one."""
        newest: dict[str, LogLine] = {}
        with self._lock:
            for key in self._lines:
                line = self._lines.newest(key)
                if line is not None and (key[0] not in newest or newest[key[0]].id < line.id):
                    newest[key[0]] = line
        return newest

    def recent(self, since: int, path: str = "", *, limit: int = 1000) -> Slice:
        """All entries after the one with this number, oldest first, and no more than `limit`.

        A number that is not given out yet is that of an earlier recorder: all are given, as missed.
        """
        with self._lock:
            missed = since > self._last or self._oldest() > since + 1
            newer = list(_newer(self._recent, 0 if since > self._last else since))
        found = tuple(itertools.islice((one for one in newer if _is_within(one.path, path)), limit))
        last = found[-1].id if len(found) == limit else newer[-1].id if newer else self._last
        return Slice(found, last, missed)

    def _oldest(self) -> int:
        return self._recent[0].id if self._recent else 0

    async def follow(self, since: int | None = None, path: str = "") -> AsyncIterator[Slice]:
        """Slices of what comes after the entry with this number, for ever; None: from now on.

        A reader that is slow gets more at once, and is told when it has missed some.
        """
        last = self._last if since is None else since
        while True:
            found = self.recent(last, path)
            last = found.last
            if found.entries or found.missed:
                yield found
            else:
                await self._wait(last)

    async def _wait(self, last: int) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._last > last:
                return
            self._waiting[future] = loop
        try:
            await future
        finally:
            with self._lock:
                self._waiting.pop(future, None)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _newer(entries: deque[Entry], since: int) -> Iterator[Entry]:
    # From the end, since most ask for little.
    count = sum(1 for _ in itertools.takewhile(lambda one: one.id > since, reversed(entries)))
    return itertools.islice(entries, len(entries) - count, None)


def _newest(found: Iterable[Any], limit: int | None) -> list[Any]:
    ordered = sorted(found, key=lambda one: one.id)
    return ordered if limit is None else ordered[max(0, len(ordered) - limit) :]


def _is_within(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(above + ".")


def _cut(text: str) -> str:
    more = len(text) - MOST_TEXT
    return text if more <= 0 else f"{text[:MOST_TEXT]}… ({more} more characters)"


def _value(value: Any) -> Any:
    if isinstance(value, BaseException):
        return in_words(value)  # and not itself, which would keep all of its frames
    try:
        return plain(value)
    except Exception:
        return shown(value)
