"""On which line of a TOML file something is, which the parser does not tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_HEADER: Final = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(#.*)?").fullmatch
_KEY: Final = re.compile(
    r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
).match
_PART: Final = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'").findall


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line of the key with this path, or of the nearest table around it.

    >>> line_of('[players.api]\\ncommand = "x"\\ncwd = "/"', ["players", "api", "cwd"])
    3
    """
    best: tuple[int, int] | None = None
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER(line), _KEY(line)
        if header is not None and key is None:
            table = _parts(header[1])
            found = table
        elif key is not None:
            found = table + _parts(key[1])
        else:
            continue
        # A header names the tables above it as well, where they have none of their own.
        shared = min(len(found), len(path)) if key is None else len(found)
        if found[:shared] == list(path[:shared]) and (best is None or shared > best[0]):
            best = shared, number
    return None if best is None else best[1]


def _parts(dotted: str) -> list[str]:
    return [one.strip("\"'") for one in _PART(dotted)]
