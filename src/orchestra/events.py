"""What happens to players, as frozen values: the one source of logs, metrics and tests.

An observer is a `Callable[[Event], None]`. A player's events come in the order of its life:
`Started`, `Ready`, then for each failure `Failed` and, if it comes back, `BackingOff` and `Started`
again; `Stopping` when it is asked to stop, `CutOff` and `Abandoned` when it does not, and `Stopped`
(or a `Failed` that is `final`, or `Abandoned`) as the last. They may be kept and shared by threads.

    >>> def observer(event):
    ...     match event:
    ...         case Failed(path=path, error=error):
    ...             print(path, "failed:", error)
    >>> observer(Failed("api.worker", 0.0, OSError("no space left")))
    api.worker failed: no space left
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events: which player, and when (seconds since 1970).

    >>> Stopped("api.worker", 0.0).path
    'api.worker'
    """

    path: str
    time: float


Observer = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A run of the player has begun; `restarts` runs went before it."""

    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """The player serves now; `details` are what it gave to `ctx.ready(...)`.

    It is `implied` for a player that does not signal it, and counts as ready once started.
    """

    details: Mapping[str, object] = field(default_factory=dict)
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A run of the player has failed with `error`; if `final`, there is no other."""

    error: Exception
    restarts: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class BackingOff(Event):
    """The player comes back after `delay` seconds; `error` is None after a run that ended well."""

    delay: float
    restarts: int
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Stopping(Event):
    """The player was asked to stop; `reason` is what its context gives as reason."""

    reason: object | None = None


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """The player has ended, and does not come back."""


@dataclass(frozen=True, slots=True)
class CutOff(Event):
    """The player was not done in time; `where` says what it was at when it was cut off."""

    where: str = ""


@dataclass(frozen=True, slots=True)
class Abandoned(Event):
    """Cutting the player off did not end it; it may go on at `where`."""

    where: str = ""


@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """The player is a conductor that plays under this root already."""
