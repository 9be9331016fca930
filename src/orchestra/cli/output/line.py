"""One line of output, before it is known how it will look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Sign = Literal[
    "output", "started", "again", "ready", "failed", "stopping", "stopped", "warning", "note"
]


@dataclass(frozen=True, slots=True)
class Line:
    """What is said about a player, and when: `more` are further lines of text, as of a traceback.

    `values` are what it says as JSON, beside `time` and `path`.
    """

    time: float
    path: str
    sign: Sign
    text: str
    more: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
