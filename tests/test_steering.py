"""Steering a group while it plays: players added, removed and restarted, at any moment and by anybody."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from groups import (
    Show,
    crew,
    fails_when_cut,
    failure,
    now,
    outcome,
    pair,
    play,
    raises,
    show,
    start,
    turns,
    when,
)
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Failed,
    OrchestraError,
    Performance,
    Stopped,
    StopTimeoutError,
    WatchdogError,
    playing,
    playing_in_thread,
    restarting,
)
from orchestra.testing import (
    FakePlayer,
    Take,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)

pytestmark = pytest.mark.virtual_time

abandons = pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")


# Adding


async def test_a_player_may_be_added_before_and_while_it_plays() -> None:
    """One that is added to a conductor that plays starts at once."""
    before, meanwhile = FakePlayer(), FakePlayer()
    conductor = Conductor()
    conductor.add("before", before)
    playing = await show(conductor, after=1)
    conductor.add("meanwhile", meanwhile)
    await asyncio.sleep(1)
    assert (when(before, "started"), when(meanwhile, "started")) == ([0], [1])
    assert list(conductor.players) == ["before", "meanwhile"]
    assert playing.kinds("meanwhile") == ["Started", "Ready"]
    assert await playing.end() is None
    assert meanwhile.asked == 1


async def test_a_name_that_is_taken_can_not_be_added() -> None:
    """Neither before nor while it plays, and the player that has it is left alone."""
    playing, player = await pair()
    for conductor in (playing.conductor, Conductor({"a": FakePlayer()})):
        with pytest.raises(ValueError, match="'a'"):
            conductor.add("a", FakePlayer())
    assert player.playing == 1
    assert await playing.end() is None


async def test_a_group_that_is_stopping_takes_nobody_in() -> None:
    """`add` is an `OrchestraError` then, and the name is not taken by it."""
    playing, _ = await pair(slow_stop(5))
    playing.ctx.cancel()
    with pytest.raises(OrchestraError, match="stopping"):
        playing.conductor.add("b", FakePlayer())
    await asyncio.sleep(1)
    with pytest.raises(OrchestraError, match="stopping"):
        playing.conductor.add("b", FakePlayer())
    assert list(playing.conductor.players) == ["a", "z"]
    assert await playing.end() is None
    playing.conductor.add("b", FakePlayer())
    assert list(playing.conductor.players) == ["a", "z", "b"]


async def test_a_group_that_is_about_to_stop_for_a_failure_takes_nobody_in() -> None:
    """The stop begins with the failure, not with the next turn of the loop."""
    refused: list[str] = []

    async def bad(ctx: Context) -> None:
        await ctx.sleep(1)
        raise OSError("x")

    conductor = Conductor({"a": bad, "z": FakePlayer()})
    playing = Show(conductor)

    def observe(event: Any) -> None:
        if type(event).__name__ == "Stopping":
            try:
                conductor.add("late", FakePlayer())
            except OrchestraError as error:
                refused.append(str(error))

    playing.performance.subscribe(observe)
    await asyncio.wait([playing.task])
    assert isinstance(playing.task.exception(), ConductorError)
    assert len(refused) == 1


@pytest.mark.parametrize("number", range(10))
async def test_a_player_added_at_the_moment_of_the_end_is_refused_or_awaited(number: int) -> None:
    """`play` never returns while a player that was taken in plays on."""
    late = FakePlayer(ends(after=3))
    playing = await show(Conductor({"a": FakePlayer(ends(after=1))}), after=1)
    await turns(number)
    try:
        playing.conductor.add("late", late)
    except OrchestraError:
        pass
    assert await playing.end() is None
    assert late.playing == 0


async def test_an_added_player_keeps_the_group_playing() -> None:
    """A group ends when all have ended, whenever they came."""
    conductor = Conductor({"a": FakePlayer(ends(after=2))})
    playing = await show(conductor, after=1)
    conductor.add("b", FakePlayer(ends(after=9)))
    await asyncio.wait([playing.task])
    assert now() == 10


async def test_an_added_player_that_fails_stops_the_group() -> None:
    """The rule of failure is the same for all."""
    playing, player = await pair()
    playing.conductor.add("b", FakePlayer(fails(OSError("b"), after=1)))
    await asyncio.wait([playing.task])
    error = playing.task.exception()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["b"]
    assert player.asked == 1


async def test_an_added_group_is_a_part_of_the_tree() -> None:
    """Its players have their full paths."""
    playing, _ = await pair()
    playing.conductor.add("g", Conductor({"x": FakePlayer()}))
    await asyncio.sleep(1)
    assert playing.conductor.status().find("g.x").ready
    assert await playing.end() is None
    assert playing.kinds("g.x") == ["Started", "Ready", "Stopping", "Stopped"]


async def test_a_group_that_never_ends_can_be_filled_later() -> None:
    """`stop_when="never"` waits for players to come, and goes on when they have ended."""
    conductor = Conductor(stop_when="never")
    playing = await show(conductor, after=5)
    player = FakePlayer(ends(after=1))
    conductor.add("a", player)
    await asyncio.sleep(5)
    assert player.ended == 1
    assert not playing.task.done()
    assert await playing.end() is None


async def test_a_thousand_players_are_added_and_removed() -> None:
    """A group may change for as long as it plays."""
    playing, _ = await pair()
    players = crew(1000)
    for name, player in players.items():
        playing.conductor.add(name, player)
    await turns()
    await asyncio.gather(*(playing.conductor.remove(name) for name in players))
    assert list(playing.conductor.players) == ["a", "z"]
    assert all(player.ended for player in players.values())
    assert await playing.end() is None


# Removing


async def test_a_removed_player_is_stopped_gracefully_first() -> None:
    """`remove` returns when it has ended; the others hear nothing of it."""
    playing, player = await pair(slow_stop(3))
    await playing.conductor.remove("a")
    assert now() == 4
    assert (player.asked, player.cancelled, player.ended) == (1, 0, 1)
    assert list(playing.conductor.players) == ["z"]
    assert [one.name for one in playing.conductor.status().players] == ["z"]
    assert playing.kinds("a")[-2:] == ["Stopping", "Stopped"]
    assert await playing.end() is None


async def test_a_removed_player_knows_why() -> None:
    """Its context says that it is removed, and how long it has."""
    seen: list[Any] = []

    async def player(ctx: Context) -> None:
        await ctx.wait()
        seen.append((ctx.reason, ctx.remaining()))

    playing = await show(Conductor({"a": player, "z": FakePlayer()}, timeout=4), after=1)
    await playing.conductor.remove("a")
    assert seen == [("removed", pytest.approx(4))]
    assert await playing.end() is None


async def test_what_a_removed_player_raises_comes_out_of_remove() -> None:
    """And not out of the group, which plays on."""
    boom = OSError("boom")
    playing, _ = await pair(fails_stopping(boom))
    assert await outcome(playing.conductor.remove("a")) is boom
    assert list(playing.conductor.players) == ["z"]
    assert await playing.end() is None


async def test_what_a_removed_group_raises_comes_out_of_remove() -> None:
    """As the group that it is, with full paths."""
    inner = Conductor({"x": FakePlayer(fails_stopping(OSError("x"))), "y": FakePlayer(hangs())})
    playing = await show(Conductor({"g": inner, "z": FakePlayer()}, timeout=5), after=1)
    error = await outcome(playing.conductor.remove("g"))
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["g.x"]
    (late,) = [one for one in error.exceptions if isinstance(one, StopTimeoutError)]
    assert late.left == ("g.y",)
    assert await playing.end() is None


async def test_a_removed_player_that_does_not_stop_is_cut_off() -> None:
    """A removal is bounded as any stop is, and names who was cut off."""
    playing, player = await pair(hangs(), timeout=3)
    error = await outcome(playing.conductor.remove("a"))
    assert isinstance(error, StopTimeoutError)
    assert error.left == ("a",)
    assert (now(), player.cancelled) == (4, 1)
    assert await playing.end() is None


async def test_a_removed_player_that_was_cut_off_and_raised_tells_both() -> None:
    """Neither hides the other."""

    playing, _ = await pair(fails_when_cut(), timeout=3)
    error = await outcome(playing.conductor.remove("a"))
    assert isinstance(error, ConductorError)
    assert [type(one) for one in error.exceptions] == [OSError, StopTimeoutError]
    assert await playing.end() is None


@abandons
async def test_a_removed_player_that_swallows_its_cancellation_is_abandoned() -> None:
    """After a tenth more, `remove` returns without it."""
    playing, player = await pair(ignores_cancellation(for_=60), timeout=5)
    error = await outcome(playing.conductor.remove("a"))
    assert isinstance(error, StopTimeoutError)
    assert error.abandoned == ("a",)
    assert now() <= 6.5
    assert player.playing == 1
    assert await playing.end() is None


async def test_removing_one_that_has_ended_lets_it_go() -> None:
    """There is nothing to stop."""
    playing, _ = await pair(ends(after=0.5))
    await playing.conductor.remove("a")
    assert now() == 1
    assert list(playing.conductor.players) == ["z"]
    assert [one.name for one in playing.conductor.status().players] == ["z"]
    assert await playing.end() is None


async def test_removing_from_a_conductor_that_does_not_play_is_nothing_more() -> None:
    """The name is free afterwards."""
    conductor = Conductor({"a": FakePlayer()})
    await conductor.remove("a")
    conductor.add("a", FakePlayer())
    assert list(conductor.players) == ["a"]


async def test_a_removal_is_no_ending_for_stop_when_any() -> None:
    """The owner took it away; it did not end by itself."""
    playing, _ = await pair(stop_when="any")
    await playing.conductor.remove("a")
    await asyncio.sleep(5)
    assert not playing.task.done()
    assert await playing.end() is None


async def test_removing_the_last_player_ends_the_group() -> None:
    """An empty group has nothing to wait for, unless it is never to end by itself."""
    for stop_when in ("all", "any", "never"):
        conductor = Conductor({"a": FakePlayer()}, stop_when=stop_when)  # type: ignore[arg-type]
        playing = await show(conductor, after=1)
        await conductor.remove("a")
        await asyncio.sleep(1)
        assert playing.task.done() == (stop_when != "never")
        assert await playing.end() is None


async def test_a_name_is_free_once_its_player_has_been_removed() -> None:
    """`remove` and `add` exchange a player for another one."""
    playing, _ = await pair(slow_stop(1))
    new = FakePlayer()
    with pytest.raises(ValueError, match="'a'"):
        removal = asyncio.create_task(playing.conductor.remove("a"))
        await turns()
        playing.conductor.add("a", new)
    await removal
    playing.conductor.add("a", new)
    await asyncio.sleep(1)
    assert new.playing == 1
    assert playing.conductor.players["a"] is new
    assert await playing.end() is None
    assert new.asked == 1


async def test_removing_it_twice_at_once_is_removing_it_once() -> None:
    """Both wait for the end; both hear what it raised."""
    playing, player = await pair(slow_stop(2))
    await asyncio.gather(playing.conductor.remove("a"), playing.conductor.remove("a"))
    assert (now(), player.asked) == (3, 1)
    boom = OSError("boom")
    playing.conductor.add("b", FakePlayer(fails_stopping(boom)))
    await turns()
    errors = await asyncio.gather(
        playing.conductor.remove("b"), playing.conductor.remove("b"), return_exceptions=True
    )
    assert errors == [boom, boom]
    assert await playing.end() is None


async def test_a_player_added_under_a_removed_name_survives_a_second_removal_of_the_old() -> None:
    """Of two that removed the same player, the slower does not take its successor away."""
    playing, _ = await pair(slow_stop(1))
    new = FakePlayer()

    async def exchange() -> None:
        await playing.conductor.remove("a")
        playing.conductor.add("a", new)

    await asyncio.gather(exchange(), playing.conductor.remove("a"), return_exceptions=True)
    assert playing.conductor.players.get("a") is new
    await asyncio.sleep(1)
    assert new.playing == 1
    await playing.conductor.remove("a")
    assert await playing.end() is None


async def test_a_removal_whose_caller_gives_up_goes_on() -> None:
    """The player still stops, and what it raises then is an error of the group."""
    playing, _ = await pair(fails_stopping(OSError("boom")))
    removal = asyncio.create_task(playing.conductor.remove("a"))
    await asyncio.sleep(0)
    removal.cancel()
    await asyncio.wait([removal])
    await asyncio.sleep(1)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["a"]


async def test_a_name_whose_removal_was_given_up_is_not_free_before_its_player_has_ended() -> None:
    """Or the successor would push it out of the group that has to see to its end."""
    old, new = FakePlayer(hangs()), FakePlayer()
    playing = await show(Conductor({"a": old, "z": FakePlayer()}, timeout=5), after=1)
    removal = asyncio.create_task(playing.conductor.remove("a"))
    await turns()
    removal.cancel()
    await asyncio.wait([removal])
    try:
        playing.conductor.add("a", new)
    except (ValueError, OrchestraError):
        pass
    await asyncio.sleep(10)
    assert old.playing == 0
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert any(isinstance(one, StopTimeoutError) for one in error.exceptions)
    assert new.playing == 0


async def test_a_removed_player_is_unknown_from_the_moment_it_has_ended() -> None:
    """Also to those who ask between its end and the return of `remove`."""
    playing, player = await pair(fails_stopping(OSError("x")))
    removal = asyncio.create_task(playing.conductor.remove("a"))
    errors: set[type[BaseException]] = set()
    for _ in range(6):
        await asyncio.sleep(0)
        if player.ended:
            for call in (playing.conductor.restart, playing.performance.restart):
                error = await outcome(call("a"))
                assert error is not None
                errors.add(type(error))
    assert errors == {KeyError}
    assert isinstance(await outcome(removal), OSError)
    assert await playing.end() is None


@pytest.mark.parametrize("number", range(6))
async def test_a_removal_that_is_given_up_in_any_moment_loses_no_error(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes out of `remove`, out of the group, or is in the log where the group has ended."""
    player = FakePlayer(fails_stopping(OSError("boom")))
    playing = await show(Conductor({"a": player}), after=1)
    removal = asyncio.create_task(playing.conductor.remove("a"))
    await turns(number)
    removal.cancel()
    error = await outcome(removal)
    ended = await playing.end()
    caplog.handler.flush()
    logged = any("lost" in record.getMessage() for record in caplog.records)
    told = [isinstance(error, OSError), isinstance(ended, ConductorError), logged]
    assert told.count(True) == (1 if player.runs else 0)
    assert player.failed == (1 if number else 0) or player.failed == 1


