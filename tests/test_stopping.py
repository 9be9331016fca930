"""How a group stops: asked, cut off, abandoned; in time, whatever its players do; and who is named."""

import asyncio
import logging
import threading
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
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    StopTimeoutError,
    play_until_signal,
    playing,
)
from orchestra._root import Root
from orchestra.testing import (
    FakePlayer,
    Step,
    Take,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    slow_stop,
)

pytestmark = pytest.mark.virtual_time

abandons = pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")


# The three steps


async def test_first_it_is_asked() -> None:
    """A player that heeds its context is neither cut off nor named."""
    players = crew(3, slow_stop(5))
    assert await play(Conductor(players, timeout=6), asked=1) is None
    assert now() == 6
    assert all((one.asked, one.cancelled) == (1, 0) for one in players.values())


async def test_then_it_is_cut_off() -> None:
    """When its time is over, a player's task is cancelled, and the error names it."""
    stuck, good = FakePlayer(hangs()), FakePlayer(slow_stop(1))
    error = await failure(Conductor({"stuck": stuck, "good": good}, timeout=6), asked=1)
    assert when(stuck, "asked") == [1]
    assert when(stuck, "cancelled") == [7]
    assert good.cancelled == 0
    found = stop_timeout(error)
    assert (found.left, found.abandoned) == (("stuck",), ())
    assert not error.failures
    assert now() == 7


