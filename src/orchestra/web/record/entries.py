"""What a recorder keeps: lines that were logged, and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...events import BackingOff, Event, Failed, Ready, Stopping
from ...log import describe, in_words, shown
from ...status import plain
from .handler import traceback_of

MOST_TEXT: Final = 8_000
"""Characters of one line, with its traceback, that are kept."""


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


class Kept:
    """An event as it is kept: put into words only when somebody looks, which is rarely."""

    __slots__ = ("_event", "_line", "_record", "id", "path", "run")

    def __init__(self, id: int, event: Event, run: int) -> None:
        self.id, self.path, self.run = id, event.path, run
        self._event: Event | None = event
        self._record: EventRecord | None = None
        self._line: LogLine | None = None
        if _holds_more(event):
            self._record, self._line = _record_of(id, event), _line_of(id, event, run)
            self._event = None

    @property
    def record(self) -> EventRecord:
        """The event, with its number."""
        return self._record or _record_of(self.id, self._event)

    @property
    def line(self) -> LogLine:
        """The line that it is in a log."""
        return self._line or _line_of(self.id, self._event, self.run)


def _holds_more(event: Event) -> bool:
    """Whether it has something in it that would be kept alive with all that it knows."""
    if isinstance(event, Stopping):
        return not isinstance(event.reason, str | None)
    return isinstance(event, (Failed, BackingOff))


def is_line(event: Event) -> bool:
    """Whether an event is worth a line in a log; see `describe`, which takes longer."""
    if isinstance(event, Ready):
        return not event.implied
    return not isinstance(event, Failed) or event.final


def _record_of(id: int, event: Any) -> EventRecord:
    told = _told(event)
    details = {name: _value(getattr(event, name)) for name in type(event).__slots__}
    text = None if told is None else told[0]
    return EventRecord(id, event.time, event.path, type(event).__name__, text, details)


def _line_of(id: int, event: Any, run: int) -> LogLine:
    text, attrs, is_error = _told(event) or (f"{event.path}: {type(event).__name__}", {}, False)
    text = cut(text + traceback_of(attrs.get("exc_info")))
    level = "error" if is_error else "info"
    return LogLine(id, event.time, event.path, run, level, "orchestra", text)


def _told(event: Event) -> tuple[str, dict[str, Any], bool] | None:
    try:
        return describe(event)
    except Exception:  # somebody's object that has no text
        return None


def _value(value: Any) -> Any:
    if isinstance(value, BaseException):
        return in_words(value)
    try:
        return plain(value)
    except Exception:
        return shown(value)


def cut(text: str) -> str:
    """A text that is not too long, which says how much of it is missing."""
    more = len(text) - MOST_TEXT
    return text if more <= 0 else f"{text[:MOST_TEXT]}… ({more} more characters)"


def tells(logged: LogLine, line: LogLine) -> bool:
    """Whether what was logged is this very line; the traceback may have been left out."""
    return logged.text.partition("\n")[0] == line.text.partition("\n")[0]
