"""What is said while a program stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..._duration import duration
from ...events import CutOff, Event, Stopping
from ...performance import Performance
from ...status import PlayerStatus, State
from .line import Line

EVERY: Final = 1.0
"""Seconds from one line about those who are waited for to the next."""

_OVER: Final = (State.STOPPED, State.FAILED, State.ABANDONED, State.SKIPPED, State.WAITING)
_LATE: Final = (State.STOPPING, State.CUT_OFF)


def still_there(status: PlayerStatus) -> list[str]:
    """The paths of the players at the ends of a tree that have not ended."""
    return [one.path for one in _leaves(status) if one.state not in _OVER]


def waited_for(status: PlayerStatus) -> list[str]:
    """The paths of those at the ends of a tree that have been asked to stop, and have not ended."""
    return [one.path for one in _leaves(status) if one.state in _LATE]


def _leaves(status: PlayerStatus) -> Iterator[PlayerStatus]:
    return (one for one in status.walk() if not one.players and one.kind != "group")


def announcement(count: int, reason: object) -> str:
    """What is said when all are asked to stop.

    >>> announcement(7, "SIGINT")
    'stopping 7 players (Ctrl-C again to force)'
    """
    what = (
        f"stopping {count} players" if count > 1 else "stopping 1 player" if count else "stopping"
    )
    if reason == "SIGINT":
        return f"{what} (Ctrl-C again to force)"
    return what + ("" if reason is None else f": {reason}")


def waiting(paths: list[str], seconds: float, most: int = 8) -> str:
    """What is said of those who have not stopped yet.

    >>> waiting(["web", "jobs.mailer"], 2.0)
    'waiting for web and jobs.mailer, for 2 s now'
    """
    shown = paths if len(paths) <= most else [*paths[: most - 1], f"{len(paths) - most + 1} more"]
    *first, last = shown
    names = f"{', '.join(first)} and {last}" if first else last
    return f"waiting for {names}, for {duration(seconds)} now"


class Waiting:
    """Tells that all stop, and each second whom it still waits for: an observer of events."""

    def __init__(self, tell: Callable[[Line], None], drain_delay: float = 0.0) -> None:
        self._tell = tell
        self._drain_delay = drain_delay
        self._performance: Performance | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._by_keyboard = False

    def watch(self, performance: Performance) -> None:
        """See to this tree from now on."""
        self._performance = performance
        performance.on_drain = self._on_drain

    def end(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()

    def takes(self, event: Event) -> bool:
        """Whether this has told of an event, in words of its own."""
        if self._performance is None:
            return False
        if isinstance(event, (Stopping, CutOff)) and self._timer is None:
            self._since = time.monotonic()
            self._look_later()
        if isinstance(event, Stopping) and not event.path:
            status = self._performance.status()
            text = announcement(len(still_there(status)), event.reason)
            self._say("stopping", text, event.time, event="stopping", reason=event.reason)
            self._by_keyboard = event.reason == "SIGINT"
            return True
        if isinstance(event, CutOff) and not event.path and self._by_keyboard:
            text = "cutting off who is left (Ctrl-C again to end at once)"
            self._say("warning", text, event.time, event="cut_off")
            return True
        return False

    def _on_drain(self) -> None:
        assert self._performance is not None
        text = f"not ready any more, stopping in {duration(self._drain_delay)} (Ctrl-C again to stop now)"
        self._say("stopping", text, self._performance.wall_time(), event="draining")

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._look)

    def _look(self) -> None:
        assert self._performance is not None
        self._timer = None
        paths = waited_for(self._performance.status())
        if paths:
            text = waiting(paths, round(time.monotonic() - self._since))
            self._say("note", text, self._performance.wall_time(), event="waiting", players=paths)
            self._look_later()

    def _say(self, sign: Any, text: str, at: float, **values: Any) -> None:
        self._tell(Line(at, "", sign, text, values={**values, "message": text}))
