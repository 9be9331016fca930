"""What a tree of players looks like at one moment, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, Final, SupportsIndex, overload

from ._duration import duration
from .errors import nearest


class State(StrEnum):
    """Where a player is in its life; each is also the word that is shown for it.

    | state | what it means |
    |---|---|
    | `WAITING` | not started yet: it comes after others, or its group does not play |
    | `STARTING` | a run has begun, and is not ready yet |
    | `READY` | it serves |
    | `DEGRADED` | a group that was ready, and one of whose players is not at the moment |
    | `BACKING_OFF` | it failed, and comes back after a delay |
    | `STOPPING` | it was asked to stop |
    | `CUT_OFF` | its time was over; it was cancelled or killed, and has not ended yet |
    | `STOPPED` | it has ended well, was stopped by hand, or is idle |
    | `FAILED` | it failed, and does not come back |
    | `ABANDONED` | even the cut-off did not end it |
    | `SKIPPED` | a conductor that plays in this tree already |
    """

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    CUT_OFF = "cut off"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"
    SKIPPED = "skipped"


class Players(tuple["PlayerStatus", ...]):
    """The players of a group, in their order; also by name, as in `status.players["api"]`.

    An unknown name is a `KeyError` with the nearest.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex) -> PlayerStatus: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[PlayerStatus, ...]: ...
    @overload
    def __getitem__(self, key: str) -> PlayerStatus: ...
    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        for player in self:
            if player.name == key:
                return player
        raise KeyError(f"no player {key!r}. {nearest(key, self.keys())}")

    def __contains__(self, key: object) -> bool:
        """Whether there is a player with this name, or this very player."""
        return any(player.name == key or player == key for player in self)

    def keys(self) -> Iterable[str]:
        """The names."""
        return [player.name for player in self]

    def values(self) -> Iterable[PlayerStatus]:
        """The players."""
        return list(self)

    def items(self) -> Iterable[tuple[str, PlayerStatus]]:
        """The names with their players."""
        return [(player.name, player) for player in self]


NOBODY: Final = Players()


@dataclass(frozen=True, slots=True)
class PlayerStatus:
    """A player and all below it, as they were when this was taken; safe to share and to keep.

    `since` is when the state began, in seconds since 1970. `uptime` are the seconds that this run
    has taken so far, and `next_restart_in` those until the next; None where there is no such thing.
    `error` is the last failure, as `"ValueError: boom"`. `details` are what the player gave to
    `ctx.ready(...)`, and `zombies`, if there are any: runs that were abandoned and still go on. `done` says
    that it has come to an end of its own, and well: it neither failed nor was it asked to stop.

    >>> print(PlayerStatus("db", "db", "command", State.READY, True, 0.0, uptime=90.0))
    db  command  ready  1 m 30 s
    """

    name: str
    path: str
    kind: str
    state: State
    ready: bool
    since: float
    uptime: float | None = None
    restarts: int = 0
    next_restart_in: float | None = None
    error: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    players: Players = NOBODY
    done: bool = False

    def find(self, path: str) -> PlayerStatus:
        """The player with this full path, in this tree; raises `KeyError` with the nearest path."""
        for player in self.walk():
            if player.path == path:
                return player
        paths = [player.path for player in self.walk() if player.path]
        raise KeyError(f"no player {path!r}. {nearest(path, paths)}")

    def walk(self) -> Iterator[PlayerStatus]:
        """This player and all below it, parents first."""
        yield self
        for player in self.players:
            yield from player.walk()

    def to_dict(self) -> dict[str, Any]:
        """The same as values that JSON has; details that are no such values as text."""
        return {
            "name": self.name,
            "path": self.path,
            "kind": self.kind,
            "state": str(self.state),
            "ready": self.ready,
            "done": self.done,
            "since": self.since,
            "uptime": self.uptime,
            "restarts": self.restarts,
            "next_restart_in": self.next_restart_in,
            "error": self.error,
            "details": {key: plain(value) for key, value in self.details.items()},
            "players": [player.to_dict() for player in self.players],
        }

    def __str__(self) -> str:
        """The tree, a line a player."""
        rows = list(_rows(self, "", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = (
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
            )
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)


def _rows(status: PlayerStatus, lead: str, below: str) -> Iterator[tuple[str, str, str, str]]:
    yield lead + (status.name or "conductor"), status.kind, _state(status), _remarks(status)
    for number, player in enumerate(status.players, 1):
        last = number == len(status.players)
        yield from _rows(
            player, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")
        )


def _state(status: PlayerStatus) -> str:
    if status.next_restart_in is None:
        return str(status.state)
    return f"{status.state}, {duration(status.next_restart_in)}"


def _remarks(status: PlayerStatus) -> str:
    remarks = []
    if status.uptime is not None:
        remarks.append(duration(status.uptime))
    if status.restarts:
        remarks.append("1 restart" if status.restarts == 1 else f"{status.restarts} restarts")
    remarks += [f"{key}={in_short(value)}" for key, value in status.details.items()]
    if status.error is not None and status.state is not State.READY:
        remarks.append(status.error)
    return "  ".join(remarks)


def in_short(value: object) -> str:
    """A detail as it is shown in a line."""
    values = value if isinstance(value, (list, tuple)) else (value,)
    # In one line, as all that is in a tree.
    return " ".join(", ".join(str(one) for one in values).split())


def plain(value: object) -> Any:
    """The value, or what is nearest to it in JSON."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no such numbers
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return str(value)
