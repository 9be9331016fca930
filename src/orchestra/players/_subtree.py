"""What is known here of the players in another process."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..status import Players, PlayerStatus, State
from ._carried import place, portable_details
from ._requests import Requests

_OVER = (State.WAITING, State.STOPPED, State.FAILED, State.SKIPPED)


class RemoteTree:
    """The last that a process has told of its players, in its parent; read from any thread."""

    def __init__(self, requests: Requests) -> None:
        self.pid: int | None = None
        self._requests = requests
        self._told: tuple[float, PlayerStatus] | None = None
        self._places: Mapping[str, str] = {}
        self._places_are_new = False  # newer than the status
        self._unanswered = False

    def tell(self, status: PlayerStatus) -> None:
        """This is how it looks there now."""
        self._told = (time.monotonic(), status)
        self._places_are_new = False

    def ask_places(self) -> None:
        """It is asked where everybody is: what it told before counts, unless it answers no more."""
        if self._unanswered:
            self._places, self._places_are_new = {}, False
        self._unanswered = True

    def tell_places(self, places: Mapping[str, str]) -> None:
        """This is where those are now that still go on there."""
        self._places = places
        self._places_are_new = True
        self._unanswered = False

    def status(self) -> PlayerStatus | None:
        """The player itself with all below it."""
        told = self._told
        return None if told is None else _aged(told[1], time.monotonic() - told[0])

    def leaves(self) -> Mapping[str, str]:
        """Those that go on at the ends of the tree, as far as it is known, and where each is."""
        if self._told is None or self.pid is None:
            return {}
        paths = self._places if self._places_are_new else _alive(self._told[1])
        return {path: place(self.pid, self._places.get(path, "")) for path in paths}

    async def ask(self, act: Callable[..., Any], *args: object) -> Any:
        """What a function comes to there, with the performance there and these arguments."""
        return await self._requests.ask(act, *args)

    def where(self) -> str:
        """Where the player itself is."""
        return "" if self.pid is None else place(self.pid, "")


def _alive(status: PlayerStatus) -> Iterator[str]:
    below = [one for one in status.players if one.state not in _OVER]
    for one in below:
        yield from _alive(one)
    if not below:
        yield status.path


def _aged(status: PlayerStatus, seconds: float) -> PlayerStatus:
    """The same some seconds later, as nothing has happened since."""
    uptime, left = status.uptime, status.next_restart_in
    return replace(
        status,
        uptime=None if uptime is None else uptime + seconds,
        next_restart_in=None if left is None else max(0.0, left - seconds),
        players=Players(_aged(one, seconds) for one in status.players),
    )


def sendable_status(status: PlayerStatus) -> PlayerStatus:
    """In the child: a status that can be sent."""
    return replace(
        status,
        details=portable_details(status.details),
        players=Players(map(sendable_status, status.players)),
    )


def what_counts(status: PlayerStatus) -> bytes:
    """All of a status that can be sent but the time, to compare it with another."""
    return pickle.dumps(_timeless(status))


def _timeless(status: PlayerStatus) -> PlayerStatus:
    return replace(
        status,
        since=0.0,
        uptime=None,
        next_restart_in=None,
        players=Players(map(_timeless, status.players)),
    )
