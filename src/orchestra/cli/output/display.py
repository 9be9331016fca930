"""What takes events and log records while a program plays, and prints a line for each."""

from __future__ import annotations

import io
import logging
import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from ...events import Event
from ...log import want_path
from .line import Line
from .style import Style
from .telling import is_output, line_of_event, line_of_output, line_of_record, tells_an_event


class Stream(Protocol):
    """What is printed to."""

    def write(self, text: str, /) -> object:
        """Take some text."""

    def flush(self) -> object:
        """Hold nothing back."""


KEPT: Final = 10
"""Lines of each player that are kept, for the case that it fails."""


class Display(logging.Handler):
    """Prints to a stream, at once: an observer of events, and a handler of log records.

    Make it before the players start. What is below `level` is left out, but for what commands print.
    A stream that nobody reads any more is written to no more.
    """

    def __init__(self, stream: Stream, style: Style, level: int = logging.INFO) -> None:
        super().__init__()
        want_path()
        self._stream, self._style, self._level = stream, style, level
        self._writing = threading.RLock()
        self.last_lines: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._traces: dict[str, tuple[str, ...]] = {}
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal has every sign

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take the records of all loggers meanwhile."""
        root, ours = logging.getLogger(), logging.getLogger("orchestra")
        before = root.level, ours.level
        root.addHandler(self)
        root.setLevel(self._level)
        ours.setLevel(min(self._level, logging.INFO))  # or no command's output would come
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(before[0])
            ours.setLevel(before[1])

    def observe(self, event: Event) -> None:
        """Print the line of an event."""
        line = line_of_event(event)
        if line is not None:
            is_error = line.sign in ("failed", "warning") or bool(line.values.get("error"))
            if self._level <= (logging.ERROR if is_error else logging.INFO):
                self.print(self._shortened(line))

    def _shortened(self, line: Line) -> Line:
        """The line without a traceback that has just been shown, or will be at the end."""
        if not line.more:
            return line
        known, self._traces[line.path] = self._traces.get(line.path), line.more
        if line.sign == "failed":
            return line._replace(more=())
        if known == line.more:
            return line._replace(more=("(the same traceback as before)",))
        return line

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line of a record, unless it says what an event has said."""
        try:
            if is_output(record):
                line = line_of_output(record)
            elif record.levelno >= self._level and not tells_an_event(record):
                line = line_of_record(record)
            else:
                return
            self.last_lines[line.path].append(line.text)
            self.print(line)
        except Exception:
            self.handleError(record)

    def print(self, line: Line) -> None:
        """Print a line; from any thread."""
        self.write(self._style(line))

    def write(self, text: str) -> None:
        """Print text as it is."""
        with self._writing:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def _give_up(self) -> None:
        # The terminal is closed, or who reads has ended. Nor may what is left in the buffer raise.
        stream, self._stream = self._stream, _Nowhere()
        try:
            fd: int = stream.fileno()  # type: ignore[attr-defined]
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, fd)
            os.close(nowhere)
        except (OSError, ValueError, AttributeError):
            pass


class _Nowhere:
    def write(self, text: str, /) -> None: ...
    def flush(self) -> None: ...
