"""What a player waits for in those before it: that they have started, are ready, or are done."""

import asyncio
import itertools
from typing import Any

import pytest

from groups import Show, now, play, show, turns, when
from orchestra import Conductor, Started, restarting
from orchestra.testing import (
    FakePlayer,
    ends,
    fails,
    ignores_cancellation,
    slow_stop,
)

pytestmark = pytest.mark.virtual_time


def started(playing: Show) -> list[str]:
    return [event.path for event in playing.events if isinstance(event, Started)]


# Starting


@pytest.mark.parametrize(("condition", "moment"), [("started", 0), ("ready", 2), ("done", 5)])
async def test_started_ready_and_done_are_told_apart(condition: Any, moment: float) -> None:
    """A player starts when the one before it has come as far as it says."""
    first, then = FakePlayer(ends(after=5), ready_after=2), FakePlayer(ends(after=1))
    conductor = Conductor({"then": then, "first": first}, after={"then": {"first": condition}})
    assert await play(conductor) is None
    assert when(then, "started") == [moment]


async def test_all_conditions_have_to_hold() -> None:
    """The last of them lets the player start."""
    players = {
        "api": FakePlayer(),
        "cache": FakePlayer(ready_after=50),
        "db": FakePlayer(ready_after=2),
        "migrate": FakePlayer(ends(after=7)),
    }
    after: Any = {"api": {"cache": "started", "db": "ready", "migrate": "done"}, "migrate": ["db"]}
    playing = await show(Conductor(players, after=after), after=20)
    assert when(players["api"], "started") == [9]
    assert await playing.end() is None


async def test_whoever_has_started_is_there_before_those_that_wait_for_it() -> None:
    """Its first run has begun when that of the next begins, in the same turn of the loop."""
    players = {name: FakePlayer(ready_after=1) for name in "abc"}
    playing = await show(
        Conductor(players, after={"a": {"b": "started"}, "b": {"c": "started"}}), after=0.5
    )
    assert started(playing) == ["c", "b", "a"]
    assert [when(player, "started") for player in players.values()] == [[0], [0], [0]]
    assert await playing.end() is None


async def test_done_is_to_have_ended_well() -> None:
    """A run that fails and comes back is not the end."""
    first, then = FakePlayer(fails(after=1), ends(after=1), backoff=[10]), FakePlayer(ends())
    conductor = Conductor({"first": first, "then": then}, after={"then": {"first": "done"}})
    assert await play(conductor) is None
    assert when(then, "started") == [12]


async def test_a_failure_does_not_let_those_start_that_wait_for_the_end() -> None:
    """It stops the group, like any other."""
    first, then = FakePlayer(fails(after=1)), FakePlayer()
    conductor = Conductor({"first": first, "then": then}, after={"then": {"first": "done"}})
    assert await play(conductor) is not None
    assert then.runs == 0


async def test_whoever_always_comes_back_is_never_done() -> None:
    """Those that wait for it wait until the group is told to stop, and then have never started."""
    first, then = FakePlayer(ends(after=1)), FakePlayer()
    always = restarting(first, [1] * 1000, on="always")
    playing = await show(
        Conductor({"first": always, "then": then}, after={"then": {"first": "done"}}), after=100
    )
    assert (first.runs, then.runs) == (51, 0)
    assert playing.state("then") == "waiting"
    assert await playing.end() is None


async def test_a_group_is_done_when_all_in_it_have_ended_well() -> None:
    """Steps of several players each."""
    steps = Conductor({"a": FakePlayer(ends(after=3)), "b": FakePlayer(ends(after=5))})
    then = FakePlayer(ends())
    assert await play(Conductor({"s": steps, "then": then}, after={"then": {"s": "done"}})) is None
    assert when(then, "started") == [5]


async def test_a_conductor_that_is_skipped_is_done() -> None:
    """It counts as ready and ended; where it plays already, nobody knows when it ends."""
    twice = Conductor({"x": FakePlayer(ends(after=3))})
    then = FakePlayer(ends())
    conductor = Conductor({"a": twice, "b": twice, "then": then}, after={"then": {"b": "done"}})
    assert await play(conductor) is None
    assert when(then, "started") == [0]


@pytest.mark.parametrize(("condition", "moment"), [("started", 0), ("ready", 1), ("done", 4)])
async def test_in_an_ordered_group_what_is_said_about_a_pair_counts(
    condition: Any, moment: float
) -> None:
    """`ordered` waits until each is ready, where `after` does not say something else."""
    a, b, c = FakePlayer(ends(after=4), ready_after=1), FakePlayer(), FakePlayer()
    conductor = Conductor({"a": a, "b": b, "c": c}, ordered=True, after={"b": {"a": condition}})
    playing = await show(conductor, after=10)
    assert (when(b, "started"), when(c, "started")) == ([moment], [moment])
    assert await playing.end() is None


@pytest.mark.parametrize("condition", ["started", "done"])
async def test_two_thousand_in_a_chain_of_any_condition(condition: Any) -> None:
    """The length of a chain is not limited by the stack."""
    names = [f"p{number}" for number in range(2000)]
    after = {name: {last: condition} for last, name in itertools.pairwise(names)}
    players = {name: FakePlayer(ends()) for name in names}
    conductor = Conductor(players, after=after)
    assert await play(conductor) is None
    assert all(player.runs == 1 for player in players.values())


