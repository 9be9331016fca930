"""The conductor: what it is made of, the rule of failure, and when it ends."""

import asyncio
import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from itertools import repeat
from typing import Any

import pytest

from groups import crew, failure, nest, notes, now, play, raises, show, start, stop_timeout, turns
from orchestra import (
    AlreadyPlayingError,
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    PermanentError,
    PlayerAbortedError,
    PlayerFunc,
    StopTimeoutError,
    ThreadPlayer,
    play_until_signal,
    restarting,
)
from orchestra.testing import FakePlayer, ends, fails, fails_stopping, hangs, plays, slow_stop

pytestmark = pytest.mark.virtual_time


async def nothing(ctx: Context) -> None:
    pass


# Made of


@pytest.mark.parametrize("name", ["a", "A-b_9", "0", "-", "_"])
def test_a_name_is_made_of_letters_digits_underscores_and_dashes(name: str) -> None:
    """Such a name is accepted at construction and by `add`."""
    conductor = Conductor({name: nothing})
    assert list(conductor.players) == [name]
    other = Conductor()
    other.add(name, nothing)
    assert list(other.players) == [name]


@pytest.mark.parametrize("name", ["", " ", "a.b", "a b", "a/b", "a\n", ".", 5, None, b"a", ("a",)])
def test_anything_else_is_no_name(name: Any) -> None:
    """A name that could not be a part of a path is a `ValueError` at once."""
    with pytest.raises(ValueError, match="is no name"):
        Conductor({name: nothing})
    conductor = Conductor()
    with pytest.raises(ValueError, match="is no name"):
        conductor.add(name, nothing)
    assert not conductor.players


@pytest.mark.parametrize(
    "timeout", [-1, -0.001, math.nan, math.inf, -math.inf, "9", None, True, [9]]
)
def test_a_timeout_that_makes_no_sense_is_refused(timeout: Any) -> None:
    """Negative, NaN, infinite or no number: a `ValueError` at once that says what was given."""
    with pytest.raises(ValueError, match="timeout"):
        Conductor(timeout=timeout)


@pytest.mark.parametrize("timeout", [0, 0.0, 1, 2.5, Decimal("1.5"), Fraction(1, 3)])
def test_a_timeout_is_any_number_of_seconds(timeout: Any) -> None:
    """Whatever number it is, it counts as seconds."""
    assert Conductor(timeout=timeout).timeout == float(timeout)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"api": ["bd"]}, "'bd'.*Did you mean 'db'"),
        ({"apj": ["db"]}, "'apj'.*Did you mean 'api'"),
        ({"api": ["api"]}, "circle: api -> api"),
        ({"api": ["db"], "db": ["api"]}, "circle"),
        ({"api": ["db"], "db": ["web"], "web": ["api"]}, "api -> db -> web -> api"),
        ({"api": "db"}, r"\['db'\]"),
    ],
)
def test_an_after_that_makes_no_sense_is_refused(after: Any, words: str) -> None:
    """One that names nobody comes with the nearest name, one in a circle with the circle."""
    players = {"api": nothing, "db": nothing, "web": nothing}
    with pytest.raises(ValueError, match=words):
        Conductor(players, after=after)


@pytest.mark.parametrize(
    "after", [["api"], 5, {"api": 5}, {"api": None}, {"api": [5]}, {5: ["api"]}]
)
def test_an_after_of_another_shape_is_refused(after: Any) -> None:
    """What maps no names to names is a `TypeError` or a `ValueError`, and at once."""
    with pytest.raises((TypeError, ValueError)):
        Conductor({"api": nothing, "db": nothing}, after=after)


def test_a_long_after_is_checked_without_recursion() -> None:
    """A chain is as long as one likes, and so is the circle that it may close."""
    players = {str(number): nothing for number in range(3000)}
    chain = {str(number): [str(number - 1)] for number in range(1, 3000)}
    Conductor(players, after=chain)
    with pytest.raises(ValueError, match="circle"):
        Conductor(players, after={**chain, "0": ["2999"]})


@pytest.mark.parametrize("stop_when", ["", "ANY", "alll", None, True, ["any"]])
def test_an_unknown_stop_when_is_refused(stop_when: Any) -> None:
    """There are three, and anything else is a `ValueError`."""
    with pytest.raises(ValueError, match="stop_when"):
        Conductor(stop_when=stop_when)


