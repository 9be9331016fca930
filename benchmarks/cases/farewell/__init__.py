"""Farewell: how long a server takes to end, after a SIGTERM, with idle clients."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_most

BARE = "bare_uvicorn"
OURS = "orchestra_uvicorn"


def goals(table: Table) -> Iterator[Goal]:
    """No longer than the bare server."""
    text = f"from SIGTERM to the end with {table.size} idle connections: no longer than uvicorn"
    yield at_most(text, table.ratio(OURS, BARE), 1.0, "{:.2f} times")


SUITES = (
    Suite(
        name="farewell",
        title="From SIGTERM to the end of the process",
        what="idle connections",
        baseline=BARE,
        ours=OURS,
        sizes=(100,),
        goals=goals,
    ),
)
