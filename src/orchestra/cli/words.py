"""Glyphs, colours and tables: plain aligned text, which can be read without any of its colours."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple, TextIO

import click


class Look(NamedTuple):
    """How a state is shown; the word itself is always beside it."""

    glyph: str
    colour: str


_LOOKS: Final = {
    "waiting": Look("…", "blue"),
    "starting": Look("…", "blue"),
    "ready": Look("✓", "green"),
    "done": Look("✓", "green"),
    "degraded": Look("!", "yellow"),
    "backing off": Look("↻", "yellow"),
    "stopping": Look("■", "yellow"),
    "stopped": Look("○", "bright_black"),
    "skipped": Look("○", "bright_black"),
}
_BAD: Final = Look("✗", "red")  # cut off, failed, abandoned

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line, with its colours if they are wanted there."""
    click.echo(text, err=err, color=has_colours(sys.stderr if err else sys.stdout))


def has_colours(stream: TextIO) -> bool:
    """Whether what is printed there may have colours."""
    env = os.environ
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def state(word: str) -> str:
    """A state as glyph and word, in its colour."""
    look = _LOOKS.get(word, _BAD)
    return click.style(f"{look.glyph} {word}", fg=look.colour)


def bad(text: str) -> str:
    """A word about what is wrong, after its glyph, in its colour."""
    return click.style(f"{_BAD.glyph} {text}", fg=_BAD.colour)


def bold(text: str) -> str:
    """A text that stands out, where that can be seen."""
    return click.style(text, bold=True)


def in_a_line(text: str) -> str:
    r"""A text of somebody's in a line of ours: without its colours and what moves the cursor.

    >>> in_a_line("\x1b[31mred\x1b[0m\tand\n more")
    'red and  more'
    """
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text))


def width_of(text: str) -> int:
    """Columns that a text takes in a terminal."""
    bare = _ESCAPES.sub("", text)
    if bare.isascii():
        return len(bare)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in bare)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns; the last is cut off where the terminal ends, if there is one."""
    cells = [[bold(head) for head in heads], *rows]
    widths = [max(width_of(row[column]) for row in cells) for column in range(len(heads))]
    room = _columns()
    lines = []
    for row in cells:
        line = "  ".join(
            cell + " " * (width - width_of(cell))
            for cell, width in zip(row[:-1], widths, strict=False)
        )
        last = row[-1]
        if room is not None:
            last = _cut(last, room - width_of(line) - 2)
        lines.append(f"{line}  {last}".rstrip())
    return lines


def _cut(text: str, room: int) -> str:
    if width_of(text) <= room or _ESCAPES.search(text):
        return text
    while text and width_of(text) > room - 1:
        text = text[:-1]
    return text + "…" if text else ""


def _columns() -> int | None:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None