@pytest.mark.parametrize("ordered", [None, 1, "yes", ["db", "api"]])
def test_an_order_is_that_of_the_players(ordered: Any) -> None:
    """Names in an order are no answer to whether there is one: a `TypeError`."""
    with pytest.raises(TypeError, match="ordered is True or False"):
        Conductor({"api": nothing, "db": nothing}, ordered=ordered)


@pytest.mark.parametrize("ctx", [None, 5, "ctx", Context])
async def test_what_is_no_context_is_refused(ctx: Any) -> None:
    """Playing with anything else is a `TypeError` that says what was given, and plays nothing."""
    player = FakePlayer()
    conductor = Conductor({"a": player})
    with pytest.raises(TypeError, match=r"an orchestra\.Context is wanted") as raised:
        await conductor.play(ctx)
    assert repr(ctx) in str(raised.value)
    if ctx is not None:  # which is the default there
        with pytest.raises(TypeError, match=r"an orchestra\.Context is wanted"):
            await play_until_signal(conductor, ctx=ctx)
    assert not player.runs
    await conductor.play(Context().child(timeout=1))
    assert player.runs == 1


@pytest.mark.parametrize("players", [None, 5, [nothing], {nothing}, "abc"])
def test_players_come_by_name(players: Any) -> None:
    """Players without names are a `TypeError` that shows how to name them."""
    with pytest.raises(TypeError, match="by name"):
        Conductor(players)


@pytest.mark.parametrize("player", [None, 5, "worker", FakePlayer, object(), [nothing]])
def test_what_is_no_player_is_refused_at_construction(player: Any) -> None:
    """Not when it is to start, and the message says what was given."""
    with pytest.raises(TypeError, match="no player"):
        Conductor({"a": player})
    conductor = Conductor()
    with pytest.raises(TypeError, match="no player"):
        conductor.add("a", player)


def test_a_player_that_declares_nonsense_is_refused_at_construction() -> None:
    """A wrong start timeout, watchdog or backoff shows when the conductor is made."""
    with pytest.raises(ValueError, match="start_timeout"):
        Conductor({"a": FakePlayer(start_timeout=-1)})
    with pytest.raises(ValueError, match="watchdog"):
        Conductor({"a": FakePlayer(watchdog=math.nan)})
    player: Any = FakePlayer()
    player.backoff = [1, 2]
    with pytest.raises(TypeError, match="backoff"):
        Conductor({"a": player})


@pytest.mark.parametrize("backoff", [5, "abc", [-1], [math.nan], ["1"], [None]])
def test_a_backoff_that_makes_no_sense_is_refused(backoff: Any) -> None:
    """What gives no delays in seconds is refused when the conductor is made."""
    with pytest.raises((TypeError, ValueError), match="backoff"):
        Conductor(backoff=backoff)


@pytest.mark.parametrize("logger", [5, "root", object(), sys.stdout])
def test_what_is_no_logger_is_refused(logger: Any) -> None:
    """A logger has three methods; what lacks one is a `TypeError`."""
    with pytest.raises(TypeError, match=r"no orchestra\.Logger"):
        Conductor(logger=logger)


def test_functions_become_players() -> None:
    """An async function becomes a `PlayerFunc`, a plain one a `ThreadPlayer`, a player stays itself."""

    def plain(ctx: Context) -> None: ...

    own = FakePlayer()
    conductor = Conductor({"async": nothing, "plain": plain, "own": own})
    assert isinstance(conductor.players["async"], PlayerFunc)
    assert isinstance(conductor.players["plain"], ThreadPlayer)
    assert conductor.players["own"] is own


def test_the_players_that_it_was_given_may_change_afterwards() -> None:
    """A conductor keeps a copy, and shows a view that can't be written to."""
    given: dict[str, Any] = {"a": nothing}
    conductor = Conductor(given)
    given["b"] = nothing
    assert list(conductor.players) == ["a"]
    view: Any = conductor.players
    with pytest.raises(TypeError):
        view["c"] = nothing