# Stopping


async def test_those_that_still_play_stop_in_reverse_whatever_they_waited_for() -> None:
    """The condition is about the start; whoever is done keeps nobody."""
    players = {
        "cache": FakePlayer(slow_stop(1), ready_after=50),
        "migrate": FakePlayer(ends(after=1)),
        "api": FakePlayer(slow_stop(2)),
    }
    after: Any = {"api": {"cache": "started", "migrate": "done"}}
    playing = await show(Conductor(players, after=after), after=10)
    assert await playing.end() is None
    assert when(players["api"], "asked") == [10]
    assert when(players["cache"], "asked") == [12]


async def test_a_stop_while_some_wait_for_an_end() -> None:
    """They never start, and the one that they wait for is asked at once."""
    migrate, api = FakePlayer(slow_stop(1)), FakePlayer()
    conductor = Conductor({"migrate": migrate, "api": api}, after={"api": {"migrate": "done"}})
    playing = await show(conductor, after=10)
    assert await playing.end() is None
    assert (now(), api.runs, when(migrate, "asked")) == (11, 0, [10])


# Steering


async def test_removing_one_passes_its_conditions_on() -> None:
    """Whoever waited for it waits for what it was waiting for."""
    players = {"a": FakePlayer(ends(after=5)), "b": FakePlayer(), "c": FakePlayer()}
    conductor = Conductor(players, after={"b": {"a": "done"}, "c": {"b": "started"}})
    playing = await show(conductor, after=1)
    await conductor.remove("b")
    await asyncio.sleep(10)
    assert (players["b"].runs, when(players["c"], "started")) == (0, [5])
    assert await playing.end() is None


async def test_removing_the_one_that_is_waited_for() -> None:
    """Nobody waits for the end of one that is gone, and nobody remembers it."""
    migrate, api = FakePlayer(), FakePlayer()
    conductor = Conductor({"migrate": migrate, "api": api}, after={"api": {"migrate": "done"}})
    playing = await show(conductor, after=1)
    await conductor.remove("migrate")
    await turns()
    assert api.runs == 1
    assert conductor.after == {"api": {}}
    assert await playing.end() is None


async def test_restarting_one_that_is_waited_for_puts_off_its_end() -> None:
    """The run that counts is the one that ends well, and is not followed by another."""
    migrate, api = FakePlayer(ends(after=5)), FakePlayer()
    conductor = Conductor({"migrate": migrate, "api": api}, after={"api": {"migrate": "done"}})
    playing = await show(conductor, after=3)
    await conductor.restart("migrate")
    await asyncio.sleep(10)
    assert when(api, "started") == [8]
    await conductor.restart("migrate")
    await asyncio.sleep(10)
    assert (migrate.runs, api.runs, api.asked) == (3, 1, 0)
    assert await playing.end() is None


async def test_a_player_that_is_added_to_an_ordered_group_waits_until_the_last_is_ready() -> None:
    """As the others do that nothing else is said about."""
    a, b = FakePlayer(ready_after=2), FakePlayer()
    conductor = Conductor({"a": a}, ordered=True)
    playing = await show(conductor, after=1)
    conductor.add("b", b)
    await asyncio.sleep(5)
    assert when(b, "started") == [2]
    assert await playing.end() is None


@pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")
async def test_one_that_can_not_start_for_its_earlier_run_has_not_started() -> None:
    """Nobody starts for it who waits for its start, and then the group stops."""
    stuck, then = FakePlayer(ignores_cancellation()), FakePlayer()
    conductor = Conductor(
        {"stuck": stuck, "then": then}, after={"then": {"stuck": "started"}}, timeout=1
    )
    playing = await show(conductor, after=1)
    assert then.runs == 1
    assert await playing.end() is not None
    error = await play(conductor)
    assert error is not None
    assert "an earlier run" in str(error)
    assert (stuck.runs, then.runs) == (1, 1)


# What is refused


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"api": {"db": "raedy"}}, r"'raedy', which nobody can be. Did you mean 'ready'\?"),
        ({"api": {"bd": "ready"}}, r"after names 'bd', which is no player. Did you mean 'db'\?"),
        ({"api": {"db": "done"}, "db": {"api": "started"}}, "circle: api -> db -> api"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_at_once(after: Any, message: str) -> None:
    """Words and names that nobody has come with the nearest, a circle with its names."""
    with pytest.raises(ValueError, match=message):
        Conductor({"api": FakePlayer(), "db": FakePlayer()}, after=after)


async def test_nobody_can_wait_for_an_end_that_ends_the_group() -> None:
    """With `stop_when="any"` the group stops with the one that is waited for."""
    players = {"api": FakePlayer(), "db": FakePlayer()}
    with pytest.raises(ValueError, match="'api' can never start: it waits until 'db' is done"):
        Conductor(players, after={"api": {"db": "done"}}, stop_when="any")
    Conductor(players, after={"api": {"db": "started"}}, stop_when="any")
