"""The sockets of a server whose copies play in other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .listener import Listener


class Loan:
    """One listener for all who have taken it, open until the last has given it back."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._takers = 0
        self._lock = asyncio.Lock()

    async def take(self, open_it: Callable[[], Awaitable[Listener]]) -> Listener:
        """The listener, opened by the first who takes it."""
        # While the first waits for the name of a host, the second must not open another.
        async with self._lock:
            if self._listener is None:
                self._listener = await open_it()
            self._takers += 1
            return self._listener

    def give_back(self) -> None:
        """One has no more use for it."""
        self._takers = max(0, self._takers - 1)
        if not self._takers and self._listener is not None:
            self._listener.close()
            self._listener = None
