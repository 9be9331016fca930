"""Output: how many bytes of a command's lines come through in a second."""

from collections.abc import Iterator

from harness.suite import Goal, Suite, Table, at_least

BARE = "bare_lines"
OURS = "orchestra_logging"
OWN = "orchestra_own_logger"
PEER = "honcho_output"
LEAST = 50.0


def goals(table: Table) -> Iterator[Goal]:
    """So many with a logger of one's own, and more than the peer with the standard one."""
    found = table.median(OWN)
    text = f"a logger of one's own: at least {LEAST:.0f} MB/s in lines of 100 bytes"
    yield at_least(text, None if found is None else found / 1e6, LEAST, "{:.1f} MB/s")
    yield at_least("standard logging: faster than honcho", table.ratio(OURS, PEER), 1.0, "{:.2f}")


SUITES = (
    Suite(
        name="output",
        title="Lines of 100 bytes from a command to a file",
        what="lines",
        unit="MB/s",
        scale=1e-6,
        better="higher",
        baseline=BARE,
        ours=OURS,
        sizes=(200_000,),
        quick_sizes=(50_000,),
        goals=goals,
    ),
)
