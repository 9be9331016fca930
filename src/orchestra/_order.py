"""The order of a group: who starts after whom, and so stops before whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping

from .errors import nearest


def check_after(
    after: Mapping[str, Iterable[str]], names: Collection[str], *, ordered: bool = False
) -> dict[str, tuple[str, ...]]:
    """The same as tuples; `ValueError` if it names nobody, or goes round in a circle.

    With `ordered`, each name also goes after the one before it.
    """
    if not isinstance(after, Mapping):
        raise TypeError(f"after is a mapping, as in {{'api': ['db']}}, not {after!r}")
    checked: dict[str, tuple[str, ...]] = {}
    for name, before in after.items():
        if isinstance(before, str) or not isinstance(before, Iterable):
            raise ValueError(f"after={{{name!r}: {before!r}}} needs a collection: [{before!r}]")
        checked[name] = tuple(before)
        for known in (name, *checked[name]):
            if known not in names:
                raise ValueError(
                    f"after names {known!r}, which is no player. {nearest(str(known), names)}"
                )
    edges = checked
    if ordered and checked:
        chain = zip([(), *((name,) for name in names)], names, strict=False)
        edges = {name: (*checked.get(name, ()), *previous) for previous, name in chain}
    circle = find_circle(edges)
    if circle:
        raise ValueError(f"after goes round in a circle: {' -> '.join(circle)}")
    return checked


def find_circle(after: Mapping[str, Collection[str]]) -> list[str]:
    """A circle, its first name also the last; empty if there is none.

    >>> find_circle({"a": ["b"], "b": ["a"]})
    ['a', 'b', 'a']
    """
    done: set[str] = set()
    for start in after:
        # By hand instead of by recursion, since a chain may be longer than the stack is deep.
        trail: dict[str, None] = {}
        todo: list[tuple[str, bool]] = [(start, True)]
        while todo:
            name, entering = todo.pop()
            if not entering:
                done.add(name)
                del trail[name]
            elif name in trail:
                names = list(trail)
                return [*names[names.index(name) :], name]
            elif name not in done:
                trail[name] = None
                todo.append((name, False))
                todo += [(before, True) for before in after.get(name, ())]
    return []


class Order:
    """Who still keeps whom from starting, and from being asked to stop.

    It counts down: a player starts when none that goes before it is left to wait for, and is asked
    to stop when none that came after it is left.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, ...]] = {}
        self._behind: dict[str, list[str]] = {}
        self._waits_for: dict[str, set[str]] = {}
        self._kept_by: dict[str, set[str]] = {}
        self._keeps: dict[str, set[str]] = {}
        self._over: set[str] = set()

    def add(self, name: str, before: Iterable[str], settled: Container[str] = ()) -> None:
        """Take in a player that goes after those in `before`, some of which are settled by now."""
        self._before[name] = tuple(dict.fromkeys(before))
        self._waits_for[name] = {other for other in self._before[name] if other not in settled}
        self._behind.setdefault(name, [])
        self._kept_by.setdefault(name, set())
        for other in self._before[name]:
            self._behind.setdefault(other, []).append(name)
            self._kept_by.setdefault(other, set())
        self.begin(name)

    def remove(self, name: str) -> list[str]:
        """Let go of a player: those that came after it come after those before it, or may start."""
        before, behind = self._before.pop(name), self._behind.pop(name)
        waits_for = self._waits_for.pop(name)
        self.end(name)
        self._over.discard(name)
        self._keeps.pop(name)
        for other in self._kept_by.pop(name):
            self._keeps[other].discard(name)
        for other in before:
            self._behind[other].remove(name)
        for other in behind:
            others = (one for one in self._before[other] if one != name)
            self._before[other] = tuple(dict.fromkeys((*others, *before)))
            if name in self._waits_for[other]:
                self._waits_for[other].discard(name)
                self._waits_for[other] |= waits_for
            for one in before:
                if other not in self._behind[one]:
                    self._behind[one].append(other)
        return [other for other in behind if not self._waits_for[other]]

    def settle(self, name: str) -> list[str]:
        """It has been ready, or has ended: those that may start for it."""
        free = []
        for other in self._behind[name]:
            waits_for = self._waits_for[other]
            if name in waits_for:
                waits_for.remove(name)
                if not waits_for:
                    free.append(other)
        return free

    def end(self, name: str) -> list[str]:
        """It is over: those that may be asked to stop for it."""
        free = []
        still_there = self._kept_by[name]
        for other in self._keeps[name]:
            # Who came after it came after those before it as well, and keeps them from now on.
            kept_by = self._kept_by[other]
            kept_by.discard(name)
            kept_by |= still_there
            if not kept_by:
                free.append(other)
        for one in still_there:
            self._keeps[one] |= self._keeps[name]
        self._keeps[name] = set()
        self._over.add(name)
        return free

    def begin(self, name: str) -> None:
        """It plays, and so keeps those before it, and those before them where they are over."""
        self._over.discard(name)
        keeps = dict.fromkeys(self._before[name])
        todo = list(keeps)
        for other in todo:
            self._kept_by[other].add(name)
            if other in self._over:
                further = [one for one in self._before[other] if one not in keeps]
                keeps.update(dict.fromkeys(further))
                todo += further
        self._keeps[name] = set(keeps)

    def may_start(self, name: str) -> bool:
        """Whether all that go before it have been ready or have ended."""
        return not self._waits_for[name]

    def may_stop(self, name: str) -> bool:
        """Whether all that came after it are over."""
        return not self._kept_by[name]

    def depths(self, alive: Collection[str]) -> dict[str, int]:
        """How many of those alive stop one after the other from each on: how to share out the time.

        >>> order = Order()
        >>> order.add("db", []); order.add("api", ["db"])
        >>> order.depths({"db", "api"})
        {'db': 1, 'api': 2}
        """
        depths: dict[str, int] = {}
        missing = {name: len(before) for name, before in self._before.items()}
        free = deque(name for name, number in missing.items() if not number)
        while free:
            name = free.popleft()
            longest = max((depths[other] for other in self._before[name]), default=0)
            depths[name] = longest + (name in alive)
            for other in self._behind[name]:
                missing[other] -= 1
                if not missing[other]:
                    free.append(other)
        return depths
