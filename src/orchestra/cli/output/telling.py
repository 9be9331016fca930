"""Events and log records as lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from ... import log
from ...errors import CommandFailedError
from ...events import (
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
from ...log import describe, in_words, player_path, shown
from ...status import plain
from .line import Line, Sign
from .traces import trace_of

_SIGNS: Final[Mapping[type[Event], Sign]] = {
    Ready: "ready",
    Failed: "failed",
    BackingOff: "again",
    Stopping: "stopping",
    Stopped: "stopped",
    CutOff: "warning",
    Abandoned: "warning",
    Skipped: "note",
}

_EVENT_WORDS: Final = (
    "started",
    "ready",
    "failed: ",
    "ended, next run in ",
    "stopping",
    "stopped",
    "cut off, it did not stop in time",
    "abandoned, cutting it off did not end it",
    "skipped, this conductor plays here already",
)


def line_of_event(event: Event) -> Line | None:
    """The line that an event is worth; None for one that another tells of."""
    try:
        told = describe(event)
    except Exception:  # somebody's object that has no text
        told = f"{event.path}: {type(event).__name__.lower()}", {}, False
    if told is None:
        return None
    text = told[0].removeprefix(f"{event.path or 'conductor'}: ")
    error = getattr(event, "error", None)
    return Line(
        event.time,
        event.path,
        _sign_of(event),
        text,
        () if error is None else trace_of(error),
        {"event": _name_of(event), "message": text, **_values(event)},
    )


def _sign_of(event: Event) -> Sign:
    if isinstance(event, Started):
        return "again" if event.restarts else "started"
    return _SIGNS.get(type(event), "note")


def _name_of(event: Event) -> str:
    """`BackingOff` as `backing_off`."""
    name = type(event).__name__
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")


def _values(event: Event) -> dict[str, Any]:
    found = {}
    for name in type(event).__slots__:
        value = getattr(event, name)
        try:
            found[name] = in_words(value) if isinstance(value, BaseException) else plain(value)
        except Exception:
            found[name] = shown(value)
    error = getattr(event, "error", None)
    if error is not None and (trace := trace_of(error)):
        found["exception"] = "\n".join(trace)
    if isinstance(error, CommandFailedError):
        found["returncode"] = error.returncode
    return found


def path_of(record: logging.LogRecord) -> str:
    """The path of the player that a record is about, or was made by."""
    given = getattr(record, "path", None)
    ours = record.pathname == log.__file__
    return given if ours and isinstance(given, str) else player_path.get()


def is_output(record: logging.LogRecord) -> bool:
    """Whether a record is a line that a command has printed."""
    return record.pathname == log.__file__ and hasattr(record, "stream")


def tells_an_event(record: logging.LogRecord) -> bool:
    """Whether a record says what is known by an event as well."""
    if record.pathname != log.__file__ or hasattr(record, "stream"):
        return False
    who, message = getattr(record, "path", None) or "conductor", record.getMessage()
    return message.startswith(f"{who}: ") and message.removeprefix(f"{who}: ").startswith(
        _EVENT_WORDS
    )


def line_of_output(record: logging.LogRecord) -> Line:
    """The line for a record of a command's output, of which there may be very many."""
    values = vars(record)
    text: str = values["msg"]
    more = {"stream": values["stream"], "message": text}
    return Line(values["created"], values["path"], "output", text, (), more)


def line_of_record(record: logging.LogRecord) -> Line:
    """The line for a record of a log."""
    message, path = record.getMessage(), path_of(record)
    first, *more = message.split("\n")
    values = {"level": record.levelname, "logger": record.name, "message": message}
    if record.exc_info and record.exc_info[1] is not None:
        trace = trace_of(record.exc_info[1])
        more += trace
        values["exception"] = "\n".join(trace)
    if record.stack_info:
        more += record.stack_info.split("\n")
    ours = record.pathname == log.__file__
    text = first.removeprefix(f"{path}: ") if ours else f"{record.name}: {first}"
    if record.levelno != logging.INFO and not ours:
        text = f"{record.levelname} {text}"
    return Line(record.created, path, _sign_of_level(record.levelno), text, tuple(more), values)


def _sign_of_level(level: int) -> Sign:
    if level >= logging.ERROR:
        return "failed"
    return "warning" if level >= logging.WARNING else "note"
