"""Copies of one player, as a group that grows and shrinks while it plays."""

import asyncio
import functools
import itertools
import threading
from typing import Any

import pytest

from groups import Show, failure, now, play, show, stop_timeout, turns
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    StopTimeoutError,
    ThreadPlayer,
    replicate,
    restarting,
)
from orchestra.players.replicate import Replicas
from orchestra.testing import (
    FakePlayer,
    ends,
    fails,
    fails_stopping,
    hangs,
    plays,
    run_virtual,
    slow_stop,
)


def names(replicas: Conductor) -> list[str]:
    return list(replicas.players)


def makes(*scripts: Any, **terms: Any) -> tuple[Replicas, list[FakePlayer]]:
    """Replicas that are each a player of its own, by the scripts given, of which the last repeats."""
    made: list[FakePlayer] = []

    def make(number: int) -> FakePlayer:
        script = scripts[min(number, len(scripts) - 1)] if scripts else (plays(),)
        made.append(FakePlayer(*script))
        return made[-1]

    return replicate(make, terms.pop("n", 3), **terms), made


# What is given


def test_a_player_is_played_as_often_as_it_is_asked_for() -> None:
    """Each copy of a player is that same player, and their names are numbers."""
    player = FakePlayer()
    replicas = replicate(player, 3)
    assert dict(replicas.players) == {"0": player, "1": player, "2": player}
    assert run_virtual(play(replicas, asked=5)) is None
    assert (player.runs, player.asked) == (3, 3)


def test_they_are_a_group_like_any_other() -> None:
    """Copies show in the status as the players of a group, and its keywords are a conductor's."""
    replicas = replicate(FakePlayer(), 2, timeout=3, backoff=[1], stop_when="never")
    assert isinstance(replicas, Conductor)
    assert (replicas.timeout, replicas.stop_when, list(replicas.backoff())) == (3, "never", [1])
    status = Conductor({"workers": replicas}).status().players["workers"]
    assert status.kind == "group"
    assert [player.path for player in status.players] == ["workers.0", "workers.1"]


async def cooperates(ctx: Context) -> None:
    await ctx.wait()


async def is_interrupted() -> None:
    await asyncio.sleep(1000)


def takes_ctx(ctx):  # type: ignore[no-untyped-def]
    ctx.wait_sync()


def takes_a_context(one: Context) -> int:
    one.wait_sync()
    return 3


def takes_a_named_context(one: "orchestra.Context"):  # type: ignore[no-untyped-def,name-defined]  # noqa: F821
    one.wait_sync()


def returns_nothing() -> None: ...


def returns_nothing_by_name() -> "None": ...


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (cooperates, "coroutine"),
        (is_interrupted, "coroutine"),
        (restarting(cooperates, [1]), "coroutine"),
        (takes_ctx, "thread"),
        (lambda ctx: ctx.wait_sync(), "thread"),
        (takes_a_context, "thread"),
        (takes_a_named_context, "thread"),
        (returns_nothing, "thread"),
        (returns_nothing_by_name, "thread"),
        (functools.partial(takes_ctx), "thread"),
        (ThreadPlayer(lambda: None), "thread"),
    ],
)
@pytest.mark.virtual_time
async def test_what_plays_is_played(function: Any, kind: str) -> None:
    """An async function, a plain one that takes the context, or one that returns nothing, plays."""
    replicas = replicate(function, 2)
    assert [player.kind for player in replicas.status().players] == [kind, kind]
    assert await play(replicas, asked=1) is None


class Worker:
    """A player with a number."""

    def __init__(self, number: int = -1) -> None:
        self.number = number

    async def play(self, ctx: Context) -> None:
        await ctx.wait()


class Makes:
    def __call__(self, number):  # type: ignore[no-untyped-def]
        return Worker(number)

    def make(self) -> Worker:
        return Worker()


def make_typed() -> Worker:
    return Worker()


def make_by_number(number):  # type: ignore[no-untyped-def]
    return Worker(number)


def make_by_number_from(number: int = 7) -> Worker:
    return Worker(number)


@pytest.mark.parametrize(
    ("make", "numbers"),
    [
        (Worker, [-1, -1]),
        (functools.partial(Worker, 3), [3, 3]),
        (lambda: Worker(), [-1, -1]),
        (lambda number: Worker(number), [0, 1]),
        (functools.partial(lambda base, number: Worker(base + number), 10), [10, 11]),
        (make_typed, [-1, -1]),
        (make_by_number, [0, 1]),
        (make_by_number_from, [7, 7]),
        (Makes(), [0, 1]),
        (Makes().make, [-1, -1]),
    ],
)
def test_what_makes_players_is_called_for_each_copy(make: Any, numbers: list[int]) -> None:
    """A class, a lambda and a typed function make a player a copy, by its number if they take it."""
    players: list[Any] = list(replicate(make, 2).players.values())
    assert players[0] is not players[1]
    assert [player.number for player in players] == numbers


