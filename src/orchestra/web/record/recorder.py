"""What has happened and what was logged, by player: bounded, and numbered to resume from."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..._waiter import call_soon_threadsafe
from ...events import Event, Started
from ...log import player_path, want_path
from ...performance import Performance
from .entries import Entry, EventRecord, Kept, LogLine, cut, is_line, tells
from .handler import Handler
from .shelves import Shelves

Runs = Literal["current", "previous", "both"]


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
        self._recent: deque[LogLine | Kept] = deque(maxlen=most)
        self._lines: Shelves[tuple[str, int], LogLine | Kept] = Shelves(lines, most)
        self._events: Shelves[str, Kept] = Shelves(events, most)
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
            line = LogLine(next(self._numbers), time, path, run, level, source, cut(text))
            self._lines.put((path, run), line)
            self._add(line)

    def _on_event(self, event: Event) -> None:
        path = event.path
        with self._lock:
            if isinstance(event, Started):
                self._begin_run(path)
            run = self._runs.get(path, 0)
            kept = Kept(next(self._numbers), event, run)
            self._events.put(path, kept)
            self._add(kept)
            if is_line(event):
                newest = self._lines.newest((path, run))
                if not isinstance(newest, LogLine) or not tells(newest, kept.line):
                    self._lines.put((path, run), kept)

    def _begin_run(self, path: str) -> None:
        run = self._runs.get(path, 0)
        newest = self._lines.newest((path, run))
        if isinstance(newest, LogLine) and newest.text.startswith(
            f"{path or 'conductor'}: started"
        ):
            # A logger that is faster: it tells of the run that begins.
            self._lines.take_newest((path, run))
            self._lines.put((path, run + 1), replace(newest, run=run + 1))
        self._runs[path] = run + 1
        self._lines.clear((path, run - 1))
        if len(self._runs) > self._most_runs:
            kept = {path for path, _ in self._lines} | {path}
            self._runs = {path: run for path, run in self._runs.items() if path in kept}

    def _add(self, entry: LogLine | Kept) -> None:
        self._recent.append(entry)
        self._last = entry.id
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for future, loop in waiting.items():
                call_soon_threadsafe(loop, _wake, future)

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
        return [_line(one) for one in _newest(found, limit)]

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
                kept
                for key in self._events
                if _is_within(key, path)
                for kept in self._events.of(key)
                if kept.id > since
            ]
        return [kept.record for kept in _newest(found, limit)]

    def last_lines(self) -> dict[str, LogLine]:
        """The newest line of each player that has one."""
        newest: dict[str, LogLine | Kept] = {}
        with self._lock:
            for key in self._lines:  # of each player, the previous run comes first
                newest[key[0]] = self._lines.of(key)[-1]
        return {path: _line(one) for path, one in newest.items()}

    def recent(self, since: int, path: str = "", *, limit: int = 1000) -> Slice:
        """All entries after the one with this number, oldest first, and no more than `limit`.

        A number that is not given out yet is that of an earlier recorder: all are given, as missed.
        """
        with self._lock:
            missed = since > self._last or self._oldest() > since + 1
            newer = list(_newer(self._recent, 0 if since > self._last else since))
        found = list(itertools.islice((one for one in newer if _is_within(one.path, path)), limit))
        last = found[-1].id if len(found) == limit else newer[-1].id if newer else self._last
        return Slice(tuple(_entries(found)), last, missed)

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


def _newer(entries: deque[LogLine | Kept], since: int) -> Iterator[LogLine | Kept]:
    # From the end, since most ask for little.
    count = sum(1 for _ in itertools.takewhile(lambda one: one.id > since, reversed(entries)))
    return itertools.islice(entries, len(entries) - count, None)


def _entries(found: Iterable[LogLine | Kept]) -> Iterator[Entry]:
    """Lines and events; an event that a line has told of just before has no text of its own."""
    newest: dict[str, LogLine] = {}
    for one in found:
        if isinstance(one, LogLine):
            newest[one.path] = one
            yield one
        else:
            record, line = one.record, newest.pop(one.path, None)
            told = line is not None and record.text is not None and tells(line, one.line)
            yield replace(record, text=None) if told else record


def _line(one: LogLine | Kept) -> LogLine:
    return one if isinstance(one, LogLine) else one.line


def _newest(found: Iterable[Any], limit: int | None) -> list[Any]:
    ordered = sorted(found, key=lambda one: one.id)
    return ordered if limit is None else ordered[max(0, len(ordered) - limit) :]


def _is_within(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(above + ".")
