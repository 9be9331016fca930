"""What is told of a player besides its status: whom it waits for, how many copies it is."""

import pytest

from orchestra import Conductor, Context, Performance, playing, replicate
from orchestra.testing import FakePlayer
from orchestra.web.reasons import reasons

pytestmark = pytest.mark.virtual_time


async def test_a_waiting_player_names_those_that_it_waits_for() -> None:
    """A waiting player waits for those before it that have not come so far, by their paths."""
    jobs = Conductor(
        {"db": FakePlayer(ready_after=50), "cache": FakePlayer(), "api": FakePlayer()},
        after={"api": {"db": "ready", "cache": "started"}},
    )
    found = []

    async def look(ctx: Context) -> None:
        await ctx.sleep(1)
        assert ctx.performance is not None
        found.append(reasons(ctx.performance))

    async with playing(Conductor({"jobs": jobs, "look": look})) as performance:
        assert found == [{"jobs.api": {"waits_for": ["jobs.db"], "copies": None}}]
        assert reasons(performance) == {}


async def test_a_group_of_copies_says_how_many() -> None:
    """What can be scaled has its number of copies, also when that is 0."""
    tree = Conductor({"resize": replicate(FakePlayer(), 3), "none": replicate(FakePlayer(), 0)})
    async with playing(tree) as performance:
        assert reasons(performance) == {
            "resize": {"waits_for": [], "copies": 3},
            "none": {"waits_for": [], "copies": 0},
        }


async def test_a_conductor_over_a_bare_context_is_looked_through() -> None:
    """Groups that are nobody's players are looked through as well."""
    ctx = Context()
    performance = Performance.over(ctx)
    assert reasons(performance) == {}