def test_a_conductor_shows_how_many_players_it_has() -> None:
    """Its repr is short, also where it contains itself."""
    conductor = Conductor({"a": nothing})
    conductor.add("me", conductor)
    assert repr(conductor) == "<Conductor of 2 players>"
    assert repr(Conductor({"a": nothing})) == "<Conductor of 1 player>"


def test_conductors_do_not_share_their_defaults() -> None:
    """What is added to one that was made without players is in no other."""
    Conductor().add("a", nothing)
    assert not Conductor().players


# Playing


async def test_all_players_play_at_the_same_time() -> None:
    """All start at once, and `play` returns when the last has ended."""
    players = {"a": FakePlayer(ends(after=1)), "b": FakePlayer(ends(after=5))}
    assert await play(Conductor(players)) is None
    assert now() == 5
    assert [player.log[0] for player in players.values()] == [(0.0, "started")] * 2


async def test_an_empty_conductor_returns_at_once() -> None:
    """Without players there is nothing to wait for."""
    assert await play(Conductor()) is None
    assert await play(Conductor(stop_when="any")) is None
    assert now() == 0


async def test_an_empty_conductor_that_never_ends_waits_for_its_stop() -> None:
    """With `stop_when="never"` it plays on without players."""
    assert await play(Conductor(stop_when="never"), asked=7) is None
    assert now() == 7


async def test_a_player_that_ends_well_leaves_the_others_alone() -> None:
    """An ending is no failure: with the default, the group plays on."""
    other = FakePlayer(ends(after=9))
    assert await play(Conductor({"a": nothing, "b": other})) is None
    assert other.asked == 0
    assert now() == 9


async def test_stop_when_any_ends_the_group_with_the_first() -> None:
    """The first ending asks all others to stop, and all are awaited."""
    other = FakePlayer(slow_stop(2))
    assert (
        await play(Conductor({"a": FakePlayer(ends(after=3)), "b": other}, stop_when="any")) is None
    )
    assert other.asked == 1
    assert now() == 5


async def test_stop_when_never_waits_for_its_stop() -> None:
    """It plays on when all its players have ended, and ends well when it is asked to."""
    assert await play(Conductor({"a": nothing}, stop_when="never"), asked=60) is None
    assert now() == 60


async def test_stop_when_never_still_ends_with_a_failure() -> None:
    """A failure stops every conductor."""
    conductor = Conductor({"a": FakePlayer(fails(after=1))}, stop_when="never")
    error = await failure(conductor)
    assert list(error.failures) == ["a"]
    assert now() == 1


@pytest.mark.parametrize("stop_when", ["all", "any", "never"])
async def test_a_context_that_is_done_already_starts_nothing(stop_when: Any) -> None:
    """Asked to stop before it began, it returns at once, and no player has run."""
    ctx = Context()
    ctx.cancel("too late")
    player = FakePlayer(hangs())
    conductor = Conductor({"a": player, "g": Conductor({"b": player})}, stop_when=stop_when)
    assert await play(conductor, ctx=ctx) is None
    assert player.runs == 0
    assert now() == 0


async def test_asked_before_the_first_step_no_player_runs() -> None:
    """A player whose task has been made and has not begun when the stop comes does not run."""
    player = FakePlayer()
    playing = await show(Conductor({"a": player}))
    assert await playing.end() is None
    assert player.runs == 0


async def test_a_context_with_a_timeout_asks_when_its_time_is_over() -> None:
    """The players see the `TimeoutError` as reason, and have the conductor's time to stop in."""
    seen: list[tuple[object, float | None]] = []

    async def player(ctx: Context) -> None:
        await ctx.wait()
        seen.append((ctx.reason, ctx.remaining()))

    ctx = Context().child(timeout=5)
    assert await play(Conductor({"a": player}, timeout=3), ctx=ctx) is None
    assert now() == 5
    ((reason, remaining),) = seen
    assert isinstance(reason, TimeoutError)
    assert remaining == pytest.approx(3)


async def test_players_see_the_reason_and_the_time_they_have() -> None:
    """What `cancel` was given arrives at every player, and less time above means less below."""
    seen: dict[str, tuple[object, float]] = {}

    async def player(ctx: Context) -> None:
        await ctx.wait()
        seen[ctx.path] = (ctx.reason, ctx.remaining() or 0.0)

    conductor = Conductor({"a": player, "g": Conductor({"b": player}, timeout=60)}, timeout=10)
    ctx = Context()
    asyncio.get_running_loop().call_later(1, lambda: ctx.cancel("enough", within=4))
    assert await play(conductor, ctx=ctx) is None
    assert seen["a"][0] == seen["g.b"][0] == "enough"
    assert 0 < seen["g.b"][1] < seen["a"][1] <= 4


