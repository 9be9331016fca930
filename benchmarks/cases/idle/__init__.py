"""Idle players: how long it takes to start and stop them, and the memory that they need."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_most, faster

BARE = "bare_taskgroup"
OURS = "orchestra_quiet"
MOST_TIMES_BARE = 1.25
MOST_BYTES = 2500
NO_PEER = (BARE, OURS, "orchestra_logged")


def time_goals(table: Table) -> Iterator[Goal]:
    """Near the bare TaskGroup where there are many, and faster than every peer."""
    if table.size >= 10_000:
        text = f"{table.size:,} players: at most {MOST_TIMES_BARE} times the bare TaskGroup"
        yield at_most(text, table.ratio(OURS, BARE), MOST_TIMES_BARE, "{:.2f} times")
    for peer in table.outcomes:
        if peer not in NO_PEER:
            text = f"{table.size:,} players: faster than {peer}"
            yield faster(text, table, OURS, peer)


def memory_goals(table: Table) -> Iterator[Goal]:
    """Little memory for each."""
    text = f"{table.size:,} players: at most {MOST_BYTES:,} bytes each at the peak"
    yield at_most(text, table.median(OURS), MOST_BYTES, "{:,.0f} bytes")


SUITES = (
    Suite(
        name="idle",
        title="Start and stop of idle players",
        what="players",
        baseline=BARE,
        ours=OURS,
        sizes=(1_000, 10_000, 100_000),
        quick_sizes=(1_000, 10_000),
        args=("--measure", "time"),
        goals=time_goals,
    ),
    Suite(
        name="memory",
        folder="idle",
        title="Peak memory of idle players (tracemalloc, building included)",
        what="players",
        unit="bytes each",
        scale=1.0,
        baseline=BARE,
        ours=OURS,
        sizes=(10_000, 100_000),
        quick_sizes=(10_000,),
        args=("--measure", "memory"),
        rounds=1,
        goals=memory_goals,
    ),
)
