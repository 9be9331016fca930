"""Waiting for clients, and not for ever, while a server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Final

from .transports import unsent

LONGEST: Final = 0.5
"""Seconds that a silent client is waited for during a stop; a quarter of the time, if that is less."""

LINGER: Final = 0.05
"""Seconds that an idle connection is kept when a stop begins: its client's next request may be on its way."""

LONGEST_PAUSE: Final = 0.02


class Patience:
    """With each client that owes us something, as long as it is not silent for so many seconds.

    That is the rest of a request, or the goodbye that TLS and websockets ask for.
    """

    def __init__(self, timeout: float, longest: float = LONGEST) -> None:
        self.seconds = min(longest, timeout / 4)
        self._loop = asyncio.get_running_loop()
        self._since: dict[Hashable, tuple[object, float]] = {}

    def is_over(self, who: Hashable, heard: object = None) -> bool:
        """Whether this one has been silent for too long; anew when `heard` is another than before."""
        now = self._loop.time()
        before, since = self._since.setdefault(who, (heard, now))
        if before != heard:
            self._since[who] = heard, now
            return False
        return now - since >= self.seconds

    def hurry(self, transport: Any) -> None:
        """Abort a transport that closes, if its client has got everything and still does not go."""
        # One that has not got everything may take its time.
        left = unsent(transport)
        if self.is_over(transport, left) and not left:
            transport.abort()


async def until(look: Callable[[], bool], deadline: float) -> bool:
    """Look again and again until it gives True; False if that is not before the deadline."""
    loop = asyncio.get_running_loop()
    pause = 0.001
    while not look():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True