async def test_a_conductor_plays_again() -> None:
    """An ending leaves nothing behind: the next `play` starts all players afresh."""
    player = FakePlayer(fails(after=1), ends(after=1), plays())
    conductor = Conductor({"a": player})
    assert isinstance(await play(conductor), ConductorError)
    assert await play(conductor) is None
    assert await play(conductor, asked=1) is None
    assert player.runs == 3


async def test_a_context_serves_for_several_performances() -> None:
    """One after the other, each with a performance of its own."""
    ctx = Context()
    performances = []

    async def player(ctx: Context) -> None:
        performances.append(ctx.performance)

    for _ in range(2):
        assert await play(Conductor({"a": player}), ctx=ctx) is None
        assert ctx.performance is None
    assert performances[0] is not performances[1]


def test_a_conductor_plays_in_one_loop_after_the_other() -> None:
    """It keeps nothing of a loop that is closed."""
    player = FakePlayer(slow_stop(0))
    conductor = Conductor({"a": player})

    async def main() -> Exception | None:
        ctx = Context()
        task = start(conductor, ctx)
        await turns()
        ctx.cancel()
        await task
        return None

    for _ in range(2):
        asyncio.run(main())
    assert (player.runs, player.ended) == (2, 2)


async def test_playing_it_elsewhere_meanwhile_is_an_error() -> None:
    """Under another root context, a conductor that plays raises `AlreadyPlayingError`."""
    player = FakePlayer()
    playing = await show(Conductor({"a": player}), after=1)
    with pytest.raises(AlreadyPlayingError):
        await playing.conductor.play(Context())
    assert await playing.end() is None
    assert player.runs == 1


async def test_a_conductor_that_plays_elsewhere_fails_in_a_group() -> None:
    """In a group, `AlreadyPlayingError` is a failure of the player that it is there."""
    shared = Conductor({"a": FakePlayer()})
    playing = await show(shared, after=1)
    error = await failure(Conductor({"again": shared, "b": FakePlayer()}))
    assert type(error.failures["again"]) is AlreadyPlayingError
    assert await playing.end() is None


# The rule of failure


async def test_a_failure_stops_the_group_gracefully() -> None:
    """Every other player is asked and awaited before `play` raises."""
    others = crew(3, slow_stop(2))
    boom = OSError("boom")
    error = await failure(Conductor({"a": FakePlayer(fails(boom, after=1)), **others}))
    assert error.exceptions == (boom,)
    assert [(one.asked, one.cancelled, one.playing) for one in others.values()] == [(1, 0, 0)] * 3
    assert now() == 3


async def test_a_failure_names_its_player() -> None:
    """The exception is the player's own, with a note of the path; `failures` has it by path."""
    boom = ConnectionError("boom")
    error = await failure(nest(3, FakePlayer(fails(boom))))
    assert error.exceptions == (boom,)
    assert dict(error.failures) == {"g.g.leaf": boom}
    assert any("'g.g.leaf'" in note for note in notes(boom))


async def test_except_star_catches_what_a_player_raised() -> None:
    """The group is an `ExceptionGroup` of the players' own exceptions."""
    caught: list[BaseException] = []
    try:
        await nest(4, FakePlayer(fails(ConnectionError("boom")))).play(Context())
    except* ConnectionError as group:
        caught += group.exceptions
    assert [str(error) for error in caught] == ["boom"]


async def test_two_failures_at_the_same_moment_are_both_told() -> None:
    """The second of two that fail in the same turn of the loop is not lost."""
    players = {name: FakePlayer(raises(OSError(name), after=1)) for name in "abc"}
    error = await failure(Conductor(players))
    assert {path: str(one) for path, one in error.failures.items()} == {
        "a": "a",
        "b": "b",
        "c": "c",
    }


async def test_failures_in_the_first_step_are_both_told() -> None:
    """Also two players that raise before anything else has happened."""

    async def first(ctx: Context) -> None:
        raise OSError("first")

    error = await failure(Conductor({"a": first, "b": FakePlayer()}))
    assert list(error.failures) == ["a"]