def test_what_is_made_may_be_a_function() -> None:
    """What a factory returns is made into a player like all that a conductor is given."""
    replicas = replicate(lambda: cooperates, 2)
    assert [player.kind for player in replicas.status().players] == ["coroutine"] * 2


def might_be_either():  # type: ignore[no-untyped-def]
    raise AssertionError("nobody may call this")


def test_what_might_be_either_is_refused() -> None:
    """A plain function that says nothing about itself is not guessed at."""
    with pytest.raises(TypeError, match=r"is might_be_either\(\) to be played n times, or does it"):
        replicate(might_be_either, 2)


def test_what_makes_no_players_is_told_so() -> None:
    """The error says what was returned, and how to have the function played itself."""
    with pytest.raises(TypeError, match="None of type NoneType is no player") as raised:
        replicate(lambda: None, 2)
    assert "<lambda> was called to make a player for each copy" in raised.value.__notes__[0]
    with pytest.raises(TypeError, match="required positional argument"):
        replicate(FakePlayerOfQueue, 2)
    with pytest.raises(TypeError, match="5 of type int is no player"):
        replicate(5, 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="it takes more than the context"):
        replicate(lambda one, two: Worker(), 2)


class FakePlayerOfQueue(FakePlayer):
    def __init__(self, queue: object) -> None:
        super().__init__()


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: restarting(one, [1])])
def test_a_conductor_can_not_play_twice_at_once(wrap: Any) -> None:
    """A conductor as a player is refused; what makes conductors is not."""
    with pytest.raises(TypeError, match="can play only once at a time: give what makes one"):
        replicate(wrap(Conductor({"a": FakePlayer()})), 2)
    replicas = replicate(lambda: wrap(Conductor({"a": FakePlayer()})), 2)
    assert run_virtual(play(replicas, asked=1)) is None


@pytest.mark.parametrize("n", [-1, 1.5, True, "3", None])
def test_a_number_that_is_none(n: Any) -> None:
    """How many there are to be is a whole number from 0 on."""
    with pytest.raises(ValueError, match="the number of copies must be a whole number, 0 or more"):
        replicate(FakePlayer(), n)
    with pytest.raises(ValueError, match="must be a whole number"):
        run_virtual(replicate(FakePlayer(), 1).scale(n))


def test_it_is_shown_by_its_player() -> None:
    """The `repr` has the player's name, and how many copies there are."""
    assert repr(replicate(cooperates, 3)) == "<Replicas of cooperates: 3>"
    assert repr(replicate(lambda: Worker(), 1)) == "<Replicas of <lambda>: 1>"
    assert repr(replicate(Worker, 0)) == "<Replicas of Worker: 0>"


# Scaling


@pytest.mark.virtual_time
async def test_scaling_up_adds_the_next_numbers() -> None:
    """New copies are made and played; those that were there go on."""
    replicas, made = makes()
    playing = await show(replicas, after=5)
    await replicas.scale(5)
    assert names(replicas) == ["0", "1", "2", "3", "4"]
    assert [player.playing for player in made] == [1] * 5
    assert [player.runs for player in made] == [1] * 5
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_scaling_up_returns_when_the_new_ones_are_ready() -> None:
    """Whoever scales up can count on the copies."""
    replicas = replicate(lambda: FakePlayer(ready_after=3), 1)
    playing = await show(replicas, after=5)
    await replicas.scale(3)
    assert now() == 8
    assert [one.ready for one in replicas.status().players] == [True] * 3
    await replicas.scale(3)
    assert now() == 8
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_scaling_down_removes_the_highest_gracefully() -> None:
    """They are asked to stop, all at the same time, and have gone when it returns."""
    replicas, made = makes((slow_stop(3),), n=5)
    playing = await show(replicas, after=1)
    await replicas.scale(2)
    assert now() == 4
    assert names(replicas) == ["0", "1"]
    assert [player.asked for player in made] == [0, 0, 1, 1, 1]
    assert [player.cancelled for player in made] == [0] * 5
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_numbers_go_by_their_size() -> None:
    """Of eleven copies the highest is number 10, and not number 9."""
    replicas, _ = makes(n=11)
    playing = await show(replicas)
    await replicas.scale(10)
    assert names(replicas) == [str(number) for number in range(10)]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_gap_is_filled_again() -> None:
    """The copies are those from 0 on, whatever was removed or added by hand."""
    replicas, _ = makes()
    playing = await show(replicas)
    await replicas.remove("1")
    replicas.add("more", FakePlayer())
    replicas.add("007", FakePlayer())
    await replicas.scale(3)
    assert sorted(names(replicas)) == ["0", "007", "1", "2", "more"]
    await replicas.scale(0)
    assert sorted(names(replicas)) == ["007", "more"]
    assert repr(replicas).endswith(": 0>")
    assert await playing.end() is None


