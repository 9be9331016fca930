"""How a line looks: as text, with colours or without, or as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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

    def __call__(self, line: Line) -> str:
        """The line, and a line for each of what it has more."""
        sign, plain_sign, color = _SIGNS[line.sign]
        sign = plain_sign if self.ascii_only else sign
        lead, text = self._lead(line), _visible(line.text, color=self.color)
        if line.sign == "failed":
            text = self.paint(text, RED)
        shown = f"{lead}{self.paint(sign, color)} {text}".rstrip()
        if not self.prefix and line.sign == "output":
            shown = self._stamp(line) + text
        bar = self.paint("|" if self.ascii_only else "│", DIM)
        return "\n".join(
            [
                shown,
                *(f"{lead}{bar} {_visible(one, color=self.color)}".rstrip() for one in line.more),
            ]
        )

    def expect(self, path: str) -> None:
        """Pad the other paths for this one, if it is not too long."""
        self.width = max(self.width, min(len(path or self.own), WIDEST))

    def paint(self, text: str, color: str) -> str:
        """The text in a colour."""
        return f"\033[{color}m{text}\033[0m" if self.color and color and text else text

    def _lead(self, line: Line) -> str:
        if not self.prefix:
            # Whose line it is has to be said somewhere, unless it is the command's own.
            whose = "" if line.sign == "output" else f"{line.path or self.own} "
            return self._stamp(line) + whose
        self.expect(line.path)
        name = (line.path or self.own).ljust(self.width)
        color = color_of(line.path) if line.path else BOLD
        return f"{self._stamp(line)}{self.paint(name, color)} "

    def _stamp(self, line: Line) -> str:
        if not self.timestamps:
            return ""
        clock = time.strftime("%H:%M:%S", time.localtime(line.time))
        return self.paint(f"{clock}.{int(line.time % 1 * 1000):03d}", DIM) + " "


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
    colored = False

    def keep(found: re.Match[str]) -> str:
        nonlocal colored
        sequence = found[0]
        if not color or not sequence.startswith("\033[") or not sequence.endswith("m"):
            return ""
        colored = True
        return sequence

    shown = _CONTROL(keep, last)
    return f"{shown}\033[0m" if colored else shown


_CONTROL: Final = re.compile(r"\033\[[0-?]*[ -/]*[@-~]|\033[^\[]?|[\x00-\x1f\x7f-\x9f]").sub
