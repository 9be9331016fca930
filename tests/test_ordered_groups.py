"""Groups with an order: who starts after whom, who stops before whom, and what happens in between."""

import asyncio
from typing import Any

import pytest

from groups import Show, crew, failure, now, play, raises, show, start, stop_timeout, turns, when
from orchestra import Conductor, ConductorError, Context, OrchestraError, restarting
from orchestra.testing import (
    FakePlayer,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)

pytestmark = pytest.mark.virtual_time

HOUSE = {"api": ["db", "cache"], "web": ["api"], "worker": ["db"]}


def house(**script: FakePlayer) -> dict[str, FakePlayer]:
    """Dependents stand before those that they depend on, since the mapping's order means nothing."""
    players = {
        "web": FakePlayer(ready_after=1),
        "worker": FakePlayer(ready_after=1),
        "api": FakePlayer(ready_after=1),
        "cache": FakePlayer(ready_after=3),
        "db": FakePlayer(ready_after=2),
    }
    return {**players, **script}


async def three(**terms: Any) -> tuple[Show, dict[str, FakePlayer]]:
    players = {name: FakePlayer(slow_stop(1), ready_after=1) for name in ("a", "b", "c")}
    return await show(Conductor(players, ordered=True, **terms)), players


# Starting


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_player_starts_when_all_that_it_comes_after_are_ready(reverse: bool) -> None:
    """`after` counts by name, wherever a player stands in the mapping."""
    players = house()
    names = reversed(list(players)) if reverse else list(players)
    conductor = Conductor({name: players[name] for name in names}, after=HOUSE)
    playing = await show(conductor, after=20)
    assert {name: when(player, "started") for name, player in players.items()} == {
        "db": [0],
        "cache": [0],
        "worker": [2],
        "api": [3],
        "web": [4],
    }
    assert await playing.end() is None


async def test_ordered_starts_each_player_after_the_one_before_it() -> None:
    """The next starts when the last is ready."""
    playing, players = await three()
    await asyncio.sleep(10)
    assert [when(player, "started") for player in players.values()] == [[0], [1], [2]]
    assert await playing.end() is None


async def test_players_that_do_not_signal_start_one_after_the_other_as_well() -> None:
    """Ready once started: the order holds, and no time passes."""
    playing = await show(Conductor(crew(5), ordered=True), after=1)
    started = [event.path for event in playing.events if type(event).__name__ == "Started"]
    assert started == [f"p{number}" for number in range(5)]
    kinds = playing.kinds()
    assert kinds == ["Started", "Ready"] * 5
    assert await playing.end() is None


@pytest.mark.parametrize("one_shot", [False, True])
async def test_after_and_ordered_go_together(one_shot: bool) -> None:
    """With both, a player waits for the one before it and for those that it names."""
    players = {name: FakePlayer(ready_after=1) for name in ("a", "b", "c")}
    names: Any = iter(["a"]) if one_shot else {"a"}
    playing = await show(Conductor(players, after={"c": names}, ordered=True), after=10)
    assert [when(player, "started") for player in players.values()] == [[0], [1], [2]]
    assert await playing.end() is None


async def test_any_collection_of_names_will_do() -> None:
    """Lists, tuples, sets, the keys of a mapping, and what can be looked through only once."""
    for names in (["db"], ("db", "db"), {"db"}, {"db": "ready"}, {"db": 1}.keys(), iter(["db"])):
        api, db = FakePlayer(), FakePlayer(ready_after=1)
        after: Any = {"api": names}
        playing = await show(Conductor({"api": api, "db": db}, after=after), after=5)
        assert when(api, "started")[0] == when(db, "ready")[0]
        assert await playing.end() is None


@pytest.mark.parametrize("signals", [False, True])
async def test_a_dependency_that_ends_well_counts_as_ready(signals: bool) -> None:
    """A migration, say, after which the others start: once it has ended, if it signals nothing before."""
    first = FakePlayer(ends(after=3), signals_ready=signals)
    then = FakePlayer(ends(after=1))
    assert await play(Conductor({"then": then, "first": first}, after={"then": ["first"]})) is None
    assert when(then, "started") == ([3] if signals else [0])