@abandons
async def test_at_last_it_is_abandoned() -> None:
    """One that swallows its cancellation has a tenth of the time more, and is left behind then."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    error = await failure(Conductor({"deaf": deaf}, timeout=5), asked=1)
    assert now() == pytest.approx(6.5)
    assert deaf.playing == 1
    found = stop_timeout(error)
    assert found.left == found.abandoned == ("deaf",)
    assert "deaf" in found.stuck
    assert "abandoned" in str(found)


async def test_a_player_may_clean_up_when_it_is_cut_off() -> None:
    """What it does within the tenth is done, and it is not abandoned."""
    deaf = FakePlayer(ignores_cancellation(for_=0.4))
    found = stop_timeout(await failure(Conductor({"deaf": deaf}, timeout=5), asked=1))
    assert (found.left, found.abandoned) == (("deaf",), ())
    assert now() == pytest.approx(6.4)
    assert deaf.ended == 1


async def test_the_events_tell_the_three_steps() -> None:
    """`Stopping`, `CutOff`, and `Stopped` or `Abandoned` as the last."""
    conductor = Conductor(
        {
            "good": FakePlayer(),
            "stuck": FakePlayer(hangs()),
            "late": FakePlayer(ignores_cancellation(for_=1)),
        },
        timeout=5,
    )
    playing = await show(conductor, after=1)
    assert isinstance(await playing.end(), ConductorError)
    assert playing.kinds("good") == ["Started", "Ready", "Stopping", "Stopped"]
    assert playing.kinds("stuck") == ["Started", "Ready", "Stopping", "CutOff", "Stopped"]
    assert playing.kinds("late") == ["Started", "Ready", "Stopping", "CutOff", "Abandoned"]
    await asyncio.sleep(1)


@abandons
@pytest.mark.parametrize("entry", [False, True])
async def test_a_limit_that_is_set_late_is_kept(entry: bool) -> None:
    """Who was asked long ago has no tenth of that time left, but of what the new limit leaves."""
    ctx, deaf = Context(), FakePlayer(ignores_cancellation(for_=5))
    conductor = Conductor({"deaf": deaf, "fails": FakePlayer(fails(after=1))}, timeout=9)
    player = Root(conductor, timeout=1.0, ctx=ctx) if entry else None
    task = asyncio.create_task(conductor.play(ctx) if player is None else player.play())
    await asyncio.sleep(3)
    ctx.cancel(within=0.25)
    await asyncio.wait([task])
    assert now() <= 3.25
    assert stop_timeout(task.exception()).abandoned == ("deaf",)
    await asyncio.sleep(5)


@abandons
@pytest.mark.parametrize("last_step", [hangs(), ignores_cancellation(for_=1)])
async def test_a_group_does_not_get_ready_by_cutting_off_who_is_not(last_step: Step) -> None:
    """One that never was ready, and had to be cut off or abandoned, has not ended well."""
    late = FakePlayer(last_step, signals_ready=True)
    inner = Conductor({"late": late, "ends": FakePlayer(ends(1))}, timeout=1, stop_when="any")
    playing = await show(Conductor({"inner": inner}), after=4)
    assert isinstance(await playing.end(), ConductorError)
    assert playing.kinds("inner") == ["Started", "Failed"]


async def test_one_that_waits_to_come_back_is_not_cut_off() -> None:
    """A group without time that fails in the moment of a deadline ends its backoff, and that is all."""
    late = FakePlayer(signals_ready=True, start_timeout=3)
    flaky = FakePlayer(signals_ready=True, start_timeout=1, backoff=[60])
    playing = await show(Conductor({"flaky": flaky, "late": late}, timeout=0), after=5)
    assert playing.kinds("flaky")[-2:] == ["BackingOff", "Stopped"]
    assert isinstance(await playing.end(), ConductorError)


async def test_a_stop_after_the_end_leaves_nothing() -> None:
    """An entry point whose player has ended, and that is told to stop in the same moment, has no timer."""
    loop, ctx = asyncio.get_running_loop(), Context()
    root = Root(Conductor(), timeout=1.0, ctx=ctx)
    task = asyncio.create_task(root.play())
    while not root.life.over:
        await asyncio.sleep(0)
    ctx.cancel(within=5)
    await task
    await asyncio.sleep(0)
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []  # type: ignore[attr-defined]


async def test_ignoring_exactly_the_stop_timeout() -> None:
    """`except* StopTimeoutError: pass` lets nothing else pass."""
    try:
        await Conductor({"a": FakePlayer(hangs())}, timeout=1).play(Context().child(timeout=1))
    except* StopTimeoutError:
        pass
    conductor = Conductor({"a": FakePlayer(hangs()), "b": FakePlayer(raises(OSError(), after=1))})
    with pytest.raises(ExceptionGroup) as caught:
        try:
            await conductor.play(Context())
        except* StopTimeoutError:
            pass
    assert [type(one) for one in caught.value.exceptions] == [OSError]


# The bound


STUBBORN: list[Any] = [hangs, slow_stop, ignores_cancellation, fails_stopping]


@abandons
@pytest.mark.parametrize("timeout", [9, 1, 0.01, 0])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
async def test_the_stop_is_bounded_at_any_depth(levels: int, timeout: float) -> None:
    """Promise 1, stop is bounded: within `timeout` plus a tenth, whatever the players do."""

    async def swallows_all(take: Take) -> None:
        for _ in range(1000):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                take.note("cancelled")

    stubborn = {
        "hangs": FakePlayer(hangs()),
        "deaf": FakePlayer(ignores_cancellation(for_=500)),
        "slow": FakePlayer(slow_stop(500)),
        "worse": FakePlayer(swallows_all),
        "good": FakePlayer(),
    }
    conductor = Conductor(stubborn, timeout=timeout)
    for _ in range(levels - 1):
        conductor = Conductor({"g": conductor, "side": FakePlayer(hangs())}, timeout=timeout)
    error = await failure(conductor, asked=1)
    assert now() <= 1 + timeout * 1.1 + 1e-6
    prefix = "g." * (levels - 1)
    found = stop_timeout(error)
    sides = ["g." * level + "side" for level in range(levels - 1)]
    named = [prefix + name for name in ("hangs", "deaf", "slow", "worse")]
    assert sorted(found.left) == sorted([*named, *sides])
    assert sorted(found.abandoned) == sorted([prefix + "deaf", prefix + "worse"])
    assert not error.failures


@pytest.mark.parametrize("inner", [0.5, 9, 1000])
async def test_the_inner_group_reports_first(inner: float) -> None:
    """A nested group has less time than its parent has left, whatever its own timeout says."""
    leaf = FakePlayer(hangs())
    conductor = Conductor({"g": Conductor({"leaf": leaf}, timeout=inner)}, timeout=9)
    playing = await show(conductor, after=1)
    error = await playing.end()
    assert stop_timeout(error).left == ("g.leaf",)
    (cut,) = when(leaf, "cancelled")
    assert cut - 1 == pytest.approx(inner) or cut - 1 < 9
    assert cut - 1 < 9
    assert playing.kinds("g")[-1] == "Failed"
    assert "CutOff" not in playing.kinds("g")


@abandons
async def test_the_inner_group_reports_first_at_depth_four() -> None:
    """Even a leaf that has to be abandoned is reported by the group that it is in."""
    playing = await show(nest(4, FakePlayer(ignores_cancellation(for_=60)), timeout=9), after=1)
    found = stop_timeout(await playing.end())
    assert found.left == found.abandoned == ("g.g.g.leaf",)
    cut = [event.path for event in playing.events if type(event).__name__ == "CutOff"]
    assert cut == ["g.g.g.leaf"]


async def test_a_shorter_inner_timeout_stands() -> None:
    """A group that allows less time than it has is obeyed, and its siblings have all of theirs."""
    quick, slow = FakePlayer(hangs()), FakePlayer(slow_stop(8))
    conductor = Conductor({"g": Conductor({"quick": quick}, timeout=2), "slow": slow}, timeout=9)
    await failure(conductor, asked=1)
    assert when(quick, "cancelled") == [3]
    assert (slow.cancelled, now()) == (0, 9)


async def test_timeout_zero_cuts_off_at_once() -> None:
    """With no time to stop in, a player is asked and cancelled in the same moment."""
    player = FakePlayer(hangs())
    good = FakePlayer()
    error = await failure(Conductor({"a": player, "b": good}, timeout=0), asked=3)
    assert now() == 3
    assert (player.cancelled, player.ended, good.ended) == (1, 1, 1)
    assert "a" in stop_timeout(error).left


@pytest.mark.parametrize("timeout", [0, 1])
async def test_any_number_of_players_is_cut_off(timeout: float) -> None:
    """Two thousand that hang are cut off as one is, also with no time at all."""
    players = crew(2000, hangs())
    error = await failure(Conductor(players, timeout=timeout), asked=1)
    assert len(stop_timeout(error).left) == 2000
    assert all(player.ended for player in players.values())
    assert now() == 1 + timeout


@abandons
@pytest.mark.parametrize("timeout", [0, 1])
async def test_any_number_of_players_is_abandoned(timeout: float) -> None:
    """Two thousand that swallow their cancellation are left behind as one is."""
    players = crew(2000, ignores_cancellation(for_=60))
    error = await failure(Conductor(players, timeout=timeout), asked=1)
    assert len(stop_timeout(error).abandoned) == 2000
    assert now() == pytest.approx(1 + timeout * 1.1)


async def test_less_time_later_shortens_the_stop() -> None:
    """A second `cancel` with a `within` cuts off earlier, in nested groups too; with more, it does not."""
    leaf, other = FakePlayer(hangs()), FakePlayer(hangs())
    ctx = Context()
    loop = asyncio.get_running_loop()
    loop.call_later(1, ctx.cancel, "first")
    loop.call_later(2, lambda: ctx.cancel("second", within=1))
    loop.call_later(2.5, lambda: ctx.cancel("third", within=100))
    conductor = Conductor({"g": Conductor({"leaf": leaf}), "other": other}, timeout=60)
    assert isinstance(await play(conductor, ctx=ctx), ConductorError)
    assert now() <= 3.1
    assert when(leaf, "cancelled")[0] < when(other, "cancelled")[0]


async def test_a_player_that_starts_late_has_no_more_time() -> None:
    """A player in the middle of its start is asked and cut off as all others are."""
    player = FakePlayer(hangs(), ready_after=100)
    error = await failure(Conductor({"a": player}, timeout=2), asked=1)
    assert stop_timeout(error).left == ("a",)
    assert now() == 3


# Graceful on every path


@pytest.mark.parametrize("path", ["context", "stop", "failure", "any"])
async def test_the_stop_is_graceful_on_every_path(path: str) -> None:
    """Promise 2, stop is graceful on every path: every player is asked and awaited."""
    others = crew(3, slow_stop(2))
    players: dict[str, Any] = {"g": Conductor({"h": Conductor(others)}), **crew(2, slow_stop(1))}
    if path == "failure":
        players["bad"] = FakePlayer(fails(after=1))
    if path == "any":
        players["bad"] = FakePlayer(ends(after=1))
    conductor = Conductor(players, stop_when="any" if path == "any" else "all")
    playing = await show(conductor, after=1)
    if path == "context":
        playing.ctx.cancel()
    if path == "stop":
        playing.performance.stop("enough")
    await asyncio.wait([playing.task])
    assert isinstance(playing.task.exception(), ConductorError if path == "failure" else type(None))
    assert now() == 3
    for player in [*others.values(), players["p0"], players["p1"]]:
        assert (player.asked, player.cancelled, player.ended) == (1, 0, 1)


async def test_a_failure_deep_down_stops_all_above() -> None:
    """Without a backoff on the way, one failing leaf stops the whole tree gracefully."""
    sides = crew(3, slow_stop(1))
    conductor = Conductor({"leaf": FakePlayer(fails(OSError("x"), after=1)), "p": sides["p0"]})
    conductor = Conductor({"g": conductor, "p": sides["p1"]})
    error = await failure(Conductor({"g": conductor, "p": sides["p2"]}))
    assert list(error.failures) == ["g.g.leaf"]
    assert all((side.asked, side.cancelled) == (1, 0) for side in sides.values())


async def test_the_reason_of_a_stop_names_the_player_that_failed() -> None:
    """The others can see why they stop."""
    reasons = []

    async def other(ctx: Context) -> None:
        await ctx.wait()
        reasons.append(str(ctx.reason))

    await failure(Conductor({"g": Conductor({"bad": FakePlayer(fails(OSError("x")))}), "o": other}))
    assert "g" in reasons[0]
    assert "x" in reasons[0] or "bad" in reasons[0]


# Errors while stopping


async def test_an_error_raised_while_stopping_is_not_lost() -> None:
    """Each one is in the group, by its path, beside what began the stop."""
    players = {
        "first": FakePlayer(fails(OSError("first"), after=1)),
        "second": FakePlayer(fails_stopping(ValueError("second"))),
        "g": Conductor({"third": FakePlayer(fails_stopping(KeyError("third")))}),
    }
    error = await failure(Conductor(players))
    assert list(error.failures) == ["first", "second", "g.third"]
    assert all(notes(one) for one in error.exceptions)


async def test_an_error_raised_while_stopping_is_not_restarted() -> None:
    """A backoff is for failures of a player that is to play."""
    player = FakePlayer(fails_stopping(OSError("x")), backoff=[0, 0, 0])
    error = await failure(Conductor({"a": player}), asked=1)
    assert list(error.failures) == ["a"]
    assert player.runs == 1


async def test_an_error_of_a_player_that_was_cut_off_is_told_as_well() -> None:
    """A cut-off player that raises is there twice: with its error, and by name in the stop timeout."""

    error = await failure(
        Conductor({"g": Conductor({"a": FakePlayer(fails_when_cut())})}, timeout=3), asked=1
    )
    assert {path: str(one) for path, one in error.failures.items()} == {"g.a": "in the finally"}
    assert stop_timeout(error).left == ("g.a",)


@pytest.mark.parametrize("levels", [2, 3, 4])
async def test_an_error_of_a_cut_off_nested_group_is_not_lost_on_the_way_up(levels: int) -> None:
    """Where the outer group has no time at all, the inner errors still arrive."""

    leaf = "g." * (levels - 1) + "leaf"
    error = await failure(nest(levels, FakePlayer(fails_when_cut()), timeout=0), asked=1)
    assert list(error.failures) == [leaf]
    assert stop_timeout(error).left == (leaf,)


@pytest.mark.parametrize("timeout", [0, 5])
async def test_a_wrapper_that_raises_as_well_hides_nothing(timeout: float) -> None:
    """Its own error stands beside those of the group that it conducts."""

    inner = Conductor({"leaf": FakePlayer(fails_when_cut("in the leaf"))})

    async def wrapper(ctx: Context) -> None:
        try:
            await inner.play(ctx)
        except (asyncio.CancelledError, ConductorError) as error:
            if isinstance(error, ConductorError):
                raise ExceptionGroup("both", [error, ValueError("in the wrapper")]) from None
            raise ValueError("in the wrapper") from None

    error = await failure(Conductor({"w": wrapper}, timeout=timeout), asked=1)
    told = error.subgroup((OSError, ValueError))
    assert told is not None
    assert "in the leaf" in repr(told)
    assert "in the wrapper" in repr(told)
    if not timeout:
        assert {path: str(one) for path, one in error.failures.items()} == {
            "w.leaf": "in the leaf",
            "w": "in the wrapper",
        }


async def test_a_removed_wrapper_that_raises_as_well_hides_nothing() -> None:
    """What it and its group raised comes out of `remove`, by path."""

    inner = Conductor({"leaf": FakePlayer(fails_when_cut("in the leaf"))})

    async def wrapper(ctx: Context) -> None:
        try:
            await inner.play(ctx)
        except asyncio.CancelledError:
            raise ValueError("in the wrapper") from None

    playing = await show(Conductor({"w": wrapper, "z": FakePlayer()}, timeout=0), after=1)
    with pytest.raises(ConductorError) as caught:
        await playing.conductor.remove("w")
    assert {path: str(one) for path, one in caught.value.failures.items()} == {
        "w.leaf": "in the leaf",
        "w": "in the wrapper",
    }
    assert await playing.end() is None


@abandons
async def test_an_error_after_it_was_abandoned_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is left to raise it to, so the log has it."""

    async def bad_end(take: Take) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(10)
            raise OSError("much too late")

    error = await failure(Conductor({"a": FakePlayer(bad_end)}, timeout=1), asked=1)
    assert stop_timeout(error).abandoned == ("a",)
    caplog.clear()
    await asyncio.sleep(20)
    (record,) = caplog.records
    assert "a: failed after it was abandoned" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "much too late"