async def test_a_removal_meets_the_stop_of_the_group() -> None:
    """Both go on together: the removed player's error goes to whoever removed it."""
    boom = OSError("boom")

    async def slow_and_bad(take: Take) -> None:
        await take.until_asked()
        await asyncio.sleep(2)
        raise boom

    playing, _ = await pair(slow_and_bad)
    removal = asyncio.create_task(playing.conductor.remove("a"))
    await asyncio.sleep(1)
    error = await playing.end()
    assert await outcome(removal) is boom
    assert error is None
    assert now() == 3


async def test_a_removed_player_does_not_come_back() -> None:
    """Neither from a failure nor from an ending."""
    player = FakePlayer(fails_stopping(OSError("x")))
    always = FakePlayer()
    conductor = Conductor(
        {
            "a": restarting(player, [0, 0]),
            "b": restarting(always, [0, 0], on="always"),
            "z": FakePlayer(),
        }
    )
    playing = await show(conductor, after=1)
    assert isinstance(await outcome(conductor.remove("a")), OSError)
    await conductor.remove("b")
    await asyncio.sleep(5)
    assert (player.runs, always.runs) == (1, 1)
    assert await playing.end() is None


# Restarting


async def test_restart_stops_a_player_and_starts_it_again() -> None:
    """It returns when the player is ready again; the others hear nothing of it."""
    player = FakePlayer(slow_stop(2), plays(), ready_after=3)
    other = FakePlayer()
    playing = await show(Conductor({"a": player, "b": other}), after=5)
    await playing.conductor.restart("a")
    assert now() == 10
    assert [(player.runs, player.playing), (other.runs, other.asked)] == [(2, 1), (1, 0)]
    assert playing.kinds("a") == ["Started", "Ready", "Stopping", "Started", "Ready"]
    assert playing.conductor.status().players["a"].restarts == 1
    assert await playing.end() is None


