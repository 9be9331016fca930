"""Players and groups that come back: backoffs, giving up, permanent errors, watchdogs, stops meanwhile."""

import asyncio
import itertools
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from groups import (
    crew,
    fails_when_cut,
    failure,
    nest,
    notes,
    now,
    play,
    raises,
    show,
    start,
    stop_timeout,
    turns,
    when,
)
from orchestra import (
    BackingOff,
    Conductor,
    ConductorError,
    ConstantBackoff,
    Context,
    ExponentialBackoff,
    Failed,
    OrchestraError,
    PermanentError,
    StartTimeoutError,
    WatchdogError,
    as_player,
    playing,
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


# Delays


async def test_a_player_with_a_backoff_comes_back() -> None:
    """Each failure is followed by the next delay, and then by the next run."""
    player = FakePlayer(fails(after=1), fails(after=1), ends(after=1), backoff=[2, 10])
    assert await play(Conductor({"a": player})) is None
    assert when(player, "started") == [0, 3, 14]


async def test_the_others_hear_nothing_of_a_mended_failure() -> None:
    """A failure that a restart mends is an event and part of the status, not an error of the group."""
    other = FakePlayer()
    bad = FakePlayer(fails(OSError("boom"), after=1), plays(), backoff=[2])
    playing = await show(Conductor({"a": bad, "b": other}), after=2)
    status = playing.conductor.status().players["a"]
    assert (str(status.state), status.restarts, status.error) == ("backing off", 1, "OSError: boom")
    assert status.next_restart_in == pytest.approx(1)
    assert not status.ready
    await asyncio.sleep(5)
    status = playing.conductor.status().players["a"]
    assert (str(status.state), status.restarts, status.error) == ("ready", 1, "OSError: boom")
    assert (status.next_restart_in, status.uptime) == (None, pytest.approx(4))
    assert other.asked == 0
    assert await playing.end() is None
    assert playing.kinds("a") == [
        *["Started", "Ready", "Failed", "BackingOff", "Started", "Ready", "Stopping", "Stopped"]
    ]
    failed = [event for event in playing.events if isinstance(event, Failed)]
    assert [(event.final, event.restarts) for event in failed] == [(False, 1)]
    (backing_off,) = [event for event in playing.events if isinstance(event, BackingOff)]
    assert (backing_off.delay, backing_off.restarts, str(backing_off.error)) == (2, 1, "boom")


@pytest.mark.parametrize(("delays", "words"), [([1], "1 restart"), ([1, 5, 30], "3 restarts")])
async def test_giving_up_raises_the_last_error_with_a_note(delays: list[int], words: str) -> None:
    """Once the delays are used up, the last error is the group's, with how often it was tried."""
    errors = [OSError(str(number)) for number in range(4)]
    player = FakePlayer(*(fails(error) for error in errors), backoff=delays)
    error = await failure(Conductor({"a": player, "b": FakePlayer()}))
    (last,) = error.exceptions
    assert last is errors[len(delays)]
    assert f"after {words}" in notes(last)
    assert player.runs == len(delays) + 1
    assert now() == sum(delays)


async def test_a_group_that_gives_up_notes_it_on_the_errors_that_are_raised() -> None:
    """The note of a nested group with a backoff arrives where the errors do."""
    leaf = FakePlayer(fails(OSError("boom")))
    error = await failure(Conductor({"g": Conductor({"a": leaf}, backoff=[1, 1])}))
    (last,) = error.exceptions
    assert any("after 2 restarts" in note for note in notes(last))
    assert leaf.runs == 3


async def test_a_conductor_without_a_backoff_notes_no_restarts() -> None:
    """What was never to come back has not given up."""
    with pytest.raises(ConductorError) as caught:
        async with playing(Conductor({"a": FakePlayer(fails(OSError("boom"), after=1))})):
            await asyncio.sleep(10)
    every = [caught.value, *caught.value.exceptions]
    assert not [note for error in every for note in notes(error) if "restart" in note]


@pytest.mark.parametrize("backoff", [[], (), iter(())])
async def test_a_backoff_without_delays_gives_up_at_once(backoff: Any) -> None:
    """An empty backoff is none."""
    player = FakePlayer(fails(after=1), backoff=backoff)
    await failure(Conductor({"a": player}))
    assert player.runs == 1


@pytest.mark.parametrize(
    "backoff",
    [
        [1, 1],
        (1, 1),
        {1: "a", 1.0000001: "b"},
        repeat(1, 2),
        (delay for delay in [1, 1]),
        ConstantBackoff(1, max_restarts=2),
        ExponentialBackoff(1, multiplier=1, jitter=0, max_restarts=2),
        map(float, ["1", "1"]),
    ],
)
async def test_any_iterable_of_delays_is_a_backoff(backoff: Any) -> None:
    """Lists, generators, and what the library has for it."""
    player = FakePlayer(fails(), fails(), ends())
    assert await play(Conductor({"a": restarting(player, backoff)})) is None
    assert player.runs == 3


async def test_tenacity_waits_are_backoffs() -> None:
    """`tenacity.wait_*` is accepted wherever a backoff is."""
    import tenacity

    wait = tenacity.wait_fixed(1) + tenacity.wait_incrementing(start=0, increment=1)
    player = FakePlayer(fails(), fails(), ends())
    assert await play(Conductor({"a": restarting(player, wait)})) is None
    assert when(player, "started") == [0, 1, 3]
    group = Conductor({"a": FakePlayer(fails(), ends())}, backoff=tenacity.wait_fixed(3))
    assert await play(Conductor({"g": group})) is None
    assert now() == 6


async def test_repeat_zero_restarts_at_once_for_ever_and_lets_others_work() -> None:
    """A crash loop without delays does not keep the loop from its other players, nor from a stop."""

    async def crashes(ctx: Context) -> None:
        nonlocal runs
        runs += 1
        raise OSError

    runs = 0
    other = FakePlayer()
    playing = await show(Conductor({"a": restarting(crashes, repeat(0)), "b": other}))
    await turns(30)
    assert runs > 20
    assert other.playing == 1
    assert await playing.end() is None
    assert now() == 0


async def test_the_backoff_is_asked_anew_for_each_series() -> None:
    """A player's `backoff` method decides about each series by itself."""
    asked: list[float] = []

    class Player:
        async def play(self, ctx: Context) -> None:
            if await ctx.sleep(100):
                raise OSError

        def backoff(self) -> list[float]:
            asked.append(now())
            return [1]

    playing = await show(Conductor({"a": Player()}), after=350)
    assert asked == [100, 201, 302]
    assert await playing.end() is None


@pytest.mark.parametrize("broken", ["raises", "nonsense", "text", "number"])
async def test_a_backoff_that_breaks_is_a_failure(broken: str) -> None:
    """What comes out of the user's backoff can end the player, and nothing else."""

    class Player(FakePlayer):
        def backoff(self) -> Any:  # type: ignore[override]
            if broken == "raises":
                raise LookupError("no backoff")
            return {"nonsense": [-1], "text": "abc", "number": 5}[broken]

    boom = OSError("boom")
    player = Player(fails(boom, after=1))
    other = FakePlayer()
    error = await failure(Conductor({"a": player, "b": other}))
    (raised,) = error.exceptions
    assert raised is not boom
    assert raised.__cause__ is boom
    assert "backoff" in " ".join(notes(raised))
    assert other.asked == 1


async def test_a_backoff_iterator_that_breaks_midway_is_a_failure() -> None:
    """An iterator of delays may raise at any restart."""

    def delays() -> Iterator[float]:
        yield 1
        raise LookupError("no more")

    player = FakePlayer(fails(OSError("boom")), backoff=delays())
    error = await failure(Conductor({"a": player}))
    assert type(error.failures["a"]) is LookupError
    assert player.runs == 2


# The series


@pytest.mark.parametrize(("healthy", "runs"), [(59, 3), (60, 10), (61, 10)])
async def test_the_series_starts_anew_after_a_healthy_run(healthy: float, runs: int) -> None:
    """A run that was ready for sixty seconds gives the player all of its restarts again."""
    steps = [raises(OSError, after=healthy)] * 9
    player = FakePlayer(*steps, ends(), backoff=[1, 1])
    error = await play(Conductor({"a": player}))
    assert player.runs == runs
    assert (error is None) == (runs == 10)


async def test_the_time_to_get_ready_is_no_healthy_time() -> None:
    """It counts from when the player was ready, not from when it started."""
    player = FakePlayer(raises(OSError, after=100), ready_after=50, backoff=[1])
    await failure(Conductor({"a": player}))
    assert player.runs == 2


async def test_a_backoff_says_after_how_long_it_forgets() -> None:
    """`reset_after` of the library's backoffs stands for the sixty seconds."""
    player = FakePlayer(
        *[raises(OSError, after=5)] * 9,
        ends(),
        backoff=ConstantBackoff(1, max_restarts=1, reset_after=5),
    )
    assert await play(Conductor({"a": player})) is None
    assert player.runs == 10


async def test_the_delays_grow_anew_after_a_healthy_run() -> None:
    """A new series begins with the first delay."""
    backoff = ExponentialBackoff(1, multiplier=2, jitter=0)
    steps = [
        raises(OSError),
        raises(OSError),
        raises(OSError, after=60),
        raises(OSError),
        plays(),
    ]
    player = FakePlayer(*steps, backoff=backoff)
    playing = await show(Conductor({"a": player}), after=100)
    assert when(player, "started") == [0, 1, 3, 64, 66]
    assert await playing.end() is None


async def test_restarts_are_limited_in_a_sliding_window() -> None:
    """`max_restarts` in any `per` seconds: slower failures go on for ever."""
    backoff = ConstantBackoff(0, max_restarts=2, per=10)
    slow = FakePlayer(fails(OSError, after=6), backoff=backoff)
    playing = await show(Conductor({"a": slow}), after=300)
    assert slow.runs > 40
    assert await playing.end() is None
    fast = FakePlayer(raises(OSError, after=4), backoff=backoff)
    await failure(Conductor({"a": fast}))
    assert fast.runs == 3


async def test_a_slow_flapper_never_gives_up() -> None:
    """There is no limit on total elapsed time: hours of failures later it still comes back."""
    player = FakePlayer(fails(OSError, after=61), backoff=ExponentialBackoff())
    playing = await show(Conductor({"a": player}), after=8 * 3600)
    assert player.runs > 300
    assert await playing.end() is None


async def test_the_note_counts_the_restarts_of_the_last_series() -> None:
    """What went well for long enough is not held against a player."""
    player = FakePlayer(*[raises(OSError, after=60)] * 5, *[raises(OSError)] * 3, backoff=[1, 1])
    error = await failure(Conductor({"a": player}))
    assert "after 2 restarts" in notes(error.exceptions[0])
    assert player.runs == 7


async def test_players_share_a_backoff_without_sharing_its_delays() -> None:
    """One backoff object for many players gives each all of its delays."""
    backoff = [1, 2]
    players = {name: FakePlayer(fails(), fails(), ends()) for name in "abc"}
    group = {name: restarting(player, backoff) for name, player in players.items()}
    assert await play(Conductor(group)) is None
    assert [when(player, "started") for player in players.values()] == [[0, 1, 3]] * 3


# Permanent errors


@pytest.mark.parametrize("step", [fails(PermanentError("no licence")), fails(PermanentError)])
async def test_a_permanent_error_is_not_restarted(step: Any) -> None:
    """A player that knows better than its backoff says so."""
    player = FakePlayer(step, backoff=repeat(0))
    error = await failure(Conductor({"a": player}))
    assert type(error.failures["a"]) is PermanentError
    assert player.runs == 1


async def test_a_permanent_error_holds_for_the_groups_above() -> None:
    """Their restart would restart the player, so they do not come back either."""

    async def player(ctx: Context) -> None:
        nonlocal runs
        runs += 1
        try:
            raise KeyError("licence")
        except KeyError as error:
            raise PermanentError("no licence") from error

    runs = 0
    inner = Conductor({"leaf": restarting(player, repeat(1)), "b": FakePlayer()}, backoff=repeat(1))
    error = await failure(
        Conductor({"g": Conductor({"h": inner}, backoff=repeat(1))}, backoff=repeat(1))
    )
    assert runs == 1
    raised = error.failures["g.h.leaf"]
    assert type(raised) is PermanentError
    assert type(raised.__cause__) is KeyError


async def test_a_permanent_error_beside_another_failure_still_holds() -> None:
    """One of several failures of a group is enough."""
    inner = Conductor(
        {
            "a": FakePlayer(raises(OSError("x"), after=1)),
            "b": FakePlayer(raises(PermanentError("no licence"), after=1)),
        },
        backoff=repeat(1),
    )
    error = await failure(Conductor({"g": inner}))
    assert list(error.failures) == ["g.a", "g.b"]
    assert now() == 1


async def test_a_permanent_error_in_an_exception_group_holds() -> None:
    """Also one that comes out of a task group within a player."""
    group = ExceptionGroup("x", [OSError(), ExceptionGroup("y", [PermanentError("no")])])
    player = FakePlayer(fails(group), backoff=repeat(0))
    await failure(Conductor({"a": player}))
    assert player.runs == 1


async def test_a_subclass_of_permanent_error_is_one() -> None:
    """Own errors may say it by their class."""

    class NoLicence(PermanentError):
        pass

    player = FakePlayer(fails(NoLicence()), backoff=repeat(0))
    await failure(Conductor({"a": player}))
    assert player.runs == 1


async def test_a_permanent_error_mended_by_nobody_ends_a_player_that_always_comes_back() -> None:
    """`on="always"` does not overrule it."""
    player = FakePlayer(ends(), fails(PermanentError()))
    await failure(Conductor({"a": restarting(player, repeat(1), on="always")}))
    assert player.runs == 2


# on="always"


async def test_always_comes_back_after_an_ending_too() -> None:
    """`on="always"` is for what must not end: an ending uses up a delay as a failure does."""
    player = FakePlayer(ends(after=1), fails(after=1), ends(after=1))
    assert await play(Conductor({"a": restarting(player, [5, 5], on="always")})) is None
    assert when(player, "started") == [0, 6, 12]


async def test_always_does_not_come_back_from_a_stop() -> None:
    """Asked to stop, it stops."""
    player = FakePlayer()
    assert await play(Conductor({"a": restarting(player, repeat(0), on="always")}), asked=5) is None
    assert player.runs == 1


async def test_on_failure_does_not_come_back_from_an_ending() -> None:
    """The default is for failures only."""
    player = FakePlayer(ends(after=1))
    assert await play(Conductor({"a": restarting(player, repeat(0))})) is None
    assert player.runs == 1


async def test_always_is_no_ending_for_stop_when_any() -> None:
    """A player that comes back has not ended."""
    player = FakePlayer(ends(after=1), ends(after=1), plays())
    conductor = Conductor(
        {"a": restarting(player, repeat(1), on="always"), "b": FakePlayer(ends(after=30))},
        stop_when="any",
    )
    assert await play(conductor) is None
    assert now() == 30


async def test_the_events_of_an_ending_that_is_followed_by_a_run_have_no_failure() -> None:
    """`BackingOff` without an error tells that it ended well."""
    player = FakePlayer(ends(after=1), plays())
    playing = await show(Conductor({"a": restarting(player, [1], on="always")}), after=5)
    assert playing.kinds("a") == ["Started", "Ready", "BackingOff", "Started", "Ready"]
    (event,) = [event for event in playing.events if isinstance(event, BackingOff)]
    assert event.error is None
    assert await playing.end() is None


async def test_restarting_passes_on_all_else_that_the_player_declares() -> None:
    """Readiness, timeouts and the watchdog are the player's own."""
    inner = FakePlayer(ready_after=3, start_timeout=5, watchdog=7)
    player: Any = restarting(inner, [1])
    assert (player.signals_ready, player.start_timeout, player.watchdog) == (True, 5, 7)
    playing = await show(Conductor({"a": player}), after=1)
    assert playing.state("a") == "starting"
    await asyncio.sleep(3)
    assert playing.state("a") == "ready"
    assert await playing.end() is None


async def test_playing_it_yourself_is_one_run() -> None:
    """Only a supervisor restarts."""
    player = FakePlayer(fails(OSError("x")))
    with pytest.raises(OSError, match="x"):
        await restarting(player, repeat(0)).play(Context())
    assert player.runs == 1
    conductor = Conductor({"a": player}, backoff=repeat(0))
    await failure(conductor)
    assert player.runs == 2


@pytest.mark.parametrize("on", ["", "never", None, "Always"])
def test_an_unknown_on_is_refused(on: Any) -> None:
    """There are two."""
    with pytest.raises(ValueError, match="on="):
        restarting(FakePlayer(), [1], on=on)


# Stops meanwhile


@pytest.mark.parametrize("delay", [0, 1, 1000, 1e300])
async def test_a_stop_during_a_backoff_is_clean(delay: float) -> None:
    """It ends the sleep at once, and the failure that it waited after is no error of the group."""
    player = FakePlayer(fails(OSError("boom"), after=1), plays(), backoff=[delay])
    playing = await show(Conductor({"g": Conductor({"a": player})}), after=1.5)
    assert await playing.end() is None
    assert now() == 1.5
    assert playing.kinds("g.a")[-1] == "Stopped"


async def test_a_cut_off_during_a_backoff_is_clean() -> None:
    """There is no player to cut off."""
    player = FakePlayer(fails(OSError("boom"), after=1), backoff=[1000])
    task = start(Conductor({"a": player}))
    await asyncio.sleep(2)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (player.runs, now()) == (1, 2)


async def test_a_stop_in_the_very_moment_of_a_restart_is_obeyed() -> None:
    """However the turns of the loop fall, no run is left behind and none begins after the stop."""
    for number in range(8):
        player = FakePlayer(fails(OSError("boom"), after=1), plays(), backoff=[1])
        playing = await show(Conductor({"a": player, "b": FakePlayer()}), after=2)
        await turns(number)
        assert await playing.end() is None
        assert player.playing == 0
        assert all(now() >= time for time in when(player, "started"))


async def test_a_failure_of_a_sibling_stops_a_player_that_backs_off() -> None:
    """A player that waits to come back does not hold up the stop of its group."""
    waiting = FakePlayer(fails(OSError("a"), after=1), backoff=[1000])
    error = await failure(Conductor({"a": waiting, "b": FakePlayer(fails(OSError("b"), after=5))}))
    assert list(error.failures) == ["b"]
    assert now() == 5


async def test_a_removal_during_a_backoff_is_clean() -> None:
    """What a removed player raises comes out of `remove`, but this was mended, or would have been."""
    player = FakePlayer(fails(OSError("a"), after=1), backoff=[1000])
    playing = await show(Conductor({"a": player, "b": FakePlayer()}), after=2)
    await playing.conductor.remove("a")
    assert now() == 2
    assert await playing.end() is None


async def test_a_group_that_backs_off_is_stopped_at_once() -> None:
    """The same for a group as for a player."""
    group = Conductor({"a": FakePlayer(fails(OSError("a"), after=1))}, backoff=[1000])
    playing = await show(Conductor({"g": group, "b": FakePlayer()}), after=2)
    assert playing.state("g") == "backing off"
    assert await playing.end() is None
    assert now() == 2


# Start timeout and watchdog


async def test_a_start_that_takes_too_long_is_a_failure() -> None:
    """The run is cut off, and the error says how long it had, and where it was."""
    player = FakePlayer(hangs(), signals_ready=True, start_timeout=3)
    other = FakePlayer()
    error = await failure(Conductor({"a": player, "b": other}))
    raised = error.failures["a"]
    assert type(raised) is StartTimeoutError
    assert isinstance(raised, TimeoutError)
    assert "3 seconds" in str(raised)
    assert "_fake_player.py" in " ".join(notes(raised))
    assert (player.cancelled, other.asked, now()) == (1, 1, 3)
    assert not any(type(one).__name__ == "StopTimeoutError" for one in error.exceptions)


async def test_a_start_in_time_is_none() -> None:
    """Ready before the time is over, it plays for as long as it likes."""
    player = FakePlayer(ready_after=2, start_timeout=3)
    assert await play(Conductor({"a": player}), asked=100) is None
    assert player.cancelled == 0


async def test_a_player_that_does_not_signal_is_ready_once_started() -> None:
    """It can't be too slow."""
    player = FakePlayer(start_timeout=3)
    assert await play(Conductor({"a": player}), asked=100) is None


async def test_each_start_has_its_time() -> None:
    """With a backoff, a start that took too long is followed by another."""
    player = FakePlayer(hangs(), ends(after=1), signals_ready=True, start_timeout=3, backoff=[1])
    assert await play(Conductor({"a": player})) is None
    assert when(player, "started") == [0, 4]


async def test_a_player_that_ends_or_stops_before_its_time_is_not_too_late() -> None:
    """The time to start in ends with the run."""
    player = FakePlayer(ends(after=1), signals_ready=True, start_timeout=3)
    other = FakePlayer(slow_stop(5), signals_ready=True, start_timeout=60)
    playing = await show(Conductor({"a": player, "b": other}), after=58)
    assert await playing.end() is None
    assert other.cancelled == 0


async def test_no_heartbeat_for_too_long_is_a_failure() -> None:
    """The watchdog cuts the run off, and says how long it has waited, and where it was."""

    async def freezes(take: Take) -> None:
        for _ in range(5):
            await asyncio.sleep(1)
            take.ctx.heartbeat()
        await asyncio.sleep(1000)

    player = FakePlayer(freezes, watchdog=3)
    other = FakePlayer()
    error = await failure(Conductor({"g": Conductor({"a": player}), "b": other}))
    raised = error.failures["g.a"]
    assert type(raised) is WatchdogError
    assert isinstance(raised, TimeoutError)
    assert "3 seconds" in str(raised)
    assert "in freezes" in " ".join(notes(raised))
    assert (when(player, "cancelled"), other.asked) == ([8], 1)


async def test_a_watchdog_brings_a_player_with_a_backoff_back() -> None:
    """And the new run is watched as well."""
    player = FakePlayer(hangs(), hangs(), ends(after=1), watchdog=2, backoff=[1, 1])
    assert await play(Conductor({"a": player})) is None
    assert when(player, "started") == [0, 3, 6]
    assert player.cancelled == 2


async def test_a_watchdog_counts_from_when_the_player_is_ready() -> None:
    """A slow start is the business of the start timeout."""
    player = FakePlayer(hangs(), ready_after=10, watchdog=2)
    await failure(Conductor({"a": player}))
    assert when(player, "cancelled") == [12]


async def test_heartbeats_of_a_child_context_count() -> None:
    """Whoever works for the player may tell that it is alive."""

    async def beats(take: Take) -> None:
        child = take.ctx.child().child()
        while await take.ctx.sleep(1):
            child.heartbeat()

    player = FakePlayer(beats, watchdog=2)
    assert await play(Conductor({"a": player}), asked=100) is None
    assert player.cancelled == 0


async def test_a_player_that_is_stopping_is_not_watched() -> None:
    """Then its time to stop is what counts."""
    player = FakePlayer(slow_stop(8), watchdog=10)
    assert await play(Conductor({"a": player}, timeout=9), asked=9) is None
    assert player.cancelled == 0


async def test_a_stop_while_the_watchdog_cuts_off_tells_of_both() -> None:
    """A run that was found dead has failed, whatever came after."""
    player = FakePlayer(ignores_cancellation(for_=0.5), watchdog=2)
    playing = await show(Conductor({"a": player}), after=2.2)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert type(error.failures["a"]) is WatchdogError


async def test_what_a_cut_off_run_raises_is_the_cause() -> None:
    """An exception on the way out of a run that the watchdog ended is not lost."""

    error = await failure(Conductor({"a": FakePlayer(fails_when_cut(), watchdog=2)}))
    raised = error.failures["a"]
    assert type(raised) is WatchdogError
    assert str(raised.__cause__) == "in the finally"


@abandons
@pytest.mark.parametrize("backoff", [None, [1]])
async def test_a_frozen_run_that_can_not_be_cut_off_is_abandoned(backoff: Any) -> None:
    """After its tenth it is left behind; it is not started again while it goes on."""
    player = FakePlayer(ignores_cancellation(for_=60), watchdog=2, backoff=backoff)
    error = await failure(Conductor({"a": player}, timeout=5))
    raised = error.failures["a"]
    assert type(raised) is (WatchdogError if backoff is None else OrchestraError)
    assert (player.runs, player.playing) == (1, 1)
    if backoff is not None:
        assert "_fake_player.py" in str(raised)


async def test_a_frozen_run_that_ends_late_makes_way_for_the_next() -> None:
    """Tried again after it has ended, the player starts as ever."""
    player = FakePlayer(ignores_cancellation(for_=10), ends(after=1), watchdog=2, backoff=[1, 30])
    assert await play(Conductor({"a": player}, timeout=5)) is None
    assert player.runs == 2
    assert player.playing == 0


async def test_a_mended_failure_of_a_group_that_was_cut_off_is_no_error() -> None:
    """A watchdog that cuts a whole group off, and a restart: nothing of it is left at the end."""
    inner = Conductor({"x": FakePlayer(fails_stopping(OSError("x")), plays())})

    class Wrapper:
        watchdog = 5
        runs = 0

        def backoff(self) -> list[float]:
            return [1]

        async def play(self, ctx: Context) -> None:
            self.runs += 1
            if self.runs == 1:
                await inner.play(ctx)

    wrapper, other = Wrapper(), FakePlayer()
    playing = await show(Conductor({"w": wrapper, "o": other}), after=20)
    assert wrapper.runs == 2
    assert other.asked == 0
    assert await playing.end() is None
    failed = [str(event) for event in playing.events if isinstance(event, Failed)]
    assert any("OSError('x')" in text for text in failed)


# Groups and roots


async def test_a_group_restarts_only_once_all_of_it_has_stopped() -> None:
    """No player of the next run starts while one of the last still stops."""
    slow = FakePlayer(slow_stop(4), plays())
    bad = FakePlayer(fails(OSError("x"), after=1), plays())
    playing = await show(
        Conductor({"g": Conductor({"bad": bad, "slow": slow}, backoff=[1])}), after=20
    )
    assert when(slow, "ended") == [5]
    assert when(bad, "started") == when(slow, "started") == [0, 6]
    assert await playing.end() is None


async def test_a_stop_timeout_of_a_group_is_a_failure_that_a_restart_mends() -> None:
    """A group that had to cut off one of its own comes back as from any failure."""
    stuck = FakePlayer(hangs(), plays())
    bad = FakePlayer(fails(OSError("x"), after=1), plays())
    group = Conductor({"bad": bad, "stuck": stuck}, backoff=[1], timeout=3)
    playing = await show(Conductor({"g": group}), after=20)
    assert (bad.runs, stuck.runs) == (2, 2)
    assert await playing.end() is None


@abandons
async def test_a_group_that_left_one_behind_does_not_start_that_again() -> None:
    """Its restart fails at the player whose old run goes on."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    bad = FakePlayer(fails(OSError("x"), after=1), plays())
    group = Conductor({"bad": bad, "deaf": deaf}, backoff=[1], timeout=3)
    error = await failure(Conductor({"g": group}))
    assert type(error.failures["g.deaf"]) is OrchestraError
    assert (deaf.runs, deaf.playing) == (1, 1)


async def test_a_root_with_a_backoff_comes_back() -> None:
    """Every entry point supervises its root: a bare player and a group alike."""
    for given in (
        FakePlayer(fails(after=1), plays(), backoff=[1]),
        Conductor({"a": FakePlayer(fails(after=1), plays())}, backoff=[1]),
    ):
        async with playing(given) as performance:
            await asyncio.sleep(10)
            assert performance.status().restarts == 1
            assert performance.status().ready


async def test_a_root_that_gives_up_raises_its_own_error() -> None:
    """A player raises its exception as it is, with the note."""
    boom = OSError("boom")
    with pytest.raises(OSError, match="boom") as caught:
        async with playing(FakePlayer(plays(), backoff=[1])) as performance:
            performance.stop()
        async with playing(FakePlayer(raises(boom, after=1), backoff=[1])):
            await asyncio.sleep(100)
    assert caught.value is boom
    assert "after 1 restart" in notes(boom)


async def test_readiness_is_a_latch() -> None:
    """A group whose player flaps later stays ready for those above it, and shows the present."""
    flaps = FakePlayer(fails(after=5), plays(), backoff=[5])
    later = FakePlayer()
    conductor = Conductor({"g": Conductor({"a": flaps}), "later": later}, after={"later": ["g"]})
    playing = await show(conductor, after=7)
    assert later.runs == 1
    status = playing.conductor.status()
    assert (str(status.find("g").state), status.find("g").ready) == ("degraded", True)
    assert not status.find("g.a").ready
    await asyncio.sleep(10)
    assert playing.state("g") == "ready"
    assert await playing.end() is None


async def test_two_thousand_restarts_are_counted() -> None:
    """Nothing grows or overflows with the number of restarts."""
    runs = 0

    async def crashes(ctx: Context) -> None:
        nonlocal runs
        runs += 1
        if runs <= 2000:
            raise OSError
        await ctx.wait()

    playing = await show(Conductor({"a": restarting(crashes, repeat(0))}), after=1)
    assert playing.conductor.status().players["a"].restarts == 2000
    assert playing.state("a") == "ready"
    assert await playing.end() is None


async def test_a_storm_of_crash_loops_is_spread() -> None:
    """Promise 6, no storm: players that crash together do not come back together."""
    players = crew(50, fails(), fails(), plays())
    group = {name: restarting(player, ExponentialBackoff()) for name, player in players.items()}
    playing = await show(Conductor(group), after=60)
    for run in (1, 2):
        starts = [when(player, "started")[run] for player in players.values()]
        assert len(set(starts)) > 40
    assert await playing.end() is None


async def test_a_player_that_is_two_things_is_one() -> None:
    """`as_player` returns what `restarting` made as it is, and a group in it is still a group."""
    group = Conductor({"a": FakePlayer(fails(after=1), ends(after=1))})
    again = restarting(group, [1])
    assert as_player(again) is again
    assert await play(Conductor({"g": again})) is None
    assert now() == 3


async def test_a_stuck_player_of_a_restarting_group_is_reported_at_the_end() -> None:
    """The stop timeout of the last stop is the group's, whatever came before."""
    stuck = FakePlayer(hangs())
    group = Conductor(
        {"a": stuck, "bad": FakePlayer(fails(after=1), plays())}, timeout=2, backoff=[1]
    )
    error = await failure(Conductor({"g": group}), asked=20)
    assert stop_timeout(error).left == ("g.a",)


def test_an_endless_backoff_is_not_unrolled() -> None:
    """An infinite iterable is accepted without being looked through."""
    assert restarting(FakePlayer(), itertools.count(1))
    assert Conductor({"a": nest(2, FakePlayer())}, backoff=repeat(1))


async def test_a_player_may_get_ready_and_give_heartbeats_from_a_thread() -> None:
    """Both may be called from anywhere."""

    class Player:
        signals_ready = True
        watchdog = 60

        async def play(self, ctx: Context) -> None:
            await ctx.sleep(1)
            await asyncio.to_thread(ctx.ready, port=80)
            for _ in range(10):
                await ctx.sleep(50)
                await asyncio.to_thread(ctx.heartbeat)

    playing = await show(Conductor({"a": Player()}), after=3)
    status = playing.conductor.status().players["a"]
    assert (str(status.state), status.details) == ("ready", {"port": 80})
    await asyncio.wait([playing.task])
    assert playing.task.exception() is None


async def test_a_heartbeat_that_nobody_waits_for_is_heard_by_nobody() -> None:
    """A player may give it without having a watchdog, and whatever its state."""

    async def player(ctx: Context) -> None:
        ctx.heartbeat()
        await ctx.wait()
        ctx.heartbeat()
        ctx.ready(too="late")

    assert await play(Conductor({"a": player}), asked=1) is None


@abandons
async def test_a_frozen_run_that_is_stopped_and_abandoned_is_a_failure_still() -> None:
    """Stop, cut-off and watchdog together: the watchdog's error is the player's."""
    player = FakePlayer(ignores_cancellation(for_=60), watchdog=2, backoff=[1, 1])
    playing = await show(Conductor({"a": player}, timeout=5), after=2.2)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert type(error.failures["a"]) is WatchdogError
    assert now() <= 2.2 + 5.5
    assert (player.runs, player.playing) == (1, 1)