@abandons
async def test_an_abandoned_player_that_ends_late_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither a good end nor a cancellation of one that was left behind is worth a line."""
    player = FakePlayer(ignores_cancellation(for_=10))
    await failure(Conductor({"a": player}, timeout=1), asked=1)
    caplog.clear()
    await asyncio.sleep(20)
    assert player.ended == 1
    assert not caplog.records


# Who is left, and where


async def test_stuck_says_where_down_to_the_innermost_line() -> None:
    """The await chain has file, line and function of each frame, the innermost last."""

    async def innermost() -> None:
        await asyncio.sleep(1000)  # here it is stuck

    async def outer(ctx: Context) -> None:
        await innermost()

    error = await failure(nest(2, outer, timeout=1), asked=1)
    where = stop_timeout(error).stuck["g.leaf"].splitlines()
    assert f"{__file__}:" in where[0]
    assert "in outer" in where[0]
    assert any("here it is stuck" in line and "in innermost" in line for line in where)
    assert not any("_live" in line for line in where)


async def test_stuck_looks_through_tasks_that_are_waited_for() -> None:
    """A player that waits for tasks of its own is stuck where they are."""

    async def deep() -> None:
        await asyncio.sleep(1000)  # stuck in a task

    async def player(ctx: Context) -> None:
        await asyncio.gather(deep(), deep())

    error = await failure(Conductor({"a": player}, timeout=1), asked=1)
    assert "stuck in a task" in stop_timeout(error).stuck["a"]


async def test_stuck_says_where_a_thread_is() -> None:
    """A thread can't be cut off: it is abandoned, and its own stack is shown."""
    go = threading.Event()

    def works(ctx: Context) -> None:
        go.wait()  # stuck in the thread

    # While a thread is at work, virtual time passes at its real pace: so the timeout is short.
    error = await failure(Conductor({"g": Conductor({"a": works})}, timeout=0.05), asked=0.01)
    go.set()
    while len(asyncio.all_tasks()) > 1:  # until the abandoned run has seen the end of its thread
        await asyncio.sleep(0.001)
    found = stop_timeout(error)
    assert found.left == found.abandoned == ("g.a",)
    assert "stuck in the thread" in found.stuck["g.a"]


