"""Random trees of players in virtual time, with all that may be done to them: no promise is broken."""

from hypothesis import given, settings

from random_trees.judge import judge
from random_trees.scenario import Scenario
from random_trees.stage import play
from random_trees.strategies import scenarios


@settings(max_examples=200)
@given(scenarios())
def test_a_random_tree(scenario: Scenario) -> None:
    """Whatever players do and whatever is done to them, what the library tells of it is true."""
    assert judge(play(scenario)) == []
