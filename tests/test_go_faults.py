"""The faults of the Go library that this one takes after: each has a test here that fails on it.

Three of its faults are about servers, and tested with those in `tests/servers/`: a server played twice
listens no more; a hanging request makes the server's stop timeout silently succeed; a server has ten
seconds by default where its conductor has nine. That the second signal is ignored is tested on real
processes in `tests/processes/`.
"""

import asyncio
import logging
from itertools import pairwise, repeat

import pytest

from groups import crew, failure, nest, now, play, show, stop_timeout, when
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    ExponentialBackoff,
    OrchestraError,
    PlayerAbortedError,
    play_until_signal,
)
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

abandons = pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")


async def test_it_does_not_return_on_the_first_error_while_siblings_still_run() -> None:
    """`play` raises when the last sibling has stopped, not when the first player has failed."""
    siblings = crew(3, slow_stop(4))
    error = await failure(
        Conductor({"bad": FakePlayer(fails(OSError("bad"), after=1)), **siblings})
    )
    assert list(error.failures) == ["bad"]
    assert [sibling.playing for sibling in siblings.values()] == [0, 0, 0]
    assert now() == 5


async def test_an_error_raised_during_the_stop_is_not_lost() -> None:
    """Neither after a failure nor after a stop that was asked for."""
    late = OSError("late")
    error = await failure(
        Conductor({"bad": FakePlayer(fails(after=1)), "late": FakePlayer(fails_stopping(late))})
    )
    assert error.failures["late"] is late
    error = await failure(Conductor({"late": FakePlayer(fails_stopping(late))}), asked=1)
    assert error.failures["late"] is late


async def test_an_inner_timeout_is_not_swallowed() -> None:
    """The outer group fails with it, and does not end before the leaf has."""
    leaf = FakePlayer(hangs())
    inner = Conductor({"leaf": leaf}, timeout=1)
    error = await failure(Conductor({"g": Conductor({"h": inner}, timeout=5)}, timeout=9), asked=1)
    assert stop_timeout(error).left == ("g.h.leaf",)
    assert leaf.playing == 0


async def test_left_names_the_leaves() -> None:
    """Full paths, down to the players that are stuck, none of them empty."""
    stuck = {"x": FakePlayer(hangs()), "y": FakePlayer(hangs()), "good": FakePlayer()}
    conductor = Conductor({"g": Conductor({"h": Conductor(stuck)}), "z": FakePlayer(hangs())})
    found = stop_timeout(await failure(conductor, asked=1))
    assert sorted(found.left) == ["g.h.x", "g.h.y", "z"]
    assert all(found.stuck[path] for path in found.left)


async def test_a_foreign_cancellation_is_no_silent_death() -> None:
    """A player that lets out a cancellation that nobody asked it for has failed."""

    async def player(ctx: Context) -> None:
        task = asyncio.ensure_future(asyncio.sleep(1000))
        asyncio.get_running_loop().call_later(1, task.cancel)
        await task

    other = FakePlayer()
    error = await failure(Conductor({"a": player, "b": other}))
    assert type(error.failures["a"]) is PlayerAbortedError
    assert other.asked == 1


async def test_self_nesting_starts_nobody_twice() -> None:
    """A conductor that is met again while it starts, at any depth, is skipped."""
    player = FakePlayer(ends(after=5))
    conductor = Conductor({"a": player})
    conductor.add("me", conductor)
    conductor.add("g", Conductor({"me": conductor, "again": Conductor({"me": conductor})}))
    assert await play(conductor) is None
    assert (player.runs, now()) == (1, 5)


@abandons
async def test_a_second_play_after_a_stop_timeout_neither_skips_nor_doubles() -> None:
    """All that can play again do; whose old run goes on fails, and has no second copy."""
    deaf, good = FakePlayer(ignores_cancellation(for_=30)), FakePlayer()
    conductor = Conductor({"deaf": deaf, "good": good}, timeout=1)
    assert stop_timeout(await failure(conductor, asked=1)).left == ("deaf",)
    error = await failure(conductor)
    assert type(error.failures["deaf"]) is OrchestraError
    assert (deaf.runs, deaf.playing) == (1, 1)
    await asyncio.sleep(60)
    playing = await show(conductor, after=1)
    assert (deaf.playing, good.playing) == (1, 1)
    assert isinstance(await playing.end(), ConductorError)


async def test_a_backoff_resets_and_does_not_give_up_after_quarter_of_an_hour() -> None:
    """A player that fails now and then does so for days, with short delays each time."""
    player = FakePlayer(fails(after=1800), backoff=ExponentialBackoff(1, jitter=0))
    playing = await show(Conductor({"a": player}), after=3 * 24 * 3600)
    assert player.playing == 1
    starts = when(player, "started")
    assert {round(later - sooner) for sooner, later in pairwise(starts)} == {1801}
    assert await playing.end() is None


async def test_a_player_that_fails_for_hours_is_not_given_up() -> None:
    """A backoff without a limit has none: not by count, not by time."""
    player = FakePlayer(fails(), backoff=ExponentialBackoff())
    playing = await show(Conductor({"a": player}), after=6 * 3600)
    assert player.runs > 250
    assert await playing.end() is None


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), RecursionError(), SystemExit(1), MemoryError()]
)
async def test_a_panic_takes_nobody_down(error: BaseException) -> None:
    """Whatever a player raises is its own failure: the others are stopped gracefully."""
    other = FakePlayer(slow_stop(1))
    raised = await failure(Conductor({"a": FakePlayer(fails(error, after=1)), "b": other}))
    assert list(raised.failures) == ["a"]
    assert (other.asked, other.cancelled, other.ended) == (1, 0, 1)


async def test_log_lines_of_nested_groups_can_be_told_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each has the full path of its player, in its text and as an attribute."""
    caplog.set_level(logging.INFO, "orchestra")
    conductor = Conductor(
        {"g": Conductor({"worker": FakePlayer()}), "h": Conductor({"worker": FakePlayer()})}
    )
    assert await play(conductor, asked=1) is None
    lines = {record.getMessage(): getattr(record, "path", "") for record in caplog.records}
    assert lines["g.worker: started"] == "g.worker"
    assert lines["h.worker: started"] == "h.worker"
    assert all(line.startswith(f"{path}: ") for line, path in lines.items())


async def test_a_bare_player_with_a_backoff_played_until_a_signal_comes_back() -> None:
    """An entry point supervises its root: nobody has to wrap it in a conductor for that."""
    player = FakePlayer(
        fails(OSError("x"), after=1), fails(OSError("x"), after=1), plays(), backoff=repeat(2)
    )
    ctx = Context()
    asyncio.get_running_loop().call_later(20, ctx.cancel)
    await play_until_signal(player, ctx=ctx)
    assert when(player, "started") == [0, 3, 6]
    assert (player.asked, now()) == (1, 20)


async def test_a_stop_timeout_of_a_deep_leaf_is_told_at_every_depth() -> None:
    """No level in between turns it into a success."""
    for levels in (1, 2, 3, 4):
        found = stop_timeout(await failure(nest(levels, FakePlayer(hangs()), timeout=2), asked=1))
        assert found.left == ("g." * (levels - 1) + "leaf",)