async def test_the_same_exception_of_two_players_counts_for_both() -> None:
    """One instance raised twice is there twice, and stays so in a part of the group."""
    boom = OSError("boom")
    players = {name: FakePlayer(raises(boom, after=1)) for name in "ab"}
    error = await failure(Conductor(players))
    assert dict(error.failures) == {"a": boom, "b": boom}
    assert len(notes(boom)) == 2
    part, rest = error.split(OSError)
    assert isinstance(part, ConductorError)
    assert rest is None
    assert dict(part.failures) == {"a": boom, "b": boom}


async def test_the_same_exception_again_and_again_does_not_collect_notes() -> None:
    """A player that always raises one instance does not make it grow."""
    boom = OSError("boom")
    conductor = Conductor({"a": FakePlayer(fails(boom))})
    for _ in range(3):
        await failure(conductor)
    assert len(notes(boom)) == 1


async def test_first_failure_first() -> None:
    """The order of the exceptions is that of the failures."""
    players = {
        "late": FakePlayer(raises(OSError("late"), after=3)),
        "early": FakePlayer(raises(OSError("early"), after=1)),
        "middle": FakePlayer(raises(OSError("middle"), after=2)),
    }
    error = await failure(Conductor(players))
    assert [str(one) for one in error.exceptions] == ["early", "middle", "late"]


async def test_first_failure_first_holds_for_nested_groups() -> None:
    """A nested group that failed first comes first, however long its stop took."""
    inner = Conductor(
        {"a": FakePlayer(fails(OSError("a"), after=1)), "slow": FakePlayer(slow_stop(3))}
    )
    error = await failure(Conductor({"x": FakePlayer(raises(OSError("x"), after=2)), "g": inner}))
    assert list(error.failures) == ["g.a", "x"]


async def test_an_exception_group_of_a_player_stays_one() -> None:
    """What a player raised is not taken apart, and has the note of its path."""
    group = ExceptionGroup("both", [OSError("1"), ValueError("2")])
    error = await failure(Conductor({"a": FakePlayer(fails(group))}))
    assert error.exceptions == (group,)
    assert any("'a'" in note for note in notes(group))
    assert error.subgroup(OSError) is not None


async def test_nested_groups_are_flattened() -> None:
    """However deep they failed, all are side by side, by their full paths."""
    inner = Conductor({name: FakePlayer(raises(OSError(name), after=1)) for name in "ab"})
    error = await failure(
        Conductor({"g": Conductor({"h": inner}), "c": FakePlayer(hangs())}, timeout=4)
    )
    assert list(error.failures) == ["g.h.a", "g.h.b"]
    assert not any(isinstance(one, ConductorError) for one in error.exceptions)
    assert stop_timeout(error).left == ("c",)


async def test_a_group_under_a_root_of_its_own_is_told_by_its_full_path() -> None:
    """What a player has played by itself is noted with the path that it has in the whole tree."""

    async def by_itself(ctx: Context) -> None:
        await Conductor({"b": FakePlayer(fails(OSError()))}).play(Context())

    async def regroups(ctx: Context) -> None:
        raise ConductorError("all in all", [KeyError("c")])

    error = await failure(Conductor({"g": Conductor({"a": by_itself})}))
    assert "raised by player 'g.a.b'" in notes(error.failures["g.a.b"])
    error = await failure(Conductor({"g": Conductor({"a": regroups})}))
    assert notes(error.failures["g.a"]) == ["raised by player 'g.a'"]


class Closing(BaseException):
    """Somebody's own way to leave."""


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        Closing("x"),
        BaseExceptionGroup("both", [SystemExit(1), OSError("x")]),
        asyncio.CancelledError("nobody asked"),
    ],
)
async def test_what_is_no_exception_is_a_failure_too(error: BaseException) -> None:
    """It stops the group, not the loop: a `PlayerAbortedError` with the cause."""
    other = FakePlayer()
    raised = await failure(Conductor({"a": FakePlayer(fails(error, after=1)), "b": other}))
    (aborted,) = raised.exceptions
    assert type(aborted) is PlayerAbortedError
    assert aborted.__cause__ is error
    assert type(error).__name__ in str(aborted)
    assert any("'a'" in note for note in notes(aborted))
    assert other.asked == 1


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), Closing("x"), GeneratorExit()]
)
async def test_what_is_no_exception_is_mended_by_a_restart(error: BaseException) -> None:
    """An abort is a failure like any other, so a backoff brings the player back."""
    player = FakePlayer(fails(error, after=1), ends(after=1), backoff=[2])
    assert await play(Conductor({"a": player})) is None
    assert (player.runs, now()) == (2, 4)