async def test_restart_starts_one_that_has_ended() -> None:
    """Also one that ended well long ago, and the group waits for it again."""
    playing, player = await pair(ends(after=0.5), ends(after=5))
    await asyncio.sleep(5)
    await playing.conductor.restart("a")
    assert when(player, "started") == [0, 6]
    await playing.conductor.remove("z")
    assert not playing.task.done()
    await asyncio.wait([playing.task])
    assert now() == 11
    assert playing.kinds("a") == ["Started", "Ready", "Stopped", "Started", "Ready", "Stopped"]


async def test_restart_needs_no_backoff_and_uses_none_up() -> None:
    """A restart by hand is no failure."""
    player = FakePlayer(plays(), plays(), fails(after=1), plays(), backoff=[1])
    playing = await show(Conductor({"a": player}), after=1)
    await playing.conductor.restart("a")
    await playing.conductor.restart("a")
    await asyncio.sleep(10)
    assert player.runs == 4
    assert await playing.end() is None


async def test_restart_during_a_backoff_does_not_wait_for_its_end() -> None:
    """Whoever restarts by hand wants it now."""
    player = FakePlayer(fails(after=1), plays(), backoff=[1000])
    playing = await show(Conductor({"a": player}), after=5)
    await playing.conductor.restart("a")
    assert (now(), player.runs) == (5, 2)
    assert playing.state("a") == "ready"
    assert await playing.end() is None