async def test_only_the_leaves_that_did_not_stop_are_named() -> None:
    """Groups are not named, and neither are the players that stopped."""
    inner = Conductor({"good": FakePlayer(), "bad": FakePlayer(hangs())})
    conductor = Conductor({"g": inner, "h": Conductor({"good": FakePlayer()})}, timeout=3)
    found = stop_timeout(await failure(conductor, asked=1))
    assert found.left == ("g.bad",)
    assert set(found.stuck) == {"g.bad"}


async def test_a_stuck_wrapper_is_named_itself_when_its_group_has_ended() -> None:
    """A player that conducts a group and hangs after that is a leaf at that moment."""
    inner = Conductor({"a": FakePlayer()})

    async def wrapper(ctx: Context) -> None:
        await inner.play(ctx)
        await asyncio.sleep(1000)

    found = stop_timeout(await failure(Conductor({"w": wrapper}, timeout=3), asked=1))
    assert found.left == ("w",)


@pytest.mark.parametrize("how", ["ctx", "child"])
async def test_a_wrapper_is_no_leaf_while_its_group_plays(how: str) -> None:
    """The paths go down through a wrapper that conducts with its own context."""
    inner = Conductor({"a": FakePlayer(hangs()), "b": FakePlayer(fails_stopping(OSError("b")))})

    async def wrapper(ctx: Context) -> None:
        await inner.play(ctx if how == "ctx" else ctx.child())

    error = await failure(Conductor({"w": wrapper}, timeout=3), asked=1)
    assert stop_timeout(error).left == ("w.a",)
    assert list(error.failures) == ["w.b"]
    assert now() <= 4.3


