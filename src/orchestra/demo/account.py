"""The account: what became of all the jobs that were accepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .desk import Desk
from .rows import Rows
from .screen import GREEN, RED, Screen
from .visitors import Visitors


@dataclass(frozen=True)
class Account:
    """The numbers of the jobs that were accepted, of those that are rows, and what else to tell."""

    accepted: frozenset[int]
    written: frozenset[int]
    facts: dict[str, int]

    @property
    def lost(self) -> list[int]:
        """Those that were accepted, and are no rows."""
        return sorted(self.accepted - self.written)

    def lines(self, screen: Screen) -> Iterator[str]:
        """A line a number, and what it comes to."""
        numbers = {"jobs accepted": len(self.accepted), "rows written": len(self.written)}
        numbers |= self.facts
        longest = max(len(fact) for fact in numbers)
        for fact, number in numbers.items():
            yield f"  {fact:{longest}}  {number:5}"
        if self.lost:
            yield screen.paint(f"  Lost, although accepted: {self.lost}", RED)
        elif self.accepted:
            yield screen.paint("  Nothing that was accepted is lost.", GREEN)


def account_of(desk: Desk, rows: Rows, visitors: Visitors | None, *, restarts: int) -> Account:
    """The account after the end, by what is in the file then."""
    accepted = set(desk.numbers())
    undone = rows.numbers(desk.first, undone=True)
    facts = {"restarts of flaky": restarts}
    if undone:
        facts["rows of jobs that were not done in time"] = len(undone)
    if visitors is not None:
        accepted |= set(visitors.receipts)
        facts["jobs turned away"] = visitors.turned_away
        facts["requests under way at SIGTERM"] = visitors.under_way_at_stop
    return Account(frozenset(accepted), frozenset(rows.numbers(desk.first)), facts)