async def test_a_restart_that_fails_raises_what_the_player_raised() -> None:
    """And the group stops for it, as for any failure."""
    boom = OSError("boom")
    player = FakePlayer(plays(), fails(boom))
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=1)
    assert await outcome(playing.conductor.restart("a")) is boom
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["a"]


async def test_a_failure_on_the_way_to_a_restart_is_mended_by_it() -> None:
    """What a player raises while it stops to come back is an event, not an error of the group."""
    player = FakePlayer(fails_stopping(OSError("x")), plays())
    playing = await show(Conductor({"a": player}), after=1)
    await playing.conductor.restart("a")
    assert player.runs == 2
    assert playing.kinds("a") == [
        *["Started", "Ready", "Stopping", "Failed", "BackingOff", "Started", "Ready"]
    ]
    assert await playing.end() is None


async def test_a_restart_of_one_that_is_stuck_cuts_it_off() -> None:
    """It has the group's time to stop in, and the restart mends that too."""
    player = FakePlayer(hangs(), plays())
    playing = await show(Conductor({"a": player}, timeout=3), after=1)
    await playing.conductor.restart("a")
    assert (now(), player.cancelled, player.runs) == (4, 1, 2)
    assert await playing.end() is None


@abandons
async def test_a_restart_of_one_that_can_not_be_cut_off_fails() -> None:
    """Its old run goes on, so it is not started a second time."""
    player = FakePlayer(ignores_cancellation(for_=60))
    playing = await show(Conductor({"a": player}, timeout=3), after=1)
    error = await outcome(playing.conductor.restart("a"))
    assert type(error) is OrchestraError
    assert "_fake_player.py" in str(error)
    assert (player.runs, player.playing) == (1, 1)
    assert now() <= 4.3
    assert isinstance(await playing.end(), ConductorError)


