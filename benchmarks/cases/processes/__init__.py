"""Python processes: how long it takes to start a program with many of them, and to stop it."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, faster

BARE = "bare_spawn"
OURS = "orchestra_spawn"
NO_PEER = (BARE, OURS, "orchestra_forkserver", "orchestra_python")


def goals(table: Table) -> Iterator[Goal]:
    """Faster than every peer."""
    for peer in table.outcomes:
        if peer not in NO_PEER:
            yield faster(f"{table.size} processes: faster than {peer}", table, OURS, peer)


SUITES = (
    Suite(
        name="processes",
        title="Start and stop of a program that keeps Python processes",
        what="processes",
        baseline=BARE,
        ours=OURS,
        sizes=(20,),
        quick_sizes=(5,),
        goals=goals,
    ),
)