def test_before_it_plays_the_number_just_changes() -> None:
    """Scaling what does not play yet decides with how many copies it begins."""
    replicas, made = makes()
    run_virtual(replicas.scale(5))
    run_virtual(replicas.scale(4))
    assert run_virtual(play(replicas, asked=1)) is None
    assert [player.runs for player in made] == [1, 1, 1, 1, 0]


@pytest.mark.virtual_time
async def test_the_number_of_the_next_start_is_not_that_of_now() -> None:
    """While the copies play, `scale` is for that, and the error says so."""
    replicas, _ = makes()
    playing = Show(Conductor({"workers": replicas}))
    await asyncio.sleep(1)
    with pytest.raises(OrchestraError, match=r"plays: use `await replicas.scale\(4\)`"):
        replicas.resize(4)
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_calls_take_their_turns() -> None:
    """Of calls at the same time, the last has the last word."""
    replicas, _ = makes((slow_stop(2),))
    playing = await show(replicas, after=1)
    numbers = [5, 0, 2, 4, 1]
    await asyncio.gather(*(replicas.scale(number) for number in numbers))
    assert names(replicas) == ["0"]
    assert now() == 1 + 2 + 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_copy_that_never_gets_ready_does_not_keep_others_from_scaling() -> None:
    """Whoever waits for new copies lets others have their turn, and hears when these are removed."""
    replicas = replicate(lambda number: FakePlayer(signals_ready=number > 0), 1)
    playing = await show(replicas, after=1)
    up = asyncio.create_task(replicas.scale(3))
    await asyncio.sleep(100)
    assert not up.done()
    await replicas.scale(1)
    await up
    assert now() == 101
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_copy_that_is_gone_at_once_keeps_nobody() -> None:
    """A new copy that another call has removed already is not waited for."""
    replicas, _ = makes()
    playing = await show(replicas)
    await asyncio.gather(replicas.scale(4), replicas.scale(0), replicas.scale(1))
    assert names(replicas) == ["0"]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_what_a_removed_copy_raises_comes_out() -> None:
    """A failure while it stops is that of whoever removed it, and not that of the group."""
    replicas, _ = makes((plays(),), (fails_stopping(LookupError("mine")),), n=2)
    playing = await show(replicas)
    with pytest.raises(LookupError, match="mine"):
        await replicas.scale(1)
    assert names(replicas) == ["0"]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_what_several_removed_copies_raise_comes_out() -> None:
    """Nothing is lost: a group of all that they raised, each under its path."""
    replicas, _ = makes(
        (plays(),), (fails_stopping(LookupError("mine")),), (hangs(),), (plays(),), n=4
    )
    playing = Show(Conductor({"all": replicas}))
    await asyncio.sleep(1)
    with pytest.raises(ConductorError, match="2 copies failed as they were removed") as raised:
        await replicas.scale(0)
    assert isinstance(raised.value.exceptions[0], LookupError)
    assert stop_timeout(raised.value).left == ("all.2",)
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_nested_failures_of_removed_copies_are_flattened() -> None:
    """Copies that are groups give the failures of their players, by their full paths."""
    replicas = replicate(lambda: Conductor({"a": FakePlayer(fails_stopping())}), 2)
    playing = Show(Conductor({"all": replicas}))
    await asyncio.sleep(1)
    with pytest.raises(ConductorError) as raised:
        await replicas.scale(0)
    assert set(raised.value.failures) == {"all.0.a", "all.1.a"}
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_copy_that_has_to_be_cut_off() -> None:
    """One that does not stop in time is cut off, and is named."""
    replicas, _ = makes((hangs(),), n=1, timeout=2)
    playing = await show(replicas)
    with pytest.raises(StopTimeoutError) as raised:
        await replicas.scale(0)
    assert raised.value.left == ("0",)
    assert now() == 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_new_copy_that_fails() -> None:
    """It fails the group as any player does, and whoever scaled up hears of it too."""
    starting = FakePlayer(fails(LookupError("new"), after=3), signals_ready=True)
    made = [FakePlayer(), starting]
    replicas = replicate(lambda number: made[number], 1)
    playing = await show(replicas)
    with pytest.raises(LookupError, match="new"):
        await replicas.scale(2)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["1"]
    assert made[0].asked == 1