async def test_restarting_it_twice_at_once_is_restarting_it_once() -> None:
    """Both return when it is ready again."""
    playing, player = await pair(slow_stop(2), plays())
    await asyncio.gather(playing.conductor.restart("a"), playing.conductor.restart("a"))
    assert (now(), player.runs) == (3, 2)
    assert await playing.end() is None


@pytest.mark.parametrize("number", range(12))
async def test_a_restart_in_any_moment_after_another_ends_in_a_player_that_plays(
    number: int,
) -> None:
    """However the turns of the loop fall, one run goes on, and both callers return."""
    playing, player = await pair()
    first = asyncio.create_task(playing.conductor.restart("a"))
    await turns(number)
    await playing.conductor.restart("a")
    await first
    assert player.playing == 1
    assert await playing.end() is None
    assert player.playing == 0


@pytest.mark.parametrize("number", range(15))
async def test_a_stop_in_any_moment_of_a_restart_ends_well(number: int) -> None:
    """`restart` returns or raises `OrchestraError`; no run begins after the stop."""
    playing, player = await pair()
    restart = asyncio.create_task(playing.conductor.restart("a"))
    await turns(number)
    assert await playing.end() is None
    assert player.playing == 0
    error = await outcome(restart)
    assert error is None or type(error) is OrchestraError
    assert now() == 1


@pytest.mark.parametrize("number", range(12))
async def test_a_restart_in_any_moment_of_the_end_is_refused_or_awaited(number: int) -> None:
    """`play` never returns while a player that was started again plays on."""
    player = FakePlayer(ends(after=1), ends(after=3))
    playing = await show(Conductor({"a": player}), after=1)
    await turns(number)
    restart = asyncio.create_task(playing.conductor.restart("a"))
    await asyncio.wait([playing.task])
    assert player.playing == 0
    error = await outcome(restart)
    assert error is None or type(error) is OrchestraError


@pytest.mark.parametrize("number", range(8))
async def test_a_removal_in_any_moment_of_a_restart_wins(number: int) -> None:
    """The player is gone, and whoever waited for its restart hears of it."""
    playing, player = await pair(slow_stop(1), slow_stop(1))
    restart = asyncio.create_task(playing.conductor.restart("a"))
    await asyncio.sleep(1 if number > 3 else 0)
    await turns(number)
    await playing.conductor.remove("a")
    assert player.playing == 0
    error = await outcome(restart)
    assert error is None or isinstance(error, OrchestraError)
    assert await playing.end() is None


async def test_a_group_that_is_stopping_restarts_nobody() -> None:
    """Neither does a player that is being removed."""
    playing, _ = await pair(slow_stop(5))
    removal = asyncio.create_task(playing.conductor.remove("a"))
    await turns()
    with pytest.raises(OrchestraError, match="stopping"):
        await playing.conductor.restart("a")
    playing.ctx.cancel()
    with pytest.raises(OrchestraError, match="stopping"):
        await playing.conductor.restart("z")
    await removal
    assert await playing.end() is None


async def test_a_restart_whose_caller_gives_up_goes_on() -> None:
    """The player comes back all the same."""
    playing, player = await pair(slow_stop(2), plays())
    restart = asyncio.create_task(playing.conductor.restart("a"))
    await asyncio.sleep(1)
    restart.cancel()
    await asyncio.sleep(5)
    assert (player.runs, player.playing) == (2, 1)
    assert await playing.end() is None


async def test_a_restart_that_ends_well_before_it_is_ready_returns() -> None:
    """A player that has ended is as ready as it will ever be."""
    player = FakePlayer(plays(), ends(after=1), signals_ready=True)
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=1)
    async with asyncio.timeout(60):
        await playing.conductor.restart("a")
    assert now() == 2
    assert await playing.end() is None


async def test_a_group_is_restarted_whole() -> None:
    """Each of its players stops and starts again, and `restart` waits for all of them."""
    players = {"x": FakePlayer(slow_stop(1), plays(), ready_after=2), "y": FakePlayer(plays())}
    playing = await show(Conductor({"g": Conductor(players), "z": FakePlayer()}), after=5)
    await playing.conductor.restart("g")
    assert now() == 8
    assert [player.runs for player in players.values()] == [2, 2]
    assert playing.conductor.status().find("g.x").ready
    assert await playing.end() is None


