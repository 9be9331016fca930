"""One line of output, before it is known how it will look."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

Sign = Literal[
    "output", "started", "again", "ready", "failed", "stopping", "stopped", "warning", "note"
]


_NO_VALUES: Final[Mapping[str, Any]] = MappingProxyType({})


class Line(NamedTuple):
    """What is said about a player, and when: `more` are further lines of text, as of a traceback.

    `values` are what it says as JSON, beside `time` and `path`.
    """

    time: float
    path: str
    sign: Sign
    text: str
    more: tuple[str, ...] = ()
    values: Mapping[str, Any] = _NO_VALUES