@pytest.mark.parametrize("error", [StopIteration(1), StopAsyncIteration()])
async def test_a_stop_iteration_hangs_nobody(error: Exception) -> None:
    """An exception that coroutines and futures can't pass on is a failure all the same."""

    class Raises:
        def play(self, ctx: Context) -> Any:
            raise error

    raised = await failure(Conductor({"a": Raises(), "b": FakePlayer(fails(error))}))
    assert "a" in raised.failures


async def test_a_play_that_is_not_async_is_a_failure() -> None:
    """A `play` that returns what can't be awaited has failed."""

    class Plain:
        def play(self, ctx: Context) -> Any:
            return 5

    error = await failure(Conductor({"a": Plain(), "b": FakePlayer()}))
    assert type(error.failures["a"]) is TypeError


async def test_a_play_that_cannot_be_had_is_a_failure() -> None:
    """A player whose `play` is gone when its run begins fails, and the group ends."""

    class Moody:
        gone = False

        @property
        def play(self) -> Any:
            if self.gone:
                raise RuntimeError("no play today")
            return nothing

    moody = Moody()
    conductor = Conductor({"a": moody, "b": FakePlayer()})
    moody.gone = True
    async with asyncio.timeout(60):
        error = await failure(conductor)
    assert str(error.failures["a"]) == "no play today"


async def test_a_cancelled_error_while_stopping_is_a_clean_end() -> None:
    """Once its context is done, a player may let a `CancelledError` out."""

    async def player(ctx: Context) -> None:
        await ctx.wait()
        raise asyncio.CancelledError

    assert await play(Conductor({"a": player}), asked=1) is None


@pytest.mark.parametrize("error", [SystemExit(1), Closing()])
async def test_an_abort_while_stopping_is_told(error: BaseException) -> None:
    """Only a cancellation is clean then: anything else that is no `Exception` is a failure."""
    raised = await failure(Conductor({"a": FakePlayer(fails_stopping(error))}), asked=1)
    assert type(raised.failures["a"]) is PlayerAbortedError


async def test_a_player_whose_task_is_cancelled_by_a_stranger_has_failed() -> None:
    """A cancellation that no conductor asked for is no silent death."""
    tasks: list[Any] = []

    async def player(ctx: Context) -> None:
        tasks.append(asyncio.current_task())
        await ctx.wait()

    playing = await show(Conductor({"a": player}), after=1)
    tasks[0].cancel()
    await asyncio.wait([playing.task])
    error = playing.task.exception()
    assert isinstance(error, ConductorError)
    assert type(error.failures["a"]) is PlayerAbortedError


async def test_a_player_whose_task_is_cancelled_by_a_stranger_comes_back() -> None:
    """And with a backoff it plays on, in a task that counts as not cancelled."""
    tasks: list[Any] = []

    async def player(ctx: Context) -> None:
        tasks.append(asyncio.current_task())
        assert tasks[-1].cancelling() == 0
        async with asyncio.timeout(60):  # which a left-over cancellation would break
            await ctx.wait()

    playing = await show(Conductor({"a": restarting(player, [1])}), after=1)
    tasks[0].cancel()
    await asyncio.sleep(5)
    assert len(tasks) == 2
    assert await playing.end() is None


async def test_a_permanent_error_of_a_player_without_backoff_is_just_a_failure() -> None:
    """There is nothing that it could rule out."""
    error = await failure(Conductor({"a": FakePlayer(fails(PermanentError("no licence")))}))
    assert type(error.failures["a"]) is PermanentError


async def test_a_group_without_a_backoff_says_nothing_of_restarts() -> None:
    """The note "after n restarts" is for what could have been restarted."""
    error = await failure(nest(2, FakePlayer(fails(OSError("boom")))))
    assert not [
        note for one in (error, *error.exceptions) for note in notes(one) if "restart" in note
    ]