async def test_the_message_of_many_is_short() -> None:
    """The first ten are listed, the others counted."""
    error = await failure(Conductor(crew(14, hangs()), timeout=1), asked=1)
    assert "14 players did not stop in time" in str(error)
    assert "and 4 more" in str(error)


# Swallowed


@abandons
async def test_a_player_that_swallows_once_has_its_tenth() -> None:
    """One cancellation is all that a player gets: what it swallowed is not repeated."""
    player = FakePlayer(ignores_cancellation(for_=60))
    await failure(Conductor({"a": player}, timeout=10), asked=1)
    assert player.cancelled == 1


async def test_a_player_that_ends_well_when_it_is_cut_off_is_named_still() -> None:
    """It ended, but not in time."""

    async def late(take: Take) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return

    error = await failure(Conductor({"a": FakePlayer(late)}, timeout=2), asked=1)
    assert stop_timeout(error).left == ("a",)
    assert not error.failures


async def test_a_player_cancelled_at_the_moment_it_ends_has_ended() -> None:
    """Ending in time means before the deadline or at it."""
    player = FakePlayer(slow_stop(3))
    error = await play(Conductor({"a": player}, timeout=3), asked=1)
    assert error is None or stop_timeout(error).left == ("a",)
    assert player.ended == 1
    assert now() == 4


