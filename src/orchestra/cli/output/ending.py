"""What is said at the end: how long it took, and why, if something went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..._duration import duration
from ...errors import CommandFailedError, ConductorError, StopTimeoutError
from ...events import Event, Failed, Started, Stopping
from ...log import in_words
from ..codes import CLEAN, FAILED, LATE
from .line import Line
from .traces import trace_of


def exit_code(failure: BaseException | None) -> int:
    """The exit code for how a program has ended.

    >>> exit_code(None), exit_code(ValueError()), exit_code(StopTimeoutError(["web"]))
    (0, 1, 3)
    """
    if failure is None:
        return CLEAN
    parts = failure.exceptions if isinstance(failure, ConductorError) else (failure,)
    return LATE if all(isinstance(one, StopTimeoutError) for one in parts) else FAILED


@dataclass(slots=True)
class Account:
    """Counts what the last line tells: an observer of events."""

    began: float | None = None
    stops: float | None = None
    last: float = 0.0
    restarts: int = 0
    was_asked: bool = False

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self.last = event.time
        if isinstance(event, Started):
            self.began = event.time if self.began is None else self.began
            self.restarts += event.restarts > 0
            if self.stops is not None and not self.was_asked:
                self.stops = None
        elif isinstance(event, Stopping) and not event.path:
            self.stops, self.was_asked = event.time, True
        elif self.stops is None and isinstance(event, Failed) and event.final:
            self.stops = event.time

    def summary(self, code: int) -> Line:
        """The one line about all of it."""
        began = self.last if self.began is None else self.began
        restarts = "1 restart" if self.restarts == 1 else f"{self.restarts} restarts"
        if self.stops is None:
            how = f"ended by itself after {duration(max(0.0, self.last - began))}"
        else:
            how = f"stopped in {duration(max(0.0, self.last - self.stops))}"
        text = f"{how}, {restarts}, exit code {code}"
        values = {
            "event": "summary",
            "message": text,
            "stopped_in": None if self.stops is None else round(self.last - self.stops, 3),
            "played_for": round(self.last - began, 3),
            "restarts": self.restarts,
            "exit_code": code,
        }
        return Line(self.last, "", "failed" if code else "stopped", text, values=values)


def reasons(
    failure: BaseException, last_lines: Mapping[str, Sequence[str]], at: float
) -> Iterator[Line]:
    """Why a program has failed: a line for each player, with its traceback or its last lines."""
    if not isinstance(failure, ConductorError):
        yield _reason("", failure, last_lines.get("", ()), at)
        return
    told = set()
    for _, path, error in failure.entries():
        if isinstance(error, StopTimeoutError):
            yield _late(error, at)
        elif (path, id(error)) not in told:
            told.add((path, id(error)))
            yield _reason(path, error, last_lines.get(path, ()), at)


def _reason(path: str, error: BaseException, lines: Sequence[str], at: float) -> Line:
    if isinstance(error, StopTimeoutError):
        return _late(error, at)
    text = f"failed: {in_words(error)}{_restarts_in_words(error)}"
    more = list(trace_of(error))
    if isinstance(error, CommandFailedError):
        lines = error.lines[-len(lines) :] if lines else error.lines
    if lines:
        more += ["its last lines:", *(f"  {one}" for one in lines)]
    values: dict[str, Any] = {"event": "reason", "message": text, "error": in_words(error)}
    if more:
        values["details"] = "\n".join(more)
    return Line(at, path, "failed", text, tuple(more), values)


def _restarts_in_words(error: BaseException) -> str:
    """What a note says of restarts that did not mend it."""
    notes = getattr(error, "__notes__", ())
    return next((f", {note}" for note in notes if _AFTER_RESTARTS(note)), "")


_AFTER_RESTARTS: Final = re.compile(r"after \d+ restarts?").fullmatch


def _late(error: StopTimeoutError, at: float) -> Line:
    text = f"did not stop in time: {', '.join(error.left)}"
    more = []
    for path in error.left:
        where = error.stuck.get(path, "")
        more += [path, *(f"  {line}" for line in where.splitlines())]
    values = {"event": "reason", "message": text, "left": list(error.left)}
    return Line(at, "", "failed", text, tuple(more), values)
