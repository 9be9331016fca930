"""Commands: how long it takes to start a program with many of them, and to stop it."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, faster

BARE = "bare_popen"
OURS = "orchestra_commands"


def goals(table: Table) -> Iterator[Goal]:
    """Faster than every peer."""
    for peer in table.outcomes:
        if peer not in (BARE, OURS):
            yield faster(f"{table.size} commands: faster than {peer}", table, OURS, peer)


SUITES = (
    Suite(
        name="commands",
        title="Start and stop of a program that keeps commands",
        what="commands",
        baseline=BARE,
        ours=OURS,
        sizes=(100,),
        quick_sizes=(20,),
        goals=goals,
    ),
)