# Cut off from outside


async def test_cancelling_the_task_cuts_everything_off() -> None:
    """Its players are asked and cancelled at once, and the cancellation goes on upwards."""
    seen = []

    async def leaf(ctx: Context) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append((ctx.path, ctx.done(), now()))

    task = start(Conductor({"a": leaf, "g": Conductor({"b": leaf})}))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert sorted(seen) == [("a", True, 1), ("g.b", True, 1)]


@abandons
async def test_a_cut_off_from_outside_waits_a_tenth_of_the_timeout() -> None:
    """A player that swallows the cancellation is abandoned then."""
    quick, deaf = (
        FakePlayer(ignores_cancellation(for_=0.2)),
        FakePlayer(ignores_cancellation(for_=60)),
    )
    task = start(nest(3, quick, timeout=9))
    other = start(nest(3, deaf, timeout=9))
    await asyncio.sleep(1)
    task.cancel()
    other.cancel()
    await asyncio.wait([task])
    assert now() == pytest.approx(1.2)
    await asyncio.wait([other])
    assert now() <= 1.9
    assert (quick.playing, deaf.playing) == (0, 1)
    assert task.cancelled()
    assert other.cancelled()


@pytest.mark.parametrize("step", [hangs(), slow_stop(1), ends(after=1), fails_stopping()])
async def test_a_cut_off_with_no_time_at_all_awaits_what_it_can(step: Any) -> None:
    """Players that obey a cancellation are done when the conductor is, also with `timeout=0`."""
    players = crew(500, step)
    task = start(Conductor(players, timeout=0))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert all(player.ended for player in players.values())
    assert now() == 0.5


async def test_cancelling_it_twice_is_cancelling_it_once() -> None:
    """A second cancellation neither hurries the end nor breaks it."""
    player = FakePlayer(ignores_cancellation(for_=0.5))
    task = start(nest(2, player))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert player.ended == 1
    assert now() == pytest.approx(1.5)


async def test_cancelling_it_before_its_first_step_starts_nothing() -> None:
    """A conductor whose task never began has played nobody, and can be played again."""
    player = FakePlayer(ends(after=1))
    conductor = Conductor({"a": player})
    task = start(conductor)
    task.cancel()
    await asyncio.wait([task])
    assert player.runs == 0
    assert await play(conductor) is None


@pytest.mark.parametrize("number", range(6))
async def test_cancelling_it_in_its_first_turns_leaves_nobody_behind(number: int) -> None:
    """However far its start has come, all that has begun has ended."""
    players = crew(2, hangs())
    task = start(Conductor({"g": Conductor(players), "a": FakePlayer()}, ordered=True))
    await turns(number)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert all(player.playing == 0 for player in players.values())


async def test_cancelling_it_during_a_stop_cuts_the_stop_short() -> None:
    """Asked first and cancelled later, it ends within a tenth of its timeout from then on."""
    player = FakePlayer(hangs())
    playing = await show(Conductor({"g": Conductor({"a": player})}), after=1)
    playing.ctx.cancel()
    await asyncio.sleep(1)
    playing.task.cancel()
    await asyncio.wait([playing.task])
    assert playing.task.cancelled()
    assert (player.asked, player.cancelled, now()) == (1, 1, 2)