async def test_a_dependency_that_ends_in_its_first_step_counts_as_ready() -> None:
    """However fast it is, nobody waits for it for ever."""

    async def nothing() -> None: ...

    then = FakePlayer(ends(after=1))
    assert await play(Conductor({"first": nothing, "then": then}, ordered=True)) is None
    assert then.runs == 1


async def test_a_dependency_that_fails_keeps_its_dependents_from_starting() -> None:
    """The group stops: those that play are asked, those that wait never start."""
    players = {
        "a": FakePlayer(slow_stop(2)),
        "b": FakePlayer(raises(OSError("b"), after=1), signals_ready=True),
        "c": FakePlayer(),
        "d": FakePlayer(),
    }
    error = await failure(Conductor(players, ordered=True))
    assert list(error.failures) == ["b"]
    assert (players["a"].asked, players["c"].runs, players["d"].runs) == (1, 0, 0)
    assert now() == 3


async def test_a_dependency_that_comes_back_is_waited_for() -> None:
    """With a backoff, its dependents start when it is ready at last."""
    db = FakePlayer(fails(after=1), fails(after=1), plays(), ready_after=2, backoff=[3, 3])
    api = FakePlayer()
    playing = await show(Conductor({"api": api, "db": db}, after={"api": ["db"]}), after=20)
    assert when(api, "started") == [10]
    assert await playing.end() is None


async def test_a_dependency_that_fails_and_comes_back_does_not_restart_its_dependents() -> None:
    """`after` is about starting and stopping only."""
    db = FakePlayer(fails(after=5), plays(), backoff=[1])
    api = FakePlayer()
    playing = await show(Conductor({"db": db, "api": api}, ordered=True), after=20)
    assert (db.runs, api.runs, api.asked) == (2, 1, 0)
    assert await playing.end() is None


async def test_a_group_is_a_dependency_like_any_other() -> None:
    """A nested conductor is ready once each of its players has been ready or has ended well."""
    group = Conductor({"slow": FakePlayer(ready_after=4), "quick": FakePlayer(ends(after=1))})
    api = FakePlayer()
    playing = await show(Conductor({"api": api, "g": group}, after={"api": ["g"]}), after=10)
    assert when(api, "started") == [4]
    assert await playing.end() is None


async def test_an_empty_group_is_ready_at_once() -> None:
    """It has nobody to wait for."""
    api = FakePlayer(ends())
    conductor = Conductor(
        {"g": Conductor(), "h": Conductor(stop_when="never"), "api": api}, ordered=True
    )
    playing = await show(conductor, after=1)
    assert api.runs == 1
    assert await playing.end() is None


# Stopping


async def test_a_player_stops_before_those_that_it_comes_after() -> None:
    """Each is asked when all of its dependents have ended."""
    players = house(
        web=FakePlayer(slow_stop(1)),
        api=FakePlayer(slow_stop(2)),
        worker=FakePlayer(slow_stop(4)),
        cache=FakePlayer(slow_stop(1)),
        db=FakePlayer(slow_stop(1)),
    )
    playing = await show(Conductor(players, after=HOUSE, timeout=60), after=10)
    assert await playing.end() is None
    assert {name: when(player, "asked") for name, player in players.items()} == {
        "web": [10],
        "worker": [10],
        "api": [11],
        "cache": [13],
        "db": [14],
    }
    assert now() == 15


async def test_ordered_stops_the_last_first() -> None:
    """The stop goes through the start backwards."""
    playing, players = await three()
    await asyncio.sleep(10)
    assert await playing.end() is None
    assert [when(player, "asked") for player in players.values()] == [[12], [11], [10]]


async def test_the_context_of_a_dependency_is_not_done_before_its_dependents_have_ended() -> None:
    """Until then a database, say, serves on, and does not even know of the stop."""
    playing, players = await three()
    await asyncio.sleep(10)
    playing.ctx.cancel()
    await asyncio.sleep(0.5)
    assert [playing.state(name) for name in "abc"] == ["ready", "ready", "stopping"]
    assert await playing.end() is None
    assert all(player.asked for player in players.values())


