"""One after the other, however many come up meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable


class Turns:
    """Calls `take` with one name after the other, also with those that a call brings up.

    By a queue and not by calls within calls: a chain of players that each start, or stop, once the
    one before has may be longer than the stack is deep.

    >>> def take(name):
    ...     print(name)
    ...     turns.take(["b", "c"] if name == "a" else [])
    >>> turns = Turns(take)
    >>> turns.take("ad")
    a
    d
    b
    c
    """

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take
        self._queue: deque[str] = deque()

    def take(self, names: Iterable[str]) -> None:
        """Take these, after those that are queued already."""
        busy = bool(self._queue)
        self._queue.extend(names)
        while self._queue and not busy:
            self._take(self._queue[0])
            self._queue.popleft()
