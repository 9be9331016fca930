"""The order of a group: who starts after whom, and so stops before whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any, Final, Literal, get_args

from .errors import nearest

Condition = Literal["started", "ready", "done"]
"""What a player waits for in another: its first run has begun, it is ready, it has ended well."""

Befores = Mapping[str, Condition]
"""Those that a player goes after, each with what it waits for."""

# Each implies those before it: whoever has ended well has been ready, as far as others care.
_CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
_STEPS: Final = {condition: step for step, condition in enumerate(_CONDITIONS)}


def implies(reached: Condition, condition: Condition) -> bool:
    """Whether a player that has come so far is what another waits for.

    >>> implies("done", "ready"), implies("ready", "done")
    (True, False)
    """
    return _STEPS[reached] >= _STEPS[condition]


def stricter(one: Condition, other: Condition) -> Condition:
    """The condition that implies both."""
    return one if implies(one, other) else other


def check_after(
    after: Mapping[str, Iterable[str] | Befores], names: Collection[str], *, ordered: bool = False
) -> dict[str, Befores]:
    """The same with a condition for each; `ValueError` if it makes no sense, or goes in a circle.

    With `ordered`, each name also goes after the one before it.
    """
    if not isinstance(after, Mapping):
        raise TypeError(f"after is a mapping, as in {{'api': ['db']}}, not {after!r}")
    checked: dict[str, Befores] = {}
    for name, before in after.items():
        if isinstance(before, str) or not isinstance(before, Iterable):
            raise ValueError(f"after={{{name!r}: {before!r}}} needs a collection: [{before!r}]")
        checked[name] = _conditions(before)
        for known in (name, *checked[name]):
            if known not in names:
                raise ValueError(
                    f"after names {known!r}, which is no player. {nearest(str(known), names)}"
                )
        for other, condition in checked[name].items():
            _check_condition(name, other, condition)
    _check_circle(checked, names, ordered)
    return checked


def _conditions(before: Any) -> Befores:
    return {**before} if isinstance(before, Mapping) else _until_ready(before)


def _until_ready(before: Iterable[str]) -> dict[str, Condition]:
    return dict.fromkeys(before, "ready")


def _check_condition(name: str, other: str, condition: object) -> None:
    if condition not in _CONDITIONS:
        raise ValueError(
            f"after={{{name!r}: {{{other!r}: {condition!r}}}}} waits for {condition!r}, which "
            f"nobody can be. {nearest(str(condition), _CONDITIONS)}"
        )


def _check_circle(after: Mapping[str, Befores], names: Iterable[str], ordered: bool) -> None:
    edges: Mapping[str, Collection[str]] = after
    if ordered and after:
        chain = zip((None, *names), names, strict=False)
        edges = {name: befores_of(name, after, last) for last, name in chain}
    circle = find_circle(edges)
    if circle:
        raise ValueError(f"after goes round in a circle: {' -> '.join(circle)}")


def check_endings(after: Mapping[str, Befores]) -> None:
    """For a group that ends with the first of its players: nobody can wait for that."""
    for name, befores in after.items():
        for other, condition in befores.items():
            if condition == "done":
                raise ValueError(
                    f"{name!r} can never start: it waits until {other!r} is done, and with "
                    "stop_when='any' the group ends then"
                )


def befores_of(name: str, after: Mapping[str, Befores], last: str | None) -> dict[str, Condition]:
    """All that a player goes after: by `after`, and the one before it in an ordered group.

    >>> befores_of("api", {"api": {"db": "done"}}, "cache")
    {'cache': 'ready', 'db': 'done'}
    """
    # What is said about a pair by name counts, in an ordered group as well.
    return {**_until_ready(() if last is None else (last,)), **after.get(name, {})}


def without(name: str, after: Mapping[str, Befores]) -> dict[str, Befores]:
    """The same once this player is gone: those that came after it come after those before it.

    >>> without("cache", {"api": {"cache": "ready"}, "cache": {"db": "done"}})
    {'api': {'db': 'done'}}
    """
    before = after.get(name, {})
    found: dict[str, Befores] = {}
    for other, known in after.items():
        if other != name and name in known:
            found[other] = _bridged({one: known[one] for one in known if one != name}, before)
        elif other != name:
            found[other] = known
    return found


def _bridged(waits_for: dict[str, Condition], before: Befores) -> dict[str, Condition]:
    for one, condition in before.items():
        waits_for[one] = stricter(waits_for.get(one, condition), condition)
    return waits_for


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
        self._waits_for: dict[str, dict[str, Condition]] = {}
        self._kept_by: dict[str, set[str]] = {}
        self._keeps: dict[str, set[str]] = {}
        self._over: set[str] = set()

    def add(self, name: str, before: Befores, settled: Container[str] = ()) -> None:
        """Take in a player that goes after those in `before`, some of which are settled by now."""
        self._before[name] = tuple(before)
        self._waits_for[name] = {
            other: condition for other, condition in before.items() if other not in settled
        }
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
            if self._waits_for[other].pop(name, None) is not None:
                _bridged(self._waits_for[other], waits_for)
            for one in before:
                if other not in self._behind[one]:
                    self._behind[one].append(other)
        return [other for other in behind if not self._waits_for[other]]

    def settle(self, name: str, reached: Condition) -> list[str]:
        """It has come so far: those that may start for it."""
        free = []
        for other in self._behind[name]:
            waits_for = self._waits_for[other]
            if name in waits_for and implies(reached, waits_for[name]):
                del waits_for[name]
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
        """Whether all that go before it have come as far as it waits for."""
        return not self._waits_for[name]

    def waits_for(self, name: str) -> list[str]:
        """Those before it that have not come so far yet.

        >>> order = Order()
        >>> order.add("db", {}); order.add("api", {"db": "ready"})
        >>> order.waits_for("api")
        ['db']
        """
        return list(self._waits_for[name])

    def may_stop(self, name: str) -> bool:
        """Whether all that came after it are over."""
        return not self._kept_by[name]

    def waiting_for(self, name: str) -> set[str]:
        """All that can't be asked to stop before this one is over, by way of others as well.

        >>> order = Order()
        >>> order.add("db", {}); order.add("cache", {"db": "ready"}); order.add("api", {"cache": "ready"})
        >>> sorted(order.waiting_for("api"))
        ['cache', 'db']
        """
        found: set[str] = set()
        todo = [name]
        while todo:
            further = self._keeps[todo.pop()] - found
            found |= further
            todo += further
        return found

    def depths(self, alive: Collection[str]) -> dict[str, int]:
        """How many of those alive stop one after the other from each on: how to share out the time.

        >>> order = Order()
        >>> order.add("db", {}); order.add("api", {"db": "ready"})
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
