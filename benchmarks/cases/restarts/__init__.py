"""Restarts: how often in a second a player that fails at once comes back without a delay."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_least

BARE = "bare_loop"
OURS = "orchestra_restarts"
LEAST = 200_000


def goals(table: Table) -> Iterator[Goal]:
    """So many a second, or a third of the bare loop, whichever is higher."""
    bare = table.median(BARE)
    least = LEAST if bare is None else max(LEAST, bare / 3)
    text = f"at least {least:,.0f} restarts a second"
    yield at_least(text, table.median(OURS), least)


SUITES = (
    Suite(
        name="restarts",
        title="Restarts without delay",
        what="restarts",
        unit="a second",
        scale=1.0,
        better="higher",
        baseline=BARE,
        ours=OURS,
        sizes=(100_000,),
        quick_sizes=(20_000,),
        goals=goals,
    ),
)