async def test_a_cancellation_at_the_moment_of_the_end_is_obeyed() -> None:
    """A conductor that has just ended and is cancelled passes the cancellation on."""
    for number in range(6):
        task = start(Conductor({"a": FakePlayer(ends(after=1))}))
        await asyncio.sleep(1)
        await turns(number)
        if task.cancel():
            await asyncio.wait([task])
            assert task.cancelled()
        else:
            assert task.done()


async def test_a_timeout_around_a_conductor_works() -> None:
    """`asyncio.timeout` cuts it off and gets its own cancellation back."""
    player = FakePlayer(hangs())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await Conductor({"a": player}).play(Context())
    assert now() == 3
    assert player.ended == 1


async def test_what_players_raise_in_a_cut_off_reaches_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the top there is nobody else to tell: each exception is logged, with its traceback."""

    task = start(nest(2, FakePlayer(fails_when_cut())))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert "in the finally" in caplog.text


async def test_what_players_raise_in_a_cut_off_reaches_the_conductor_above() -> None:
    """A nested conductor that is cut off has its errors told by the group that it is in."""

    inner = Conductor({"leaf": FakePlayer(fails_when_cut())})

    async def wrapper(ctx: Context) -> None:
        task = asyncio.ensure_future(inner.play(ctx))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])

    error = await failure(Conductor({"w": wrapper}))
    assert list(error.failures) == ["w.leaf"]


async def test_a_conductor_in_a_cancelled_context_manager_is_cut_off() -> None:
    """`playing` whose body is cancelled cuts nothing off, and stops its player."""
    player = FakePlayer(slow_stop(1))

    async def main() -> None:
        async with playing(Conductor({"a": player})):
            await asyncio.sleep(1000)

    task = asyncio.create_task(main())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert player.ended == 1


@abandons
async def test_cancelling_an_entry_point_cuts_everything_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its root is cut off as the players of a group are, and so are all below."""

    for root, path in (
        (FakePlayer(fails_when_cut()), "FakePlayer"),
        (nest(2, FakePlayer(fails_when_cut())), "g.leaf"),
    ):
        caplog.clear()
        task = asyncio.create_task(play_until_signal(root))
        await asyncio.sleep(1)
        began = now()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert now() == began
        assert "in the finally" in caplog.text
        assert path in caplog.text
    deaf = FakePlayer(ignores_cancellation(for_=60))
    task = asyncio.create_task(play_until_signal(deaf, timeout=5))
    await asyncio.sleep(1)
    began = now()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert now() == pytest.approx(began + 0.5)