@pytest.mark.virtual_time
async def test_a_new_copy_that_fails_in_its_first_step() -> None:
    """It is never ready, and whoever scaled up hears why."""
    made: list[Any] = [FakePlayer(), FirstStep()]
    replicas = replicate(lambda number: made[number], 1)
    playing = await show(replicas)
    with pytest.raises(LookupError, match="at once"):
        await replicas.scale(2)
    assert isinstance(await playing.end(), ConductorError)


class FirstStep:
    async def play(self, ctx: Context) -> None:
        raise LookupError("at once")


@pytest.mark.virtual_time
async def test_a_factory_that_fails() -> None:
    """It adds nothing: all new copies are made before the first is played."""
    replicas = replicate(lambda number: Worker(10 // (3 - number)), 2)
    playing = await show(replicas)
    with pytest.raises(ZeroDivisionError):
        await replicas.scale(5)
    assert names(replicas) == ["0", "1"]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_scaling_while_it_stops() -> None:
    """A group that is stopping takes in no more; those that are to go, go."""
    replicas, _ = makes((slow_stop(3),))
    playing = await show(replicas, after=1)
    playing.ctx.cancel()
    await turns()
    with pytest.raises(OrchestraError, match="stopping"):
        await replicas.scale(4)
    await replicas.scale(2)
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_whoever_scales_down_may_give_up() -> None:
    """A cancelled call lets go of its turn; the copy that was asked still goes."""
    replicas, _ = makes((slow_stop(3),), n=1)
    playing = await show(replicas, after=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await replicas.scale(0)
    await asyncio.sleep(5)
    assert names(replicas) == []
    await replicas.scale(2)
    assert names(replicas) == ["0", "1"]
    assert await playing.end() is None


def test_it_is_scaled_in_one_loop_after_the_other() -> None:
    """The turns are those of the loop that runs; a later one begins anew."""
    replicas, _ = makes()

    async def main() -> None:
        playing = await show(replicas)
        await asyncio.gather(replicas.scale(1), replicas.scale(3))
        assert await playing.end() is None

    run_virtual(main)
    run_virtual(main)
    assert names(replicas) == ["0", "1", "2"]


# When it ends


@pytest.mark.virtual_time
async def test_without_copies_it_goes_on() -> None:
    """Neither a removal nor a beginning with none is the end: there may be more soon."""
    replicas, made = makes(n=0)
    playing = await show(replicas, after=100)
    assert replicas.status().ready
    await replicas.scale(2)
    await replicas.scale(0)
    await asyncio.sleep(100)
    assert not playing.task.done()
    await replicas.scale(1)
    assert [player.runs for player in made] == [1, 1, 1]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_without_copies_it_stops_at_once() -> None:
    """There is nobody to wait for."""
    replicas, _ = makes(n=0)
    playing = await show(replicas, after=5)
    assert await playing.end() is None
    assert now() == 5


@pytest.mark.virtual_time
async def test_it_ends_when_all_copies_have_ended() -> None:
    """Workers that have no work left end by themselves, and their group with them."""
    replicas, _ = makes((ends(3),), (ends(5),))
    assert await play(replicas) is None
    assert now() == 5


@pytest.mark.virtual_time
async def test_it_ends_when_those_left_have_ended_before() -> None:
    """The removal of the last that played ends it, if the others had ended by themselves."""
    replicas, _ = makes((ends(3),), (plays(),), n=2)
    playing = await show(replicas, after=5)
    await replicas.scale(1)
    await turns()
    assert playing.task.done()
    await playing.end()


@pytest.mark.virtual_time
async def test_it_may_end_with_its_first_copy() -> None:
    """`stop_when` is that of a conductor, and a removal is no ending."""
    replicas, made = makes((ends(9),), (plays(),), stop_when="any")
    playing = await show(replicas, after=5)
    await replicas.scale(2)
    assert not playing.task.done()
    await asyncio.sleep(5)
    assert playing.task.done()
    assert made[1].asked == 1
    await playing.end()


@pytest.mark.virtual_time
async def test_a_copy_that_fails_stops_the_group() -> None:
    """The one rule holds; a backoff on the copy is what keeps the others going."""
    replicas, _ = makes((plays(),), (fails(after=3),))
    assert list((await failure(replicas)).failures) == ["1"]
    player = FakePlayer(fails(after=3), fails(after=3), plays(), backoff=[1, 1])
    assert await play(replicate(player, 2), asked=10) is None
    assert player.runs == 4


@pytest.mark.virtual_time
async def test_a_group_with_a_backoff_comes_back_with_as_many() -> None:
    """What was scaled stays so when the group is restarted as a whole."""
    replicas, _ = makes((fails(after=5), plays()), (plays(),), n=1, backoff=[1])
    playing = Show(Conductor({"all": replicas}))
    await asyncio.sleep(1)
    await replicas.scale(3)
    await asyncio.sleep(10)
    assert playing.kinds("all.2").count("Started") == 2
    assert await playing.end() is None


# Rolling restarts


@pytest.mark.virtual_time
async def test_a_rolling_restart_goes_from_one_to_the_next() -> None:
    """Each copy is restarted when the one before is ready again, in the order of their numbers."""
    replicas = replicate(lambda: FakePlayer(slow_stop(1), ready_after=2), 12)
    playing = await show(replicas, after=5)
    playing.events.clear()
    await replicas.rolling_restart()
    assert now() == 5 + 12 * 3
    told = [(one.path, type(one).__name__) for one in playing.events]
    of_one = ("Stopping", "Started", "Ready")
    assert [one for one in told if one[1] in of_one] == [
        (str(number), kind) for number in range(12) for kind in of_one
    ]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_at_most_one_is_away_in_a_rolling_restart() -> None:
    """At each moment, all others are ready."""
    replicas = replicate(lambda: FakePlayer(slow_stop(1), ready_after=2), 4)
    playing = await show(replicas, after=5)
    away: list[int] = []

    def look(event: object) -> None:
        away.append(sum(not one.ready for one in replicas.status().players))

    playing.performance.subscribe(look)
    await replicas.rolling_restart()
    assert set(away) == {0, 1}
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_failure_stops_the_roll() -> None:
    """What the failing copy raises is raised, and the copies after it have not been touched."""
    replicas, made = makes((plays(),), (plays(), fails(LookupError("again"))), (plays(),))
    playing = await show(replicas, after=5)
    with pytest.raises(LookupError, match="again"):
        await replicas.rolling_restart()
    await playing.end()
    assert [player.runs for player in made] == [2, 2, 1]


@pytest.mark.virtual_time
async def test_a_rolling_restart_has_its_turn_like_any_call() -> None:
    """It waits for a scaling that is under way, and a later one waits for it."""
    replicas = replicate(lambda: FakePlayer(slow_stop(1), ready_after=2), 3)
    playing = await show(replicas, after=5)
    down = asyncio.create_task(replicas.scale(2))
    roll = asyncio.create_task(replicas.rolling_restart())
    up = asyncio.create_task(replicas.scale(3))
    await asyncio.gather(down, roll, up)
    assert now() == 5 + 1 + 2 * 3 + 2
    assert playing.kinds("2").count("Started") == 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_copy_that_is_removed_meanwhile_is_passed_over() -> None:
    """What was removed by hand in the middle of the roll is not missed."""
    replicas = replicate(lambda: FakePlayer(slow_stop(1), ready_after=2), 3)
    playing = await show(replicas, after=5)
    roll = asyncio.create_task(replicas.rolling_restart())
    await asyncio.sleep(0.5)
    await replicas.remove("1")
    await roll
    assert playing.kinds("2").count("Started") == 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_rolling_restart_of_what_does_not_play() -> None:
    """There is nothing to restart, which is said."""
    replicas, _ = makes()
    with pytest.raises(OrchestraError, match="does not play"):
        await replicas.rolling_restart()


@pytest.mark.virtual_time
async def test_threads_are_replicated_as_well() -> None:
    """One plain function plays in as many threads as there are copies."""
    running: set[str] = set()
    counter = itertools.count()

    def work(ctx: Context) -> None:
        next(counter)
        running.add(threading.current_thread().name)
        ctx.wait_sync()
        running.discard(threading.current_thread().name)

    replicas = replicate(work, 2)
    playing = Show(Conductor({"workers": replicas}))
    await asyncio.sleep(1)
    await replicas.scale(3)
    await asyncio.sleep(1)
    assert running == {"workers.0", "workers.1", "workers.2"}
    await replicas.rolling_restart()
    await replicas.scale(1)
    await asyncio.sleep(1)
    assert running == {"workers.0"}
    assert await playing.end() is None
    assert next(counter) == 6
