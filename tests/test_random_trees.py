"""Random trees of players in virtual time, with all that may be done to them: no promise is broken."""

import pytest
from hypothesis import given, settings

from random_trees.judge import judge
from random_trees.scenario import (
    EVER,
    Again,
    Cancel,
    CancelTask,
    Group,
    Leaf,
    Remove,
    Restart,
    Run,
    Scenario,
)
from random_trees.stage import play
from random_trees.strategies import scenarios

STUCK = Leaf((Run(stop=EVER, on_cut="swallow", swallows=3.0),), ready=1.0, watchdog=0.5)
"""Never gets ready, and is abandoned; its watchdog is soon at an end with it."""

FOUND = {
    "a group that is stopped in the moment in which a player of it comes back": Scenario(
        Group(
            {
                "a": Group(
                    {"a": Leaf((Run(1.0, "fail"),), backoff=(1.0,)), "b": Leaf()},
                    ordered=True,
                    start_timeout=2.0,
                )
            }
        ),
    ),
    "an empty root that ends in the moment in which it is stopped": Scenario(
        Group(ordered=True), (Cancel(0.0, within=2.0),), supervised=True
    ),
    "a player that is removed for the group itself": Scenario(
        Group({"a": Group({"a": Leaf()})}), (Remove(0.0, "a", then=Again()),)
    ),
    "one is removed from the middle of an order, and then the group comes back": Scenario(
        Group(
            {
                "g": Group(
                    {
                        "a": Leaf(ready=1.0),
                        "b": Leaf(),
                        "c": Leaf((Run(6.0, "fail"), Run())),
                    },
                    after={"b": ["a"], "c": ["b"]},
                    backoff=(1.0,),
                )
            }
        ),
        (Remove(4.0, "g.b"),),
    ),
    "a group is not ready by abandoning who is not": Scenario(
        Group({"g": Group({"a": STUCK, "b": Leaf((Run(0.25),))}, timeout=0.0, stop_when="any")})
    ),
    "one that is to come back is stopped before it does": Scenario(
        Group({"a": Leaf((Run(stop=1.0),)), "b": Leaf()}, timeout=1.0, ordered=True),
        (Restart(4.5, "b", patience=2.0), CancelTask(4.5)),
        supervised=True,
    ),
    "a group is removed that has no time, and raises while it is cut off": Scenario(
        Group(
            {"a": Group({"a": Leaf((Run(fails_stopping=True),))}, timeout=0.0)},
            timeout=0.0,
            stop_when="never",
        ),
        (Remove(1.0, "a"),),
    ),
    "one that waits to come back has no time to stop": Scenario(
        Group(
            {
                "a": Leaf(ready=EVER, start_timeout=1.0, backoff=(4.0,)),
                "b": Leaf(ready=EVER, start_timeout=3.0),
            },
            timeout=0.0,
        )
    ),
    "one that was asked long ago has less time by a limit that comes late": Scenario(
        Group(
            {
                "a": Leaf((Run(stop=3.0, on_cut="swallow", swallows=1.0),)),
                "b": Leaf((Run(0.5, "fail"),)),
            }
        ),
        (Cancel(2.0, within=0.25),),
    ),
    "one that was abandoned is started again in the moment of the stop": Scenario(
        Group(
            {
                "a": Group(
                    {"a": STUCK, "b": Leaf(ready=3.0)},
                    timeout=0.0,
                    ordered=True,
                    start_timeout=3.0,
                    backoff="every second",
                )
            },
            timeout=2.0,
            ordered=True,
        ),
        (Cancel(4.0),),
        supervised=True,
    ),
}
"""What random trees have found, each as small as it gets."""


@settings(max_examples=150)
@given(scenarios())
def test_a_random_tree(scenario: Scenario) -> None:
    """Whatever players do and whatever is done to them, what the library tells of it is true."""
    assert judge(play(scenario)) == []


@pytest.mark.parametrize("what", FOUND)
def test_what_random_trees_have_found(what: str) -> None:
    """What was wrong once stays right."""
    assert judge(play(FOUND[what])) == []