async def test_cancelling_an_entry_point_whose_root_backs_off_is_clean(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is nobody to cut off, and nothing to tell."""
    task = asyncio.create_task(play_until_signal(FakePlayer(fails(after=1), backoff=[1000])))
    await asyncio.sleep(2)
    caplog.clear()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not caplog.records


@pytest.mark.parametrize("root", [FakePlayer(hangs()), nest(2, FakePlayer(hangs()))])
async def test_an_entry_point_with_a_context_that_is_done_starts_nothing(root: Any) -> None:
    """It returns at once."""
    ctx = Context()
    ctx.cancel()
    await play_until_signal(root, ctx=ctx)
    assert now() == 0


# The order of a stop


async def test_one_stuck_player_of_an_order_does_not_use_up_the_time() -> None:
    """Promise 1 in an ordered group: those still waiting have their share of the time."""
    players = {
        "db": FakePlayer(slow_stop(2)),
        "api": FakePlayer(slow_stop(2)),
        "web": FakePlayer(hangs()),
    }
    error = await failure(Conductor(players, ordered=True, timeout=9), asked=1)
    assert stop_timeout(error).left == ("web",)
    assert [players[name].cancelled for name in ("db", "api")] == [0, 0]
    assert when(players["web"], "cancelled")[0] < when(players["api"], "asked")[0] + 0.5
    assert now() <= 1 + 9.9


@abandons
@pytest.mark.parametrize("timeout", [9, 1, 0])
@pytest.mark.parametrize("step", [hangs(), ignores_cancellation(for_=500)])
async def test_an_order_of_stuck_players_is_bounded(step: Any, timeout: float) -> None:
    """All of them stuck, the group still ends within its timeout plus a tenth."""
    players = crew(5, step)
    error = await failure(Conductor(players, ordered=True, timeout=timeout), asked=1)
    assert sorted(stop_timeout(error).left) == sorted(players)
    assert now() <= 1 + 1.1 * timeout + 1e-6


@abandons
async def test_an_order_that_is_cut_off_from_outside_is_cut_off_at_once() -> None:
    """There is no time for turns then: all are cancelled together."""
    players = crew(3, hangs())
    task = start(Conductor(players, ordered=True))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert [when(player, "cancelled") for player in players.values()] == [[1]] * 3


async def test_an_order_has_less_time_when_it_is_told_so_later() -> None:
    """A shorter time shortens the turn that is on, and those that follow."""
    players = crew(3, hangs())
    ctx = Context()
    loop = asyncio.get_running_loop()
    loop.call_later(1, ctx.cancel)
    loop.call_later(2, lambda: ctx.cancel(within=0.3))
    error = await play(Conductor(players, ordered=True, timeout=30), ctx=ctx)
    assert sorted(stop_timeout(error).left) == sorted(players)
    assert now() <= 2.34


# After a stop timeout


@abandons
async def test_an_abandoned_run_is_not_started_a_second_time() -> None:
    """Played again while an old run goes on, the player fails at once and says where that is."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    good = FakePlayer()
    conductor = Conductor({"deaf": deaf, "good": good}, timeout=1)
    assert stop_timeout(await failure(conductor, asked=1)).abandoned == ("deaf",)
    error = await failure(conductor)
    assert type(error.failures["deaf"]) is OrchestraError
    assert "_fake_player.py" in str(error.failures["deaf"])
    assert (deaf.runs, deaf.playing, good.playing) == (1, 1, 0)


@abandons
async def test_a_stop_before_the_refusal_is_clean() -> None:
    """Asked to stop in the moment in which it would refuse a second copy, it has nothing to say."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    conductor = Conductor({"deaf": deaf, "good": FakePlayer()}, timeout=1)
    await failure(conductor, asked=1)
    for cut_off in (False, True):
        playing = await show(conductor)
        if cut_off:
            playing.task.cancel()
            await asyncio.wait([playing.task])
            assert playing.task.cancelled()
        else:
            assert await playing.end() is None
    assert deaf.runs == 1


@abandons
async def test_an_abandoned_run_of_an_inner_player_is_not_started_a_second_time() -> None:
    """It holds at any depth: the whole tree may be played again, and no run goes on twice."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    conductor = nest(3, deaf, timeout=1)
    assert stop_timeout(await failure(conductor, asked=1)).abandoned == ("g.g.leaf",)
    error = await failure(conductor)
    assert type(error.failures["g.g.leaf"]) is OrchestraError
    assert deaf.playing == 1


async def test_a_conductor_plays_again_when_the_abandoned_run_has_ended() -> None:
    """Once the old run is over, nothing stands in the way of a new one."""
    player = FakePlayer(ignores_cancellation(for_=5), ends(after=1))
    conductor = Conductor({"a": player}, timeout=1)
    await failure(conductor, asked=1)
    await asyncio.sleep(10)
    assert player.playing == 0
    assert await play(conductor) is None
    assert player.runs == 2


@abandons
async def test_a_removed_player_that_plays_on_is_not_started_a_second_time() -> None:
    """Added again while its old run goes on, the same player fails at once."""
    deaf = FakePlayer(ignores_cancellation(for_=60))
    playing = await show(Conductor({"a": deaf, "b": FakePlayer()}, timeout=1), after=1)
    with pytest.raises(StopTimeoutError):
        await playing.conductor.remove("a")
    playing.conductor.add("a", deaf)
    await asyncio.wait([playing.task])
    error = playing.task.exception()
    assert isinstance(error, ConductorError)
    assert type(error.failures["a"]) is OrchestraError
    assert deaf.playing == 1


@abandons
async def test_another_player_takes_the_place_of_one_that_plays_on() -> None:
    """A new player may have the name of a removed one, whatever that one is still up to."""
    deaf, new = FakePlayer(ignores_cancellation(for_=60)), FakePlayer()
    playing = await show(Conductor({"a": deaf, "b": FakePlayer()}, timeout=1), after=1)
    with pytest.raises(StopTimeoutError):
        await playing.conductor.remove("a")
    playing.conductor.add("a", new)
    await asyncio.sleep(1)
    assert new.playing == 1
    await playing.end()


async def test_nothing_is_logged_of_a_clean_stop_but_changes_of_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stop that goes well has no line that is an error."""
    caplog.set_level(logging.INFO, "orchestra")
    assert await play(nest(3, FakePlayer()), asked=1) is None
    assert {record.levelname for record in caplog.records} == {"INFO"}