async def test_a_restart_while_the_watchdog_cuts_off_starts_it_once() -> None:
    """The failure is mended by the restart that was asked for meanwhile."""
    player = FakePlayer(ignores_cancellation(for_=0.5), plays(), watchdog=2)
    playing = await show(Conductor({"a": player}), after=2.2)
    restart = asyncio.create_task(playing.conductor.restart("a"))
    assert await outcome(restart) is None
    assert (player.runs, player.playing) == (2, 1)
    failed = [event for event in playing.events if type(event).__name__ == "Failed"]
    assert [type(event.error) for event in failed] == [WatchdogError]  # type: ignore[attr-defined]
    assert not any(event.final for event in failed)  # type: ignore[attr-defined]
    playing.ctx.cancel()
    await asyncio.wait([playing.task])


# Names that nobody has


async def test_an_unknown_name_is_a_key_error_with_the_nearest() -> None:
    """For `remove`, `restart` and the path of a performance, whether it plays or not."""
    conductor = Conductor({"mailer": FakePlayer(), "g": Conductor({"worker": FakePlayer()})})
    with pytest.raises(KeyError, match="mailer"):
        await conductor.remove("mailr")
    with pytest.raises(KeyError, match="mailer"):
        await conductor.restart("mailr")
    playing = await show(conductor, after=1)
    for call in (conductor.remove, conductor.restart, playing.performance.restart):
        with pytest.raises(KeyError, match=r"'mailr'.*Did you mean 'mailer'"):
            await call("mailr")
    with pytest.raises(KeyError, match=r"g\.worker"):
        await playing.performance.restart("g.workr")
    with pytest.raises(KeyError):
        await conductor.restart("g.worker")
    assert await playing.end() is None


async def test_a_name_without_a_neighbour_comes_with_those_that_there_are() -> None:
    """And an empty group says that there are none."""
    playing, _ = await pair()
    with pytest.raises(KeyError, match="There are: a, z"):
        await playing.conductor.remove("completely-else")
    assert await playing.end() is None
    with pytest.raises(KeyError, match="There are none"):
        await Conductor().remove("a")


async def test_a_removed_name_is_unknown() -> None:
    """Also at once, in the same turn of the loop."""
    playing, _ = await pair()
    await playing.conductor.remove("a")
    for call in (
        playing.conductor.remove,
        playing.conductor.restart,
        playing.performance.restart,
    ):
        with pytest.raises(KeyError):
            await call("a")
    assert await playing.end() is None


# By path


async def test_a_performance_restarts_by_path() -> None:
    """Any player of the tree, however deep."""
    players = crew(3)
    conductor = Conductor(
        {
            "p": players["p0"],
            "g": Conductor({"p": players["p1"], "g": Conductor({"p": players["p2"]})}),
        }
    )
    playing = await show(conductor, after=1)
    await playing.performance.restart("g.g.p")
    assert [player.runs for player in players.values()] == [1, 1, 2]
    await playing.performance.restart("g")
    assert [player.runs for player in players.values()] == [1, 2, 3]
    await playing.performance.restart("p")
    assert [player.runs for player in players.values()] == [2, 2, 3]
    assert await playing.end() is None


@pytest.mark.parametrize("given", ["player", "group"])
async def test_a_performance_restarts_its_root(given: str) -> None:
    """The root of an entry point is restarted by its path as any other."""
    player = FakePlayer()
    root: Any = player if given == "player" else Conductor({"a": player})
    async with playing(root) as performance:
        await performance.restart(performance.status().path)
        await turns()
        assert (player.runs, player.playing) == (2, 1)
    assert player.playing == 0


async def test_a_root_that_has_ended_can_not_be_restarted() -> None:
    """The performance is over with it."""
    async with playing(FakePlayer(ends(after=1))) as performance:
        await asyncio.sleep(5)
        with pytest.raises(OrchestraError, match="ended"):
            await performance.restart(performance.status().path)


async def test_a_stop_in_any_moment_of_a_restart_of_the_root_ends_well() -> None:
    """As for a player of a group."""
    for number in range(12):
        player = FakePlayer()
        async with playing(player) as performance:
            restart = asyncio.create_task(performance.restart("FakePlayer"))
            await turns(number)
        assert player.playing == 0
        error = await outcome(restart)
        assert error is None or type(error) is OrchestraError


# By the players themselves


