"""The cost of watching: start and stop of players with each observer on, as a ratio to none."""

from harness.suite import Suite

SUITES = (
    Suite(
        name="watching",
        title="Start and stop of players that somebody watches",
        what="players",
        baseline="nobody",
        ours="recorder",
        sizes=(10_000,),
        quick_sizes=(1_000,),
        args=("--measure", "time"),
    ),
)
