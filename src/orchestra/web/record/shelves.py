"""The newest of many numbered things, by key: bounded for each key, and in all."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    """What lies on a shelf: numbers grow with time."""

    @property
    def id(self) -> int:
        """Its number."""
        ...


T = TypeVar("T", bound=Numbered)
K = TypeVar("K", bound=Hashable)


class Shelves(Generic[K, T]):
    """A shelf a key, with its newest `each` things; of all shelves together, the newest `most`.

    Not to be used by several threads at once.
    """

    def __init__(self, each: int, most: int) -> None:
        self._each, self._most = each, most
        self._shelves: dict[K, deque[T]] = {}
        self._order: deque[tuple[K, int]] = (
            deque()
        )  # all that were put, less those known to be gone
        self._count = 0

    def __len__(self) -> int:
        """How many things there are on all shelves."""
        return self._count

    def put(self, key: K, thing: T) -> None:
        """Add the newest, and let go of the oldest where there is one too many."""
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = deque()
        shelf.append(thing)
        self._order.append((key, thing.id))
        self._count += 1
        if len(shelf) > self._each:
            shelf.popleft()
            self._count -= 1
        while self._count > self._most:
            self._drop_oldest()
        if len(self._order) > 2 * self._most:
            self._order = deque(one for one in self._order if self._is_there(*one))

    def _drop_oldest(self) -> None:
        key, number = self._order.popleft()
        if self._is_there(key, number):
            self._shelves[key].popleft()
            self._count -= 1
            if not self._shelves[key]:
                del self._shelves[key]

    def _is_there(self, key: K, number: int) -> bool:
        # A shelf lets go of its oldest first, so its oldest tells of all before it.
        shelf = self._shelves.get(key)
        return shelf is not None and shelf[0].id <= number

    def newest(self, key: K) -> T | None:
        """The newest on a shelf."""
        shelf = self._shelves.get(key)
        return shelf[-1] if shelf else None

    def take_newest(self, key: K) -> None:
        """Take the newest from a shelf."""
        shelf = self._shelves[key]
        shelf.pop()
        self._count -= 1
        if not shelf:
            del self._shelves[key]

    def clear(self, key: K) -> None:
        """Let go of a whole shelf."""
        self._count -= len(self._shelves.pop(key, ()))

    def of(self, key: K) -> Sequence[T]:
        """What is on a shelf, oldest first."""
        return self._shelves.get(key, ())

    def __iter__(self) -> Iterator[K]:
        """The shelves on which there is something."""
        return iter(self._shelves)