async def test_a_player_may_add_remove_and_restart_its_siblings() -> None:
    """Steering from within the group is as good as from outside."""
    sibling, new = FakePlayer(slow_stop(1)), FakePlayer()

    async def steers(ctx: Context) -> None:
        await ctx.sleep(1)
        conductor.add("new", new)
        await conductor.restart("sibling")
        await conductor.remove("new")
        assert ctx.performance is not None
        await ctx.performance.restart("sibling")
        await ctx.wait()

    conductor = Conductor({"steers": steers, "sibling": sibling})
    playing = await show(conductor, after=10)
    assert (sibling.runs, new.runs, new.ended) == (3, 1, 1)
    assert await playing.end() is None


@pytest.mark.parametrize("what", ["remove", "restart"])
async def test_a_player_that_steers_itself_is_cut_off_in_time(what: str) -> None:
    """It waits for its own end, which can't come before it is cut off; nothing hangs."""

    class Player:
        runs = 0

        async def play(self, ctx: Context) -> None:
            self.runs += 1
            if self.runs == 1:
                await getattr(conductor, what)("me")
            await ctx.wait()

    player = Player()
    conductor = Conductor({"me": player, "z": FakePlayer()}, timeout=5)
    playing = await show(conductor, after=30)
    assert player.runs == (2 if what == "restart" else 1)
    assert ("me" in conductor.players) == (what == "restart")
    error = await playing.end()
    assert error is None or what == "remove"


async def test_a_player_that_stops_its_own_tree_is_asked_like_all_others() -> None:
    """`performance.stop` from inside returns at once."""

    async def stops(ctx: Context) -> None:
        await ctx.sleep(1)
        assert ctx.performance is not None
        ctx.performance.stop("from inside")
        await ctx.wait()
        assert ctx.reason == "from inside"

    other = FakePlayer(slow_stop(1))
    assert await play(Conductor({"a": stops, "b": other})) is None
    assert (other.asked, now()) == (1, 2)


async def test_a_player_that_restarts_its_own_group_comes_back_with_it() -> None:
    """It is asked to stop as part of the group; its call ends with it."""
    runs = 0

    async def player(ctx: Context) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            assert ctx.performance is not None
            async with ctx.interrupt():
                await ctx.performance.restart("g")
        await ctx.wait()

    playing = await show(Conductor({"g": Conductor({"a": player}), "z": FakePlayer()}), after=5)
    assert runs == 2
    assert playing.state("g.a") == "ready"
    assert await playing.end() is None


async def test_a_player_that_waits_for_others_in_a_stop_does_not_hold_it_up() -> None:
    """A stopping player may still remove its siblings."""
    helper = FakePlayer(slow_stop(1))

    async def owner(ctx: Context) -> None:
        await ctx.wait()
        await conductor.remove("helper")

    conductor = Conductor({"owner": owner, "helper": helper})
    assert await play(conductor, asked=1) is None
    assert now() == 2
    assert helper.asked == 1


Steer = Callable[[Show], Awaitable[object]]


@pytest.mark.parametrize("first", ["add", "remove", "restart", "stop"])
@pytest.mark.parametrize("second", ["add", "remove", "restart", "stop"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 6])
@pytest.mark.parametrize("ordered", [False, True])
async def test_any_two_steps_at_once_leave_no_run_behind(
    first: str, second: str, number: int, ordered: bool
) -> None:
    """Whatever happens at the same time: no hang, no orphan, no second copy, and only our errors."""
    players = {name: FakePlayer(slow_stop(1)) for name in "abc"}
    playing = await show(Conductor(players, ordered=ordered, timeout=30), after=1)

    async def step(what: str) -> None:
        if what == "add":
            players[f"new{len(players)}"] = FakePlayer(slow_stop(1))
            playing.conductor.add(list(players)[-1], players[list(players)[-1]])
        elif what == "stop":
            playing.ctx.cancel("enough")
        else:
            await getattr(playing.conductor, what)("b")

    one = asyncio.create_task(step(first))
    await turns(number)
    two = asyncio.create_task(step(second))
    done, pending = await asyncio.wait([one, two], timeout=60)
    assert not pending
    assert {type(task.exception()) for task in done} <= {type(None), OrchestraError, KeyError}
    for player in players.values():
        assert player.playing <= 1
    assert await playing.end() is None
    assert all(player.playing == 0 for player in players.values())


async def test_a_cut_off_from_outside_ends_those_who_steer() -> None:
    """Whoever waits in `remove` or `restart` then hears of the end."""
    playing, _ = await pair(slow_stop(5), slow_stop(5))
    playing.conductor.add("b", FakePlayer(slow_stop(5)))
    await turns()
    waiting = [
        asyncio.create_task(playing.conductor.remove("a")),
        asyncio.create_task(playing.conductor.restart("b")),
    ]
    await asyncio.sleep(1)
    playing.task.cancel()
    await asyncio.wait([playing.task])
    done, pending = await asyncio.wait(waiting, timeout=60)
    assert not pending
    assert {type(task.exception()) for task in done} <= {StopTimeoutError, OrchestraError}


