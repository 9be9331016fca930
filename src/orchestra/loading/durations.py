"""Durations as people write them: `20s`, `1m 30s`, `500ms`."""

from __future__ import annotations

import re
from typing import Any, Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def parse_duration(value: Any) -> float:
    """A duration in seconds: a number of them, or text with units; `ValueError` for anything else.

    >>> parse_duration("1m 30s"), parse_duration("500ms"), parse_duration(2)
    (90.0, 0.5, 2.0)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 <= value < float("inf"):
            return float(value)
    elif isinstance(value, str):
        total, position = 0.0, 0
        while match := _PART.match(value, position):
            total += float(match[1]) * _UNITS[match[2]]
            position = match.end()
        if position and position == len(value) and total < float("inf"):
            return total
    raise ValueError(
        f"{value!r} is no duration: write '20s', '1m 30s', '500ms' or a number of seconds"
    )
