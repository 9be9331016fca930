"""All that a user sees of a program that plays: one tree, its lines, its waiting and its end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..conductor import Conductor
from ..events import Event, Failed, Stopped
from ..loading.spec import LogSpec
from ..performance import Performance
from ..player import Player, inner_of
from .output.display import Display, Stream
from .output.ending import Account, exit_code, reasons
from .output.line import Line, Sign
from .output.logfile import LogFile
from .output.style import ColorMode, Style, Text, in_json, wants_color
from .output.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Look:
    """How a user wants to see it."""

    level: int
    format: Literal["text", "json"] = "text"
    timestamps: bool = False
    prefix: bool = True
    color: ColorMode = "auto"

    def style(self, *, is_terminal: bool, encoding: str | None, own: str) -> Style:
        """How each line is made."""
        if self.format == "json":
            return in_json
        color = wants_color(self.color, is_terminal=is_terminal, env=os.environ)
        ascii_only = not _has_signs(encoding)
        return Text(color, self.prefix, self.timestamps, ascii_only, own=own)


def _has_signs(encoding: str | None) -> bool:
    try:
        "│▸↻✓✗□■·".encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


class Sight:
    """Shows a program on standard output, and in its log file: an observer of its events."""

    def __init__(self, look: Look, name: str, drain_delay: float = 0.0) -> None:
        self._look, self._name = look, name
        out = sys.stdout
        self._on_terminal = out.isatty()
        style = look.style(is_terminal=self._on_terminal, encoding=out.encoding, own=name)
        self._screen = Display(out, style, look.level)
        self._displays = [self._screen]
        self._styles = [style]
        self._waiting = Waiting(self._tell_of_stop, drain_delay)
        self._account = Account()
        self._begun = time.time()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Show what is logged meanwhile."""
        with self._screen.installed():
            yield

    @contextmanager
    def logging_to(self, log: LogSpec | None, folder: Path) -> Iterator[None]:
        """Write the same to a file meanwhile, if there is one; raises `LoadError` if that can't be."""
        if log is None:
            yield
            return
        with ExitStack() as stack:
            file = LogFile(log, folder)
            stack.callback(file.close)
            display = Display(file, self._style_of(file), self._look.level)
            stack.enter_context(display.installed())
            self._displays.append(display)
            stack.callback(self._displays.remove, display)
            yield

    def _style_of(self, file: Stream) -> Style:
        if self._look.format == "json":
            return in_json
        return Text(timestamps=True, own=self._name)

    def expect(self, player: Player) -> None:
        """Make room for the paths that there will be."""
        inner = inner_of(player)
        if not isinstance(inner, Conductor):
            return
        paths = [one.path for one in inner.status().walk() if not one.players]
        for style in self._styles:
            if isinstance(style, Text):
                for path in paths:
                    style.expect(path)

    def watch(self, performance: Performance) -> None:
        """See to the stop of this tree."""
        self._waiting.watch(performance)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self._account(event)
        ends_all = not event.path and isinstance(event, (Stopped, Failed))
        if not ends_all and not self._waiting.takes(event):  # the last line tells of the end
            for display in self._displays:
                display.observe(event)

    def tell(self, line: Line) -> None:
        """Show a line."""
        for display in self._displays:
            display.print(line)

    def _tell_of_stop(self, line: Line) -> None:
        if self._on_terminal:
            self._screen.write_over()
        self.tell(line)

    def note(self, text: str, sign: Sign = "note", more: tuple[str, ...] = ()) -> None:
        """Show a line about the program itself."""
        values = {"event": "note", "message": "\n".join((text, *more))}
        self.tell(Line(time.time(), "", sign, text, more, values))

    def end(self, failure: BaseException | None) -> int:
        """Tell how it has ended, and why if it failed; returns the exit code."""
        self._waiting.end()
        code = exit_code(failure)
        self.tell(self._account.summary(code))
        if failure is not None:
            for line in reasons(failure, self._screen.last_lines, self._account.last):
                self.tell(line)
        return code
