"""The tables as text and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from harness.suite import Goal, Outcome, Table

MET = {True: "met", False: "MISSED", None: "not measured"}


def render_table(table: Table, labels: Mapping[str, str], rounds: int) -> str:
    """Return a table as text: the best case first, those without a figure last."""
    suite = table.suite
    title = f"{suite.title}, {table.size:,} {suite.what}" if suite.what else suite.title
    how = "one run" if rounds == 1 else f"median of {rounds} rounds"
    extras = list(dict.fromkeys(name for o in table.outcomes.values() for name in o.also))
    headings = ["", suite.unit, "lowest", "highest"]
    headings += ["/ baseline", "orchestra / it"] if suite.baseline else []
    headings += extras
    if suite.whole_process:
        headings.append("whole process ms")
    rows = [_row(table, case, labels[case], rounds, extras) for case in _ranked(table)]
    lines = [f"{title} ({suite.unit}, {how}, {suite.better} is better)", *_align(headings, rows)]
    return "\n".join(lines)


def render_goals(goals: Sequence[Goal]) -> str:
    """Return the goals as text."""
    rows = [[goal.text, goal.found, MET[goal.met]] for goal in goals]
    return "\n".join(["Goals", *_align(["", "found", ""], rows)])


def render_facts(facts: Mapping[str, object]) -> str:
    """Return the facts about the machine as text."""
    lines = []
    for name, value in facts.items():
        known = isinstance(value, Mapping)
        shown = ", ".join(f"{key} {item}" for key, item in value.items()) if known else value
        lines.append(f"  {name}: {shown}")
    return "\n".join(["Machine", *lines])


def table_to_json(table: Table) -> dict[str, object]:
    """Return a table for JSON, with every value measured."""
    suite = table.suite
    return {
        "suite": suite.name,
        "title": suite.title,
        "size": table.size,
        "baseline": suite.baseline,
        "ours": suite.ours,
        "better": suite.better,
        "cases": {
            case: {
                "median": outcome.median,
                "values": outcome.values,
                "also": outcome.also,
                "process_seconds": outcome.process_seconds,
                "to_baseline": table.ratio(case, suite.baseline),
                "ours_to_it": table.ratio(suite.ours, case),
                "trouble": outcome.trouble,
            }
            for case, outcome in table.outcomes.items()
        },
    }


def _ranked(table: Table) -> list[str]:
    """Return the cases, the best first."""
    sign = 1 if table.suite.better == "lower" else -1

    def rank(case: str) -> tuple[bool, float]:
        median = table.median(case)
        return (median is None, sign * (median or 0.0))

    return sorted(table.outcomes, key=rank)


def _row(table: Table, case: str, label: str, rounds: int, extras: Sequence[str]) -> list[str]:
    """Return the cells of one case."""
    suite, outcome = table.suite, table.outcomes[case]
    if case == suite.baseline:
        label += " (baseline)"
    if outcome.median is None:
        return [label, outcome.trouble]
    if len(outcome.values) < rounds:
        label += f" ({len(outcome.values)} of {rounds} rounds: {outcome.trouble or 'slow'})"
    figures = (outcome.median, min(outcome.values), max(outcome.values))
    cells = [label, *(_number(figure * suite.scale) for figure in figures)]
    if suite.baseline:
        cells += [_ratio(table.ratio(case, suite.baseline)), _ratio(table.ratio(suite.ours, case))]
    cells += [_middle(outcome, name) for name in extras]
    if suite.whole_process:
        cells.append(_number(statistics.median(outcome.process_seconds) * 1000))
    return cells


def _number(value: float) -> str:
    """Return a figure with three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    """Return a ratio with two decimals."""
    return "-" if value is None else f"{value:.2f}"


def _middle(outcome: Outcome, name: str) -> str:
    """Return the median of something else that a case reported."""
    values = outcome.also.get(name)
    return _number(statistics.median(values)) if values else "-"


def _align(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines in columns, the first to the left and the others to the right."""
    full = [row for row in (headings, *rows) if len(row) == len(headings)]
    widths = [max(len(row[column]) for row in full) for column in range(len(headings))]
    widths[0] = max(len(row[0]) for row in (headings, *rows))
    lines = []
    for row in (headings, *rows):
        if len(row) == len(headings):
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        else:
            cells = list(row[1:])
        lines.append("  " + "  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return lines