async def test_a_failure_stops_in_order_too() -> None:
    """Whatever begins the stop, those that still play go in their turn."""
    players = {
        "a": FakePlayer(slow_stop(1)),
        "b": FakePlayer(raises(OSError("b"), after=5)),
        "c": FakePlayer(slow_stop(1)),
    }
    error = await failure(Conductor(players, ordered=True))
    assert list(error.failures) == ["b"]
    assert (when(players["c"], "asked"), when(players["a"], "asked")) == ([5], [6])


async def test_errors_of_an_ordered_stop_are_all_told() -> None:
    """A failure on the way down neither stops the stop nor is lost."""
    players = {name: FakePlayer(fails_stopping(OSError(name))) for name in "abc"}
    error = await failure(Conductor(players, ordered=True), asked=5)
    assert list(error.failures) == ["c", "b", "a"]


async def test_a_dependency_that_fails_during_the_stop_is_told() -> None:
    """It fails before its turn has come; the others go on stopping."""
    players = {
        "a": FakePlayer(slow_stop(1)),
        "b": FakePlayer(raises(OSError("b"), after=6)),
        "c": FakePlayer(slow_stop(2)),
    }
    error = await failure(Conductor(players, ordered=True), asked=5)
    assert list(error.failures) == ["b"]
    assert when(players["a"], "asked") == [7]


async def test_a_dependency_still_comes_back_during_the_stop() -> None:
    """Its dependents, which stop, may need it to do so."""
    db = FakePlayer(fails(OSError("x"), after=6), plays(), backoff=[1])
    api = FakePlayer(slow_stop(5))
    conductor = Conductor({"db": db, "api": api}, ordered=True, timeout=30)
    assert await play(conductor, asked=5) is None
    assert when(db, "started") == [0, 7]
    assert when(db, "asked") == [10]


async def test_a_dependency_that_backs_off_when_its_turn_comes_has_ended() -> None:
    """There is nothing to wait for."""
    db = FakePlayer(fails(OSError("x"), after=1), backoff=[1000])
    first = FakePlayer()
    conductor = Conductor({"first": first, "db": db, "api": FakePlayer(slow_stop(2))}, ordered=True)
    assert await play(conductor, asked=5) is None
    assert when(first, "asked") == [7]


async def test_players_that_never_started_keep_nobody() -> None:
    """A stop in the middle of the start asks those that play, in their order."""
    playing, players = await three()
    await asyncio.sleep(1.5)
    assert await playing.end() is None
    assert [player.runs for player in players.values()] == [1, 1, 0]
    assert [when(player, "asked") for player in players.values()] == [[2.5], [1.5], []]


@pytest.mark.parametrize("number", range(12))
async def test_a_stop_in_any_moment_of_the_start_is_in_order(number: int) -> None:
    """However far the start has come, nobody starts after the stop, and nobody plays after the end."""
    players = crew(5, slow_stop(1))
    playing = await show(Conductor(players, ordered=True, timeout=60))
    await turns(number)
    assert await playing.end() is None
    started = [player.runs for player in players.values()]
    assert started == sorted(started, reverse=True)
    assert all(player.playing == 0 for player in players.values())
    asked = [when(player, "asked") for player in players.values() if player.runs]
    assert asked == sorted(asked, reverse=True)


@pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")
@pytest.mark.parametrize("number", range(8))
async def test_nobody_starts_after_the_stop_who_was_abandoned_before(number: int) -> None:
    """Also where a stop comes while it is looked whether the earlier run has ended by now."""
    late = FakePlayer(ignores_cancellation(for_=1), plays())
    conductor = Conductor({"late": late, "b": FakePlayer()}, ordered=True, timeout=0)
    playing = await show(conductor, after=1)
    assert await playing.end() is not None
    await asyncio.sleep(2)
    playing = await show(conductor)
    await turns(number)
    runs = late.runs
    playing.ctx.cancel()
    await asyncio.wait([playing.task])
    assert late.runs == runs
    assert playing.kinds("late").count("Started") == runs - 1


