"""What a suite is: cases that do the same work, how they are measured, and what is wanted."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(slots=True)
class Outcome:
    """All that is known of one case at one size."""

    values: list[float] = field(default_factory=list)
    also: dict[str, list[float]] = field(default_factory=dict)
    process_seconds: list[float] = field(default_factory=list)
    trouble: str = ""  # why there are no values, or no more of them
    broken: bool = False  # the trouble is the case's own fault
    too_slow: bool = False  # the trouble is that it passed the limit of time, or would have

    @property
    def median(self) -> float | None:
        """The median of the rounds, None without any."""
        return statistics.median(self.values) if self.values else None


@dataclass(frozen=True, slots=True)
class Goal:
    """Something wanted, what came out, and whether that is enough (None: not measured)."""

    text: str
    found: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """The outcomes of one suite at one size, by the name of the case."""

    suite: Suite
    size: int
    outcomes: Mapping[str, Outcome]

    def median(self, case: str) -> float | None:
        """The median of a case, None if it was not measured."""
        outcome = self.outcomes.get(case)
        return outcome.median if outcome else None

    def ratio(self, case: str, to: str) -> float | None:
        """The median of one case over that of another, None if one of them is missing."""
        above, below = self.median(case), self.median(to)
        return above / below if above is not None and below else None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that do the same work; they are the Python files of one folder."""

    name: str
    title: str
    sizes: tuple[int, ...] = (1,)
    quick_sizes: tuple[int, ...] = ()  # the same unless given
    folder: str = ""  # under cases/, and of the suite's own name unless given
    unit: str = "ms"
    scale: float = 1000.0  # what a case reports, times this, is in the unit
    better: Literal["lower", "higher"] = "lower"
    baseline: str = ""  # the case that ratios are taken to; none where each case is a ratio
    ours: str = ""  # the case that is compared with each of the others
    what: str = ""  # what there are so many of: "players"
    args: tuple[str, ...] = ()  # further arguments of each case
    rounds: int | None = None  # where it is exact, and more rounds would tell nothing
    warm_up: bool = False  # each case runs once more, before, for nothing
    whole_process: bool = False  # the time of the whole process belongs in the table
    goals: Callable[[Table], Iterable[Goal]] = lambda table: ()


def find_cases(folder: Path) -> dict[str, str]:
    """Return the cases in a folder with their labels: the first line of each one's docstring."""
    labels = {}
    for path in sorted(folder.glob("*.py")):
        if not path.stem.startswith("_"):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
            labels[path.stem] = docstring.splitlines()[0].rstrip(".")
    return labels


def at_most(text: str, found: float | None, limit: float, show: str = "{:,.0f}") -> Goal:
    """A goal that a number must not exceed."""
    if found is None:
        return Goal(text, "not measured", None)
    return Goal(text, show.format(found), found <= limit)


def faster(text: str, table: Table, ours: str, peer: str) -> Goal:
    """A goal that one case takes less time than another, which may have been too slow to measure."""
    if table.median(ours) is not None and table.outcomes[peer].too_slow:
        return Goal(text, f"it took {table.outcomes[peer].trouble}", True)
    return at_most(text, table.ratio(ours, peer), 1.0, "{:.2f} times")


def at_least(text: str, found: float | None, limit: float, show: str = "{:,.0f}") -> Goal:
    """A goal that a number must reach."""
    if found is None:
        return Goal(text, "not measured", None)
    return Goal(text, show.format(found), found >= limit)
