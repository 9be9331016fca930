"""The order of the measurements: round by round, the cases by turns, slow ones only as often as fits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.process import measure
from harness.suite import Outcome, Suite, Table


def play_suite(
    suite: Suite,
    folder: Path,
    cases: Sequence[str],
    *,
    sizes: Sequence[int],
    rounds: int,
    limit: float,
) -> list[Table]:
    """Measure the cases of a suite at each size, and return a table for each."""
    tables: list[Table] = []
    for size in sizes:
        outcomes = {case: Outcome() for case in cases}
        if tables:
            _rule_out(outcomes, tables[-1], size, limit)
        for number in range(0 if suite.warm_up else 1, rounds + 1):
            _say(f"{suite.name}, {size:,}: round {number} of {rounds}")
            turn = number % len(cases)
            for case in (*cases[turn:], *cases[:turn]):
                args = ("--size", str(size), *suite.args) if suite.what else suite.args
                outcome = outcomes[case]
                if not outcome.trouble and _fits(outcome, limit):
                    into = outcome if number else Outcome()
                    measure(folder / f"{case}.py", args, limit, into)
        tables.append(Table(suite, size, outcomes))
    return tables


def _fits(outcome: Outcome, limit: float) -> bool:
    """Tell whether one more round of a case fits in the limit of time for all of its rounds."""
    spent = outcome.process_seconds
    return not spent or sum(spent) + min(spent) <= limit


def _rule_out(outcomes: dict[str, Outcome], smaller: Table, size: int, limit: float) -> None:
    """Mark the cases that would pass the limit at this size even if they grew no more than it.

    A case that was cut off at the smaller size, or could not run there, is not tried again.
    """
    growth = size / smaller.size
    for case, outcome in outcomes.items():
        before = smaller.outcomes[case]
        if not before.values:
            outcome.trouble, outcome.too_slow = before.trouble, before.too_slow
        elif min(before.process_seconds) * growth > limit:
            outcome.too_slow = True
        if outcome.too_slow:
            outcome.trouble = f"> {limit:g} s, not run"


def _say(line: str) -> None:
    """Tell whoever waits what is going on."""
    print(line, file=sys.stderr, flush=True)