async def test_two_thousand_in_a_chain_start_and_stop() -> None:
    """A chain may be longer than the stack is deep."""
    players = crew(2000)
    playing = await show(Conductor(players, ordered=True), after=1)
    assert all(player.runs for player in players.values())
    assert await playing.end() is None
    assert all(player.asked == 1 for player in players.values())


@pytest.mark.parametrize("what", ["end", "back off", "never start"])
async def test_two_thousand_in_a_chain_end_at_once(what: str) -> None:
    """Also where each ending is known the moment it is asked for."""

    async def nothing() -> None: ...

    async def crashes() -> None:
        raise OSError

    given: dict[str, Any] = {
        "end": nothing,
        "back off": restarting(crashes, [1000]),
        "never start": FakePlayer(),
    }
    players: dict[str, Any] = {str(number): given[what] for number in range(2000)}
    if what == "never start":
        players = {"first": FakePlayer(signals_ready=True), **players}
    if what == "back off":
        after = {"last": list(players)}
        players["last"] = FakePlayer()
        playing = await show(Conductor(players, after=after), after=1)
    else:
        playing = await show(Conductor(players, ordered=True), after=1)
    assert await playing.end() is None
    assert now() == 1


async def test_two_thousand_in_a_chain_are_cut_off() -> None:
    """A chain with no time at all ends at once, and names all that hung."""
    players = crew(2000, hangs())
    error = await failure(Conductor(players, ordered=True, timeout=0), asked=1)
    assert len(stop_timeout(error).left) == 2000
    assert now() == 1


async def test_a_tree_of_dependencies_shares_the_time_by_its_longest_way() -> None:
    """Those that stop side by side do not cost each other time."""
    players: dict[str, FakePlayer] = {"db": FakePlayer(slow_stop(4))}
    players |= crew(20, slow_stop(4))
    after = {name: ["db"] for name in players if name != "db"}
    assert await play(Conductor(players, after=after, timeout=9), asked=1) is None
    assert now() == 9


async def test_a_time_that_gets_shorter_is_shared_out_anew() -> None:
    """Who hangs in that moment leaves the others their share of what is left."""
    ctx, first = Context(), FakePlayer(slow_stop(1))
    conductor = Conductor({"first": first, "hangs": FakePlayer(hangs())}, ordered=True, timeout=20)
    task = start(conductor, ctx)
    await asyncio.sleep(1)
    ctx.cancel()
    await asyncio.sleep(1)
    ctx.cancel(within=4)
    await asyncio.wait([task])
    assert when(first, "asked") == [pytest.approx(2 + 4 * 0.85 / 2)]
    assert first.cancelled == 0
    assert stop_timeout(task.exception()).left == ("hangs",)


# Changing it while it plays


async def test_a_player_that_is_added_comes_last() -> None:
    """It starts after the last one, and is the first to stop."""
    playing, players = await three()
    await asyncio.sleep(0.5)
    late = FakePlayer(slow_stop(1))
    playing.conductor.add("d", late)
    await asyncio.sleep(10)
    assert when(late, "started") == [3]
    assert await playing.end() is None
    assert when(players["c"], "asked") == when(late, "ended")


async def test_a_player_that_is_added_to_a_group_with_an_after_comes_after_nobody() -> None:
    """It has no names to come after."""
    api, db = FakePlayer(), FakePlayer(ready_after=50)
    playing = await show(Conductor({"api": api, "db": db}, after={"api": ["db"]}), after=1)
    late = FakePlayer()
    playing.conductor.add("late", late)
    await asyncio.sleep(1)
    assert late.runs == 1
    assert await playing.end() is None


@pytest.mark.parametrize("name", ["a", "b", "c"])
async def test_a_name_that_is_removed_and_added_again_comes_last(name: str) -> None:
    """Whoever had the name before has left nothing of its place."""
    playing, players = await three()
    await asyncio.sleep(10)
    await playing.conductor.remove(name)
    again = FakePlayer(slow_stop(1))
    playing.conductor.add(name, again)
    await asyncio.sleep(1)
    assert again.playing == 1
    assert await playing.end() is None
    rest = [player for other, player in players.items() if other != name]
    times = [when(player, "asked")[-1] for player in [again, *reversed(rest)]]
    assert times == sorted(times)
    assert len(set(times)) == 3


