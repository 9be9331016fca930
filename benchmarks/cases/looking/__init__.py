"""What a look at the whole tree takes, which the loop does at once."""

from harness.suite import Suite

SUITES = (
    Suite(
        name="looking",
        title="A look at all players",
        what="players",
        baseline="status",
        ours="overview",
        sizes=(1_000, 10_000),
        quick_sizes=(1_000,),
    ),
)
