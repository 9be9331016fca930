"""Imports: what the library costs before it does anything."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_most

OURS = "use_orchestra"
MOST_SECONDS = 0.015


def goals(table: Table) -> Iterator[Goal]:
    """Little time over that of asyncio."""
    seconds = table.median(OURS)
    found = None if seconds is None else seconds * 1000
    text = f"from orchestra import Conductor, Context, run: at most {MOST_SECONDS * 1000:.0f} ms over import asyncio"
    yield at_most(text, found, MOST_SECONDS * 1000, "{:.1f} ms")


SUITES = (
    Suite(
        name="imports",
        title="Import in a fresh interpreter (asyncio imported before, except in its own line)",
        baseline="import_asyncio",
        ours=OURS,
        warm_up=True,
        whole_process=True,
        goals=goals,
    ),
)