async def test_removing_and_adding_again_and_again_keeps_the_order() -> None:
    """Also the whole group, one after the other, many times over."""
    playing, _ = await three()
    await asyncio.sleep(10)
    for _ in range(5):
        for name in ("b", "a", "c"):
            await playing.conductor.remove(name)
            playing.conductor.add(name, FakePlayer(slow_stop(1)))
            await asyncio.sleep(1)
    began = now()
    assert await playing.end() is None
    stopping = [event.path for event in playing.events if type(event).__name__ == "Stopping"]
    assert stopping[-3:] == ["c", "a", "b"]
    assert now() == began + 3


async def test_removing_a_dependency_lets_those_start_that_waited_for_it() -> None:
    """Nobody waits for one that is gone."""
    playing, players = await three()
    await asyncio.sleep(0.5)
    await playing.conductor.remove("a")
    await turns()
    assert players["b"].runs == 1
    assert await playing.end() is None


async def test_removing_one_that_waits_starts_nobody_too_early() -> None:
    """The one behind it waits for its own turn, and the removed one never starts."""
    playing, players = await three()
    await asyncio.sleep(0.5)
    await playing.conductor.remove("b")
    assert now() == 0.5
    await asyncio.sleep(10)
    assert (players["b"].runs, players["c"].runs) == (0, 1)
    assert await playing.end() is None


async def test_removing_one_of_the_middle_passes_its_place_on() -> None:
    """Who came after it waits for those before it, and keeps them from being asked."""
    playing, players = await three(timeout=30)
    await asyncio.sleep(0.5)
    await playing.conductor.remove("b")
    assert players["c"].runs == 0
    await asyncio.sleep(10)
    assert when(players["c"], "started") == [1]
    assert await playing.end() is None
    assert when(players["a"], "asked") == when(players["c"], "ended")


async def test_a_dependency_may_be_removed_from_under_its_dependents() -> None:
    """`remove` is the owner's word: it stops at once, and they play on."""
    playing, players = await three()
    await asyncio.sleep(10)
    await playing.conductor.remove("a")
    assert now() == 11
    assert players["b"].asked == 0
    assert await playing.end() is None


async def test_those_after_a_removed_one_come_after_those_before_it_from_then_on() -> None:
    """Also in each further run of a group that comes back."""
    db, api = FakePlayer(ready_after=2), FakePlayer(plays(), fails(after=1), plays())
    players = {"db": db, "cache": FakePlayer(), "api": api}
    inner = Conductor(players, after={"api": ["cache"], "cache": {"db": "ready"}}, backoff=[1])
    playing = await show(Conductor({"inner": inner}), after=3)
    await inner.remove("cache")
    assert inner.after == {"api": {"db": "ready"}}
    await playing.conductor.restart("inner")
    assert when(api, "started") == [2, 5]
    await asyncio.sleep(5)
    assert when(api, "started") == [2, 5, 9]
    assert await playing.end() is None


async def test_a_removed_name_is_forgotten_in_after() -> None:
    """What comes after nobody any more starts at once when the conductor is played again."""
    api, db = FakePlayer(), FakePlayer(ready_after=1)
    conductor = Conductor({"api": api, "db": db}, after={"api": ["db"]})
    playing = await show(conductor, after=5)
    await conductor.remove("db")
    assert await playing.end() is None
    playing = await show(conductor, after=5)
    assert api.runs == 2
    assert await playing.end() is None


async def test_restarting_one_that_waits_waits_for_its_turn() -> None:
    """It has not begun, so its first run is the one that is waited for."""
    playing, players = await three()
    await asyncio.sleep(0.5)
    await playing.conductor.restart("b")
    assert now() == 2
    assert players["b"].runs == 1
    assert await playing.end() is None


