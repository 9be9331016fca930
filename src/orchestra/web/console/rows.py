"""The tree as a flat list of plain values: what a page, a table or another program reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..._snapshot import below
from ...performance import Performance
from ...status import PlayerStatus, State, plain

VERSION: Final = 1
"""The version of the form of all that is given here. It grows when a key changes its meaning or goes;
new keys may come at any time."""

NOTHING: Final[dict[str, Any]] = {"waits_for": [], "copies": None}
"""What is told of a player that waits for nobody, and is no group of copies."""

# None of them plays, and nobody waits for them to.
_AT_REST: Final = (State.STOPPED, State.SKIPPED)
_PLAYING: Final = (State.READY, State.DEGRADED)


def rows(status: PlayerStatus) -> list[dict[str, Any]]:
    """The players of a tree, parents first, each with the path of its `parent`; that of the root is None.

    Each row has `path`, `parent`, `name`, `kind`, `state`, `ready`, `done`, `since`, `uptime`, `restarts`,
    `next_restart_in`, `error` and `details`; times are in seconds, `since` counts from 1970.

    >>> from orchestra import Conductor
    >>> found = rows(Conductor({"api": lambda: None}).status())
    >>> [(row["path"], row["parent"]) for row in found]
    [('', None), ('api', '')]
    """
    return [_row(player, parent) for player, parent in _walk(status, None)]


def row(status: PlayerStatus, path: str) -> dict[str, Any]:
    """The row of one player; raises `KeyError` for a path that nobody has."""
    for player, parent in _walk(status, None):
        if player.path == path:
            return _row(player, parent)
    raise KeyError(path)


def _walk(status: PlayerStatus, parent: str | None) -> Iterator[tuple[PlayerStatus, str | None]]:
    yield status, parent
    for player in status.players:
        yield from _walk(player, status.path)


def _row(player: PlayerStatus, parent: str | None) -> dict[str, Any]:
    # By hand, since there may be thousands of them, four times a second.
    return {
        "path": printable(player.path),
        "parent": printable(parent),
        "name": printable(player.name),
        "kind": printable(player.kind),
        "state": player.state.value,
        "ready": player.ready,
        "done": player.done,
        "since": player.since,
        "uptime": player.uptime,
        "restarts": player.restarts,
        "next_restart_in": player.next_restart_in,
        "error": printable(player.error),
        "details": {
            printable(key): printable(plain(value)) for key, value in player.details.items()
        },
    }


def unready(status: PlayerStatus) -> list[str]:
    """The paths of those that keep the tree from being ready, as far down as they can be named.

    A player that has ended well, is idle or was skipped keeps nobody. A group is named only if none
    of its players is to blame.
    """
    if status.state in _AT_REST:
        return []
    further_down = [path for player in status.players for path in unready(player)]
    fine = status.ready and status.state in _PLAYING
    return further_down or ([] if fine else [status.path])


def reasons(performance: Performance) -> dict[str, dict[str, Any]]:
    """By path, of those of whom there is something to tell.

    `waits_for` are the paths of those that a waiting player waits for, and `copies` is the number of
    copies of what can be scaled, else None.
    """
    found: dict[str, dict[str, Any]] = {}
    for keeper in performance.supervisors():
        for life in list(keeper.lives.values()):
            waiting = life.state is State.WAITING
            names = keeper.waits_for(life.name) if waiting else []
            waits_for = [keeper.lives[name].path for name in names if name in keeper.lives]
            copies = len(below(life)) if callable(getattr(life.player, "scale", None)) else None
            if waits_for or copies is not None:
                found[life.path] = {"waits_for": waits_for, "copies": copies}
    return found


def printable(value: Any) -> Any:
    """The same, with text that can be sent as UTF-8: what no text should have in it becomes `?`."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {printable(key): printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [printable(one) for one in value]
    return value
