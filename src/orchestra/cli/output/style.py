"""How a line looks: as text, with colours or without, or as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal
from zlib import crc32

from .line import Line, Sign

ColorMode = Literal["auto", "always", "never"]

BOLD, DIM, RED, YELLOW, GREEN = "1", "2", "31", "33", "32"

_PATH_COLORS: Final = ("36", "35", "34", "32", "33", "96", "95", "94", "92", "93")
"""Neither red, which is for what is wrong, nor what is hard to read on black or on white."""

_SIGNS: Final[Mapping[Sign, tuple[str, str, str]]] = {
    # with all signs, with those of ASCII alone, in colour
    "output": ("│", "|", ""),
    "started": ("▸", ">", ""),
    "again": ("↻", "~", YELLOW),
    "ready": ("✓", "+", GREEN),
    "failed": ("✗", "x", RED),
    "stopping": ("□", "-", ""),
    "stopped": ("■", "-", ""),
    "warning": ("!", "!", YELLOW),
    "note": ("·", ".", ""),
}

WIDEST: Final = 32
"""Characters of a path for which the others are padded."""


def wants_color(mode: ColorMode, *, is_terminal: bool, env: Mapping[str, str]) -> bool:
    """Whether there are colours: as was said, or else on a terminal that has some, but for `NO_COLOR`.

    >>> wants_color("auto", is_terminal=True, env={"NO_COLOR": "1"})
    False
    """
    if mode != "auto":
        return mode == "always"
    return is_terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def color_of(path: str) -> str:
    """The colour of a path: the same in each run, and in each program."""
    return _PATH_COLORS[crc32(path.encode()) % len(_PATH_COLORS)]


@dataclass(slots=True)
class Text:
    """Lines as text: a prefix with the path, a sign, and what there is to say."""

    color: bool = False
    prefix: bool = True
    timestamps: bool = False
    ascii_only: bool = False
    width: int = 0
    own: str = "orchestra"  # what stands for the program itself
    # What was made for a path or a sign is kept: there may be very many lines.
    _names: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _marks: dict[Sign, str] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, line: Line) -> str:
        """The line, and a line for each of what it has more."""
        text = _visible(line.text, color=self.color)
        if not self.prefix and line.sign == "output":
            return self._stamp(line) + text
        if line.sign == "failed":
            text = self.paint(text, RED)
        lead = self._lead(line)
        shown = f"{lead}{self._mark(line.sign)} {text}".rstrip()
        if not line.more:
            return shown
        bar = self.paint("|" if self.ascii_only else "│", DIM)
        more = (f"{lead}{bar} {_visible(one, color=self.color)}".rstrip() for one in line.more)
        return "\n".join([shown, *more])

    def expect(self, path: str) -> None:
        """Pad the other paths for this one, if it is not too long."""
        width = min(len(path or self.own), WIDEST)
        if width > self.width:
            self.width = width
            self._names.clear()

    def paint(self, text: str, color: str) -> str:
        """The text in a colour."""
        return f"\033[{color}m{text}\033[0m" if self.color and color and text else text

    def _lead(self, line: Line) -> str:
        # Without prefixes, whose line it is has to be said all the same, unless it is a command's own.
        name = self._name(line.path) if self.prefix else line.path or self.own
        return f"{self._stamp(line)}{name} "

    def _name(self, path: str) -> str:
        name = self._names.get(path)
        if name is None:
            self.expect(path)
            padded = (path or self.own).ljust(self.width)
            name = self._names[path] = self.paint(padded, color_of(path) if path else BOLD)
        return name

    def _mark(self, sign: Sign) -> str:
        mark = self._marks.get(sign)
        if mark is None:
            plain, of_ascii, color = _SIGNS[sign]
            mark = self._marks[sign] = self.paint(of_ascii if self.ascii_only else plain, color)
        return mark

    def _stamp(self, line: Line) -> str:
        if not self.timestamps:
            return ""
        clock = f"{_clock(int(line.time))}.{int(line.time % 1 * 1000):03d}"
        return self.paint(clock, DIM) + " "


@lru_cache(maxsize=1)
def _clock(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def in_json(line: Line) -> str:
    """The line as JSON: its `time` in ISO 8601 and UTC, its `path`, and its values."""
    made = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds")
    values = {"time": made, "path": line.path, **line.values}
    return json.dumps(values, ensure_ascii=False, default=str)


Style = Callable[[Line], str]


def _visible(text: str, *, color: bool) -> str:
    """Text that moves no cursor: its colours may stay, what clears or turns a screen may not."""
    if text.isprintable():
        return text
    # Of a progress bar, what it showed in the end.
    last = text.rstrip("\r").rpartition("\r")[2].expandtabs()
    if not color:
        return _WITHOUT_CONTROL("", last)
    shown = _WITHOUT_MOVES("", last)
    return f"{shown}\033[0m" if "\033" in shown else shown


# After an escape: titles and links, other sequences of several signs, and one sign.
_SEQUENCE: Final = r"(?:\][^\007\033]*(?:\007|\033\\)|\[[0-?]*[ -/]*[@-~]|[^\[]?)"
_SINGLE: Final = r"[\x00-\x1a\x1c-\x1f\x7f-\x9f]"
_WITHOUT_CONTROL: Final = re.compile(rf"\033{_SEQUENCE}|{_SINGLE}").sub
_WITHOUT_MOVES: Final = re.compile(rf"\033(?!\[[\d;:]*m){_SEQUENCE}|{_SINGLE}").sub
