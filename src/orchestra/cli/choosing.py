"""Which players are meant, by path, group or glob, and whether those are ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from .failures import Unknown

FAILED_STATES: Final = ("failed", "abandoned", "cut off")
AT_REST: Final = ("stopped", "skipped", "failed", "abandoned")
"""States of players that do not play, and have nothing ahead of them."""


def chosen(patterns: Iterable[str], paths: Sequence[str]) -> list[str]:
    """The paths that are meant, none of which is below another; raises `Unknown` for a pattern with none.

    A glob's `*` goes over dots, too.

    >>> chosen(["jobs.*", "api"], ["", "api", "jobs", "jobs.a", "jobs.b", "jobs.b.x"])
    ['api', 'jobs.a', 'jobs.b']
    """
    meant: set[str] = set()
    for pattern in patterns:
        if pattern in paths:
            found = [pattern]
        elif any(sign in pattern for sign in "*?["):
            found = [path for path in paths if path and fnmatchcase(path, pattern)]
        else:
            found = []
        if not found:
            raise _nobody(pattern, paths)
        meant.update(found)
    return [
        path
        for path in paths
        if path in meant and not any(is_within(path, one) for one in meant if one != path)
    ]


def _nobody(pattern: str, paths: Sequence[str]) -> Unknown:
    from ..errors import nearest

    return Unknown(f"no player {pattern!r}. {nearest(pattern, [path for path in paths if path])}")


def is_within(path: str, above: str) -> bool:
    """Whether a path is this one, or below it."""
    return not above or path == above or path.startswith(above + ".")


def is_chosen(path: str, meant: Sequence[str]) -> bool:
    """Whether a path is one of those that are meant, or below one; without any, all are meant."""
    return not meant or any(is_within(path, one) for one in meant)


def unready(overview: Mapping[str, Any], meant: Sequence[str]) -> list[str]:
    """The paths of those that are meant and keep them from being ready.

    Among all players, one that is at rest keeps nobody; one that is named has to play.
    """
    found = [path for path in overview["unready"] if is_chosen(path, meant)]
    resting = [
        row["path"]
        for row in overview["players"]
        if row["path"] in meant and row["state"] in AT_REST and row["path"] not in found
    ]
    return resting + found