async def test_a_restart_meets_a_failure_of_a_sibling() -> None:
    """The stop that follows ends the restart as well."""
    slow = FakePlayer(slow_stop(3), plays())
    bad = FakePlayer(raises(OSError("bad"), after=2))
    playing = await show(Conductor({"slow": slow, "bad": bad}), after=1)
    error = await outcome(playing.conductor.restart("slow"))
    assert type(error) is OrchestraError
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["bad"]
    assert slow.runs == 1


async def test_a_conductor_that_was_changed_plays_on_as_it_is() -> None:
    """What was added or removed while it played counts for the next time as well."""
    old, new = FakePlayer(ends(after=1)), FakePlayer(ends(after=1))
    conductor = Conductor({"old": old, "z": FakePlayer(ends(after=2))})
    task = start(conductor)
    await asyncio.sleep(0.5)
    conductor.add("new", new)
    await conductor.remove("old")
    await task
    assert await play(conductor) is None
    assert (old.runs, new.runs) == (1, 2)


async def test_an_error_of_ours_names_the_player() -> None:
    """A message without the name would be of no use."""
    playing, _ = await pair(slow_stop(1))
    playing.ctx.cancel()
    for call in (playing.conductor.restart, playing.performance.restart):
        with pytest.raises(OrchestraError, match="'a'"):
            await call("a")
    assert await playing.end() is None
    await failure(Conductor({"a": FakePlayer(fails())}))


@pytest.mark.parametrize("raised", [None, OSError("boom")])
async def test_a_removal_given_up_in_the_moment_of_the_end(raised: Exception | None) -> None:
    """The player is gone and the group is over: what it raised is told in the log, if anything."""
    player = FakePlayer(plays() if raised is None else fails_stopping(raised))
    playing = await show(Conductor({"a": player}), after=1)
    removal = asyncio.create_task(playing.conductor.remove("a"))
    performance = playing.ctx.performance
    assert performance is not None
    performance.subscribe(
        lambda event: removal.cancel() if type(event) in (Stopped, Failed) else None
    )
    await asyncio.wait([removal])
    assert removal.cancelled()
    assert await playing.end() is None
    assert player.playing == 0


async def test_an_earlier_run_can_not_say_that_the_next_is_ready() -> None:
    """What is left of a run that has ended may still call its `ready`, and nobody listens."""
    contexts: list[Context] = []

    class Twice:
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            contexts.append(ctx)
            if len(contexts) == 1:
                raise OSError("first")
            await ctx.wait()

        def backoff(self) -> list[float]:
            return [0]

    playing = await show(Conductor({"a": Twice()}), after=1)
    contexts[0].ready(stale=True)
    assert not playing.conductor.status().players["a"].ready
    contexts[1].ready()
    assert playing.conductor.status().players["a"].ready
    assert playing.conductor.status().players["a"].details == {}
    assert await playing.end() is None


# From elsewhere


def steps_of(conductor: Conductor, performance: Performance) -> list[Callable[[], Any]]:
    """All ways to steer one of the players."""
    return [
        lambda: conductor.add("c", FakePlayer()),
        lambda: asyncio.run(conductor.remove("a")),
        lambda: asyncio.run(conductor.replace("a", FakePlayer())),
        lambda: asyncio.run(conductor.restart("a")),
        lambda: asyncio.run(conductor.start("a")),
        lambda: asyncio.run(conductor.stop("a")),
        lambda: asyncio.run(performance.restart("a")),
        lambda: asyncio.run(performance.start("a")),
        lambda: asyncio.run(performance.stop_player("a")),
        lambda: asyncio.run(performance.scale("a", 3)),
    ]


def test_players_are_steered_in_the_thread_of_their_loop() -> None:
    """In another, nothing happens but a `RuntimeError` that says how it is done from there."""
    players = {"a": FakePlayer(), "b": FakePlayer()}
    conductor = Conductor(players)
    with playing_in_thread(conductor) as performance:
        for step in steps_of(conductor, performance):
            with pytest.raises(RuntimeError, match="in the thread of their loop"):
                step()
        assert list(conductor.players) == ["a", "b"]
        assert [one.state for one in conductor.status().players] == ["ready", "ready"]
    assert [(one.runs, one.asked) for one in players.values()] == [(1, 1)] * 2
    conductor.add("c", FakePlayer())  # it does not play any more


def test_players_may_be_steered_while_their_loop_pauses() -> None:
    """Between two runs of a loop, its thread may do what it may in it."""
    loop = asyncio.new_event_loop()
    ctx, added = Context(), FakePlayer()
    conductor = Conductor({"a": FakePlayer()})
    playing = loop.create_task(conductor.play(ctx))
    loop.run_until_complete(turns())
    conductor.add("b", added)
    loop.run_until_complete(turns())
    ctx.cancel()
    loop.run_until_complete(playing)
    loop.close()
    assert added.asked == 1