async def test_the_message_says_how_many_failed_and_who_was_left() -> None:
    """A reader of the last line knows what happened."""
    players = {
        "a": FakePlayer(raises(OSError("a"), after=1)),
        "b": FakePlayer(raises(OSError("b"), after=1)),
        "stuck": FakePlayer(hangs()),
    }
    error = await failure(Conductor(players, timeout=3))
    assert "2 players failed" in str(error)
    assert "1 player did not stop in time: stuck" in str(error)
    assert list(error.failures) == ["a", "b"]
    assert isinstance(error.exceptions[-1], StopTimeoutError)


# Within each other


@pytest.mark.parametrize("how", ["ctx", "child"])
async def test_a_wrapper_player_plays_a_conductor_as_a_part_of_the_tree(how: str) -> None:
    """With its own context or a child of that, the inner players have the wrapper's path."""
    seen = []

    async def leaf(ctx: Context) -> None:
        seen.append((ctx.path, ctx.performance))
        await ctx.wait()

    inner = Conductor({"leaf": leaf})

    async def wrapper(ctx: Context) -> None:
        await inner.play(ctx if how == "ctx" else ctx.child())

    playing = await show(Conductor({"w": wrapper}), after=1)
    assert seen == [("w.leaf", playing.performance)]
    assert playing.conductor.status().find("w.leaf").ready
    assert await playing.end() is None


async def test_a_wrapper_that_plays_a_conductor_over_a_bare_context_has_a_tree_of_its_own() -> None:
    """The inner players are of another performance, and their failures come by the wrapper's path."""
    seen = []

    async def leaf(ctx: Context) -> None:
        seen.append((ctx.path, ctx.performance))
        raise OSError("boom")

    inner = Conductor({"leaf": leaf})

    async def wrapper(ctx: Context) -> None:
        await inner.play(Context())

    playing = await show(Conductor({"w": wrapper}), after=1)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["w.leaf"]
    ((path, performance),) = seen
    assert path == "leaf"
    assert performance is not playing.performance


async def test_a_bare_inner_tree_with_the_same_name_has_a_path_of_its_own() -> None:
    """`a` in a tree of its own within the player `a` is `a.a`."""
    inner = Conductor({"a": FakePlayer(fails(OSError("boom")))})

    async def wrapper(ctx: Context) -> None:
        await inner.play(Context())

    error = await failure(Conductor({"a": wrapper}))
    assert list(error.failures) == ["a.a"]


async def test_a_wrapper_may_play_a_conductor_again_and_again() -> None:
    """A wrapper with a retry of its own shows the players of now, and of no earlier time."""
    inner = Conductor({"x": FakePlayer(fails(OSError("x"), after=1), plays())})

    async def wrapper(ctx: Context) -> None:
        while not ctx.done():
            try:
                await inner.play(ctx)
            except ConductorError:
                await ctx.sleep(1)

    playing = await show(Conductor({"w": wrapper}), after=3)
    status = playing.conductor.status().find("w")
    assert [player.path for player in status.players] == ["w.x"]
    assert (str(status.state), status.ready) == ("ready", True)
    await playing.performance.restart("w.x")
    assert await playing.end() is None


async def test_a_wrapper_that_catches_the_failure_has_dealt_with_it() -> None:
    """What a wrapper catches does not reach the group above."""
    inner = Conductor({"x": FakePlayer(fails(OSError("x"), after=1))})

    async def wrapper(ctx: Context) -> None:
        with pytest.raises(ConductorError):
            await inner.play(ctx)

    assert await play(Conductor({"w": wrapper})) is None


async def test_two_conductors_in_one_wrapper_show_side_by_side() -> None:
    """A player may conduct more than one group at a time."""
    one, two = Conductor({"a": FakePlayer()}), Conductor({"b": FakePlayer()})

    async def wrapper(ctx: Context) -> None:
        await asyncio.gather(one.play(ctx), two.play(ctx))

    playing = await show(Conductor({"w": wrapper}), after=1)
    assert [one.path for one in playing.conductor.status().walk()] == ["", "w", "w.a", "w.b"]
    assert await playing.end() is None


