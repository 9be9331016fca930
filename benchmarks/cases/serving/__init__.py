"""Serving: requests a second under ServerPlayer, for each of those that the bare library answers."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_least

LEAST = 0.98


def goals(table: Table) -> Iterator[Goal]:
    """As fast as the bare library, or nearly."""
    for library in table.outcomes:
        text = f"{library}: at least {LEAST} of the requests that it answers by itself"
        yield at_least(text, table.median(library), LEAST, "{:.3f}")


SUITES = (
    Suite(
        name="serving",
        title="Requests a second under ServerPlayer, to those of the bare library",
        what="pairs of bursts",
        unit="of it",
        scale=1.0,
        better="higher",
        sizes=(3,),
        quick_sizes=(1,),
        rounds=7,
        goals=goals,
    ),
)
