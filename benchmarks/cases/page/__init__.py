"""The live page in a browser: what it costs to look at many players."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_most

STILL = "still"
OURS = "changing"
MOST = 0.5


def goals(table: Table) -> Iterator[Goal]:
    """It leaves the page's thread at least half of its time."""
    text = f"{table.size:,} players, all changing: at most {MOST} s of each second"
    yield at_most(text, table.median(OURS), MOST, "{:.2f} s")


SUITES = (
    Suite(
        name="page",
        title="The live page, at work in headless Chromium",
        what="players",
        unit="ms of each second",
        scale=1000.0,
        baseline=STILL,
        ours=OURS,
        sizes=(2_000,),
        rounds=3,
        goals=goals,
    ),
)