async def test_restarting_a_dependency_leaves_its_dependents_alone() -> None:
    """A restart by hand is no other than one by a backoff."""
    playing, players = await three()
    await asyncio.sleep(10)
    await playing.conductor.restart("a")
    assert [player.runs for player in players.values()] == [2, 1, 1]
    assert await playing.end() is None
    assert [when(player, "asked")[-1] for player in players.values()] == [14, 13, 12]


async def test_a_player_that_has_ended_and_plays_again_keeps_those_before_it() -> None:
    """Started again by hand, it is again to stop first."""
    a, b = FakePlayer(slow_stop(1)), FakePlayer(ends(after=1), slow_stop(1))
    playing = await show(Conductor({"a": a, "b": b}, ordered=True), after=5)
    await playing.conductor.restart("b")
    assert await playing.end() is None
    assert when(a, "asked") == [6]
    assert b.runs == 2


async def test_a_player_that_plays_again_keeps_those_beyond_one_that_has_ended() -> None:
    """It came after the first as well, though the one between them is over."""
    a = FakePlayer(slow_stop(1))
    b, c = FakePlayer(ends(after=1)), FakePlayer(ends(after=1), slow_stop(2))
    playing = await show(Conductor({"a": a, "b": b, "c": c}, ordered=True), after=5)
    await playing.conductor.restart("c")
    assert await playing.end() is None
    assert when(c, "asked") == [5]
    assert when(a, "asked") == [7]


async def test_a_restart_of_a_dependency_meets_the_stop() -> None:
    """Stopped in the middle of a restart, the group ends in time, and no run is left."""
    playing, players = await three(timeout=9)
    await asyncio.sleep(10)
    restart = asyncio.create_task(playing.conductor.restart("a"))
    await asyncio.sleep(0.5)
    assert await playing.end() is None
    (error,) = await asyncio.gather(restart, return_exceptions=True)
    assert error is None or isinstance(error, OrchestraError)
    assert all(player.playing == 0 for player in players.values())
    assert now() <= 20.5


async def test_playing_it_again_starts_in_order_again() -> None:
    """Nothing of one performance is left for the next."""
    players = {name: FakePlayer(ready_after=1) for name in ("a", "b", "c")}
    conductor = Conductor(players, ordered=True)
    for base in (0, 10):
        playing = await show(conductor, after=10)
        assert [when(player, "started")[-1] for player in players.values()] == [
            base,
            base + 1,
            base + 2,
        ]
        assert await playing.end() is None


async def test_an_order_inside_of_an_order() -> None:
    """Each group keeps its own, and the outer one waits for the whole of the inner."""
    inner = {
        "x": FakePlayer(slow_stop(1), ready_after=1),
        "y": FakePlayer(slow_stop(1), ready_after=1),
    }
    first, last = FakePlayer(slow_stop(1), ready_after=1), FakePlayer(slow_stop(1))
    conductor = Conductor(
        {"first": first, "g": Conductor(inner, ordered=True, timeout=30), "last": last},
        ordered=True,
        timeout=60,
    )
    playing = await show(conductor, after=10)
    started = [when(player, "started") for player in (first, inner["x"], inner["y"], last)]
    assert started == [[0], [1], [2], [3]]
    assert await playing.end() is None
    asked = [when(player, "asked") for player in (last, inner["y"], inner["x"], first)]
    assert asked == [[10], [11], [12], [13]]


async def test_stop_when_any_holds_in_an_order() -> None:
    """The first ending stops the group, in order."""
    players = {
        "a": FakePlayer(slow_stop(1)),
        "b": FakePlayer(ends(after=3)),
        "c": FakePlayer(slow_stop(1)),
    }
    assert await play(Conductor(players, ordered=True, stop_when="any")) is None
    assert when(players["c"], "asked") == [3]
    assert when(players["a"], "asked") == [4]


async def test_two_failures_at_once_in_an_order_are_both_told() -> None:
    """Neither the order nor the stop loses the second."""
    players = {name: FakePlayer(raises(OSError(name), after=2)) for name in "abc"}
    error = await failure(Conductor(players, ordered=True))
    assert sorted(error.failures) == ["a", "b", "c"]
    assert isinstance(error, ConductorError)
