"""The CPU that a program uses while its players change ten times a second, and somebody follows."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_most

MOST_MORE = 1.5


def goals(table: Table) -> Iterator[Goal]:
    """Who follows costs less than what is followed."""
    text = f"{table.size:,} players: with a stream at most {MOST_MORE} times the CPU"
    yield at_most(text, table.ratio("one_stream", "unserved"), MOST_MORE, "{:.2f} times")


SUITES = (
    Suite(
        name="following",
        title="CPU of players that all change ten times a second",
        what="players",
        unit="us a change",
        scale=1e6,
        baseline="unserved",
        ours="one_stream",
        sizes=(2_000,),
        goals=goals,
    ),
)
