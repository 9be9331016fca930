"""Measures the library against its peers in one run, and prints tables of ratios."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.facts import machine_facts
from harness.rounds import play_suite
from harness.suite import Goal, Suite, Table, find_cases
from harness.table import render_facts, render_goals, render_table, table_to_json

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"
ROUNDS, QUICK_ROUNDS = 5, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; 1 if a case is broken, 0 also if a goal is missed."""
    options = _parse(argv)
    suites = _find_suites()
    chosen = [(suite, cases) for suite in suites if (cases := _choose(suite, options.only))]
    if not chosen:
        names = ", ".join(sorted(f"{s.name}/{case}" for s in suites for case in _cases(s)))
        print(f"no such case: {', '.join(options.only)}; there are {names}", file=sys.stderr)
        return 2
    facts = machine_facts()
    print(render_facts(facts), flush=True)
    tables: list[Table] = []
    for suite, cases in chosen:
        tables += _measure(suite, cases, options)
    goals = [goal for table in tables for goal in table.suite.goals(table)]
    print("\n" + render_goals(goals))
    _write_json(options.json, facts, tables, goals)
    return 1 if any(o.broken for table in tables for o in table.outcomes.values()) else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument("--rounds", type=int, help=f"rounds (default {ROUNDS})")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CASE",
        help="only this suite, case or suite/case, and what it is compared with (repeatable)",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=60.0,
        help="seconds for one process, and for all rounds of one case at one size (default 60)",
    )
    parser.add_argument("--json", type=Path, default=HERE / "results" / "latest.json")
    options = parser.parse_args(argv)
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def _find_suites() -> list[Suite]:
    """Return the suites of all folders under cases/."""
    folders = sorted(path.parent.name for path in CASES.glob("*/__init__.py"))
    modules = [importlib.import_module(f"cases.{folder}") for folder in folders]
    return [suite for module in modules for suite in module.SUITES]


def _folder(suite: Suite) -> Path:
    return CASES / (suite.folder or suite.name)


def _cases(suite: Suite) -> dict[str, str]:
    """Return the cases of a suite with their labels."""
    return find_cases(_folder(suite))


def _choose(suite: Suite, only: Iterable[str]) -> list[str]:
    """Return the cases of a suite that were asked for, with the two that they are compared with."""
    cases = list(_cases(suite))
    wanted = set(only)
    if not wanted or suite.name in wanted:
        return cases
    named = {case for case in cases if wanted & {case, f"{suite.name}/{case}"}}
    if not named:
        return []
    return [case for case in cases if case in named | {suite.baseline, suite.ours}]


def _measure(suite: Suite, cases: Sequence[str], options: argparse.Namespace) -> list[Table]:
    """Measure the cases of a suite, and print its tables."""
    rounds = min(suite.rounds or options.rounds, options.rounds)
    sizes = (suite.quick_sizes if options.quick else ()) or suite.sizes
    folder = _folder(suite)
    tables = play_suite(suite, folder, cases, sizes=sizes, rounds=rounds, limit=options.limit)
    for table in tables:
        print("\n" + render_table(table, _cases(suite), rounds), flush=True)
    return tables


def _write_json(
    path: Path, facts: dict[str, object], tables: Iterable[Table], goals: Iterable[Goal]
) -> None:
    """Write all of it to a file."""
    found = {
        "facts": facts,
        "tables": [table_to_json(table) for table in tables],
        "goals": [{"text": g.text, "found": g.found, "met": g.met} for g in goals],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
