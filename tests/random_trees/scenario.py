"""A scenario: a tree of players and what is done to it, as one value whose `repr` can be pasted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from itertools import repeat
from typing import Literal

EVER = math.inf
"""What takes so long never comes to its end."""


class Brief:
    """Shows what differs from the default, so that a scenario that was shrunk is short."""

    def __repr__(self) -> str:
        shown = []
        for number, one in enumerate(fields(self)):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            default = one.default_factory() if callable(one.default_factory) else one.default
            if value != default:
                text = repr(value).replace("inf", "EVER")
                shown.append(text if number == 0 else f"{one.name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


Backoff = tuple[float, ...] | Literal["every second"] | None

Then = Literal["end", "fail", "permanent", "exit", "interrupt", "cancel", "group", "base group"]


@dataclass(frozen=True, repr=False)
class Run(Brief):
    """What a player does in one run."""

    after: float = EVER  # seconds until it comes to an end by itself
    then: Then = "end"  # which end that is
    stop: float = 0.0  # seconds that it takes to stop once it was asked; EVER: it hangs
    fails_stopping: bool = False  # raises after that
    on_cut: Literal["heed", "end", "fail", "swallow"] = "heed"  # what it does when it is cut off
    swallows: float = 0.0  # for so many seconds
    fails_late: bool = False  # and raises then
    beats: float = EVER  # seconds in which it feeds its watchdog


@dataclass(frozen=True, repr=False)
class Leaf(Brief):
    """A player; each run does the next of its runs, and the last repeats."""

    runs: tuple[Run, ...] = (Run(),)
    ready: float | None = None  # seconds until it calls `ctx.ready()`; None: it does not signal
    start_timeout: float | None = None
    watchdog: float | None = None
    backoff: Backoff = None
    always: bool = False


@dataclass(frozen=True, repr=False)
class Group(Brief):
    """A conductor."""

    players: dict[str, Node] = field(default_factory=dict)
    timeout: float = 9.0
    ordered: bool = False
    after: dict[str, list[str]] = field(default_factory=dict)
    stop_when: Literal["all", "any", "never"] = "all"
    start_timeout: float | None = None
    backoff: Backoff = None
    always: bool = False


@dataclass(frozen=True, repr=False)
class Again(Brief):
    """The conductor that plays so many levels above, once more."""

    levels: int = 1


Node = Leaf | Group | Again


# What is done to it. Each at a moment, in seconds from the start.


@dataclass(frozen=True, repr=False)
class Add(Brief):
    """`add` to the group at this path."""

    at: float
    path: str
    node: Node = Leaf()


@dataclass(frozen=True, repr=False)
class Remove(Brief):
    """`remove`; whoever waits for it is cancelled after `patience` seconds. `then`: add this."""

    at: float
    path: str
    patience: float = EVER
    then: Node | None = None


@dataclass(frozen=True, repr=False)
class Steering(Brief):
    """Of one player, by its name in its group or by its path; whoever waits for it may lose patience."""

    at: float
    path: str
    by_path: bool = False
    patience: float = EVER


class Restart(Steering):
    """`Conductor.restart`, or `Performance.restart` with `by_path`."""


class Halt(Steering):
    """`Conductor.stop` of one player, or `Performance.stop_player` with `by_path`: it is idle then."""


class Start(Steering):
    """`Conductor.start`, or `Performance.start` with `by_path`."""


@dataclass(frozen=True, repr=False)
class Cancel(Brief):
    """`cancel` of the context that all is played with."""

    at: float
    within: float | None = None


@dataclass(frozen=True, repr=False)
class Stop(Brief):
    """`Performance.stop`."""

    at: float


@dataclass(frozen=True, repr=False)
class CancelTask(Brief):
    """The task that plays all is cancelled."""

    at: float


@dataclass(frozen=True, repr=False)
class Look(Brief):
    """A snapshot of the status."""

    at: float


Action = Add | Remove | Restart | Halt | Start | Cancel | Stop | CancelTask | Look

Call = Remove | Restart | Halt | Start
"""What somebody waits for."""


@dataclass(frozen=True, repr=False)
class Scenario(Brief):
    """A tree and what is done to it. `supervised`: by an entry point, so that the root comes back."""

    tree: Group
    actions: tuple[Action, ...] = ()
    supervised: bool = False


def delays_of(backoff: Backoff) -> Iterable[float] | None:
    return repeat(1.0) if backoff == "every second" else backoff


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """A node and all below it with their paths, parents first."""
    yield path, node
    if isinstance(node, Group):
        for name, inner in node.players.items():
            yield from walk(inner, join(path, name))


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def split(path: str) -> tuple[str, str]:
    above, _, name = path.rpartition(".")
    return above, name


def is_below(path: str, above: str) -> bool:
    return path != above and (not above or path.startswith(above + "."))