async def test_a_group_with_a_backoff_comes_back_whole() -> None:
    """One for all: a failure stops every player of the group, and all start again."""
    bad = FakePlayer(fails(OSError("x"), after=1), plays())
    good = FakePlayer()
    playing = await show(Conductor({"g": Conductor({"a": bad, "b": good}, backoff=[2])}), after=5)
    assert (bad.runs, good.runs) == (2, 2)
    assert await playing.end() is None


async def test_groups_nested_in_start_order_are_rest_for_one() -> None:
    """The failing player and those after it come back, those before it play on."""
    first, bad, last = FakePlayer(), FakePlayer(fails(OSError("x"), after=1), plays()), FakePlayer()
    rest = Conductor({"bad": bad, "last": last}, backoff=repeat(1))
    playing = await show(Conductor({"first": first, "rest": rest}), after=5)
    assert (first.runs, bad.runs, last.runs) == (1, 2, 2)
    assert await playing.end() is None


# Under unusual loops


async def test_a_player_that_ends_in_its_first_step_has_played() -> None:
    """There is no moment at which it could be missed."""
    playing = await show(Conductor({str(number): nothing for number in range(5)}))
    await asyncio.wait([playing.task])
    assert playing.task.exception() is None
    assert [playing.kinds(str(number)) for number in range(5)] == [["Started", "Stopped"]] * 5


def test_eager_tasks_change_nothing_about_it() -> None:
    """Under an eager task factory players start, fail, restart and end the same."""
    script = """
import asyncio
from groups import *
from orchestra import *
from orchestra.testing import *

async def ends_at_once(ctx): return
async def fails_at_once(ctx): raise OSError("boom")

async def main():
    if hasattr(asyncio, "eager_task_factory"):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    assert await play(Conductor({"a": ends_at_once, "b": ends_at_once})) is None
    assert await play(Conductor({"a": ends_at_once, "b": FakePlayer()}, stop_when="any")) is None
    other = FakePlayer(slow_stop(1))
    error = await failure(Conductor({"b": other, "a": fails_at_once, "c": FakePlayer()}))
    assert list(error.failures) == ["a"] and other.playing == 0
    error = await failure(Conductor({"a": restarting(fails_at_once, [0, 1, 0])}))
    assert "after 3 restarts" in notes(error.exceptions[0])
    assert await play(Conductor({"g": Conductor({"a": FakePlayer()})}), asked=1) is None
    many = {str(n): ends_at_once for n in range(2000)}
    async with asyncio.timeout(60):
        assert await play(Conductor(many, ordered=True)) is None
    many = {str(n): FakePlayer() for n in range(2000)}
    assert await play(Conductor(many, ordered=True), asked=1) is None
    assert stop_timeout(await failure(Conductor({"a": FakePlayer(hangs())}), asked=1)).left == ("a",)

run_virtual(main)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=__file__.rpartition("/")[0])


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for Windows")
def test_uvloop_changes_nothing_about_it() -> None:
    """The core asks of its loop what every loop has."""
    import uvloop

    async def main() -> None:
        assert await play(Conductor({"a": FakePlayer(ends(after=0.01)), "b": nothing})) is None
        error = await failure(nest(2, FakePlayer(hangs()), timeout=0.2), asked=0.01)
        assert stop_timeout(error).left == ("g.leaf",)
        error = await failure(Conductor({"a": FakePlayer(fails(OSError("x")), backoff=[0, 0.01])}))
        assert "after 2 restarts" in notes(error.exceptions[0])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_conductor_outside_of_a_loop_has_a_status() -> None:
    """Before it plays, all is waiting, and nothing needs a loop."""
    conductor = Conductor({"a": nothing, "g": Conductor({"b": nothing})})
    conductor.add("me", conductor)
    status = conductor.status()
    assert [str(one.state) for one in status.walk()] == ["waiting"] * len(list(status.walk()))
    assert status.find("g.b").kind == "coroutine"


def test_steering_what_does_not_play_is_an_error_of_its_own() -> None:
    """Only a restart needs it to play."""
    conductor = Conductor({"a": nothing})

    async def main() -> None:
        with pytest.raises(OrchestraError, match="does not play"):
            await conductor.restart("a")
        await conductor.remove("a")

    asyncio.run(main())
    assert not conductor.players
