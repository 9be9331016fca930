"""Steering from far away: a result, or an error with a code."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from groups import show
from orchestra import Conductor, Context, OrchestraError, playing
from orchestra.testing import (
    FakePlayer,
    Take,
    fails_stopping,
    hangs,
    plays,
    slow_stop,
)
from orchestra.web.console.control import CommandError, Control

pytestmark = pytest.mark.virtual_time


async def code(awaitable: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(CommandError) as caught:
        await awaitable
    return caught.value.code, str(caught.value)


async def test_commands_are_done_when_they_have_had_their_effect() -> None:
    """One that has ended, or is ready again."""
    player = FakePlayer(slow_stop(2), ready_after=3)
    async with playing(Conductor({"a": player, "z": FakePlayer()})) as performance:
        control = Control(performance)

        def row() -> tuple[str, int]:
            found = performance.status().players["a"]
            return found.state, found.restarts

        stopped = await control.stop("a")
        assert (stopped.command, stopped.path, stopped.finished) == ("stop", "a", True)
        assert row() == ("stopped", 0)
        await control.start("a")
        assert row() == ("ready", 1)
        await control.restart("a")
        assert row() == ("ready", 2)
        assert player.runs == 3


async def test_a_group_of_copies_is_scaled() -> None:
    """By whatever has a `scale` method; a number that is none is `invalid`."""
    asked: list[int] = []

    class Copies(Conductor):
        async def scale(self, count: int) -> None:
            asked.append(count)

    conductor = Conductor({"copies": Copies(stop_when="never"), "a": FakePlayer()})
    async with playing(conductor) as performance:
        control = Control(performance)
        assert (await control.scale("copies", 4)).finished
        assert asked == [4]
        for wrong in (-1, True, "5", 1.5, None):
            bad: Any = wrong
            assert (await code(control.scale("copies", bad)))[0] == "invalid"
        assert await code(control.scale("a", 2)) == (
            "refused",
            "'a' is no group of copies, it can't be scaled",
        )


@pytest.mark.parametrize("command", ["start", "stop", "restart", "scale"])
async def test_a_path_that_nobody_has_is_unknown(command: str) -> None:
    """The message has the nearest."""
    async with playing(Conductor({"mailer": FakePlayer()})) as performance:
        more = (2,) if command == "scale" else ()
        error = await code(getattr(Control(performance), command)("maler", *more))
        assert error == ("unknown", "no player 'maler'. Did you mean 'mailer'?")


async def test_what_can_not_be_done_is_refused() -> None:
    """Waited for or not, it is told at once."""
    async with playing(Conductor({"a": FakePlayer(slow_stop(5))})) as performance:
        control = Control(performance)
        assert (await code(control.stop("")))[0] == "refused"
        assert (await code(control.stop("", wait=False)))[0] == "refused"
        stopping = asyncio.create_task(control.stop("a"))
        await asyncio.sleep(1)
        assert (await code(control.start("a")))[0] == "refused"
        assert (await code(control.restart("a", wait=False)))[0] == "refused"
        assert (await stopping).finished


async def test_what_the_player_raises_is_its_failure() -> None:
    """Also an `OrchestraError` of its own, and a stop that was not in time."""

    async def refuses(_: Take) -> None:
        raise OrchestraError("mine")

    players = {
        "raises": FakePlayer(fails_stopping(OSError("x"))),
        "refuses": FakePlayer(plays(), refuses),
        "hangs": FakePlayer(hangs()),
    }
    playing = await show(Conductor(players, timeout=5), after=1)
    control = Control(playing.performance)
    assert await code(control.stop("raises")) == ("failed", "OSError: x")
    kind, message = await code(control.stop("hangs"))
    assert (kind, message.partition(":")[0]) == ("failed", "StopTimeoutError")
    await control.stop("refuses")
    assert await code(control.start("refuses")) == ("failed", "OrchestraError: mine")
    assert await playing.end() is not None


async def test_a_command_that_takes_too_long_is_late_and_goes_on() -> None:
    """Whoever asked is told, and the player stops all the same."""
    async with playing(Conductor({"a": FakePlayer(slow_stop(5))})) as performance:
        control = Control(performance)
        error = await code(control.stop("a", timeout=1))
        assert error == ("late", "stop 'a' goes on, after 1 seconds")
        await asyncio.sleep(10)
        assert performance.status().players["a"].state == "stopped"


async def test_a_command_that_nobody_waits_for_is_accepted() -> None:
    """It is not finished then, and goes on; what it raises is in the events."""
    async with playing(
        Conductor({"a": FakePlayer(fails_stopping(OSError("x"))), "z": FakePlayer()})
    ) as performance:
        control = Control(performance)
        done = await control.stop("a", wait=False)
        assert not done.finished
        assert performance.status().players["a"].state == "stopping"
        await asyncio.sleep(1)
        assert performance.status().players["a"].error == "OSError: x"


async def test_one_who_asked_and_went_away_changes_nothing() -> None:
    """As a client that closes its connection: what the player raises is still heard."""
    player = FakePlayer(fails_stopping(OSError("x")), plays())

    async def slow(take: Take) -> None:
        await take.until_asked()
        await asyncio.sleep(5)
        raise OSError("x")

    player = FakePlayer(slow)
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=1)
    asking = asyncio.create_task(Control(playing.performance).stop("a"))
    await asyncio.sleep(1)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.sleep(10)
    assert playing.state("a") == "failed"
    assert await playing.end() is None  # it was no failure of the group


@pytest.mark.parametrize("path", ["status", "inner"])
@pytest.mark.parametrize("command", ["stop", "restart"])
async def test_what_ends_the_asker_itself_is_not_waited_for(command: str, path: str) -> None:
    """Its own player, or a group around it: that would be to wait for itself."""
    results: list[Any] = []

    async def status(ctx: Context) -> None:
        assert ctx.performance is not None
        if not results:
            control = Control(ctx.performance, own=ctx.path)
            target = ctx.path if path == "status" else "inner"
            results.append(await getattr(control, command)(target))
        await ctx.wait()

    inner = Conductor({"status": status})
    playing = await show(Conductor({"inner": inner, "z": FakePlayer()}), after=10)
    (done,) = results
    assert done.finished is False
    state = "stopped" if command == "stop" else "ready"
    assert playing.state("inner.status" if path == "status" else "inner") == state
    assert await playing.end() is None


async def test_all_is_stopped_at_once() -> None:
    """Asked, and not waited for."""
    playing = await show(Conductor({"a": FakePlayer(slow_stop(2))}), after=1)
    done = Control(playing.performance).stop_all("enough")
    assert (done.command, done.finished) == ("stop all", False)
    await asyncio.wait([playing.task])
    assert playing.ctx.reason is None
    assert await playing.end() is None


async def test_a_control_that_is_closed_waits_no_more() -> None:
    """What it has begun is the tree's to end; whoever still waits is told."""
    async with playing(
        Conductor({"a": FakePlayer(slow_stop(5)), "z": FakePlayer()})
    ) as performance:
        control = Control(performance)
        waiting = asyncio.create_task(code(control.stop("a")))
        await asyncio.sleep(1)
        await control.close()
        assert await waiting == ("late", "stop 'a' goes on, and nobody here waits for it")
        await asyncio.sleep(10)
        assert performance.status().players["a"].state == "stopped"


async def test_a_player_that_is_gone_afterwards_is_stopped() -> None:
    """Somebody else may have removed it meanwhile: the command is done all the same."""
    conductor = Conductor({"a": FakePlayer(slow_stop(5)), "z": FakePlayer()})
    async with playing(conductor) as performance:
        stopping = asyncio.create_task(Control(performance).stop("a"))
        await asyncio.sleep(1)
        await conductor.remove("a")
        assert (await stopping).finished


async def test_an_error_of_a_player_that_is_gone_is_its_failure() -> None:
    """What it raised as it was stopped, and was removed at the same time."""

    async def slow(take: Take) -> None:
        await take.until_asked()
        await asyncio.sleep(5)
        raise OrchestraError("mine")

    conductor = Conductor({"a": FakePlayer(slow), "z": FakePlayer()})
    async with playing(conductor) as performance:
        stopping = asyncio.create_task(code(Control(performance).stop("a")))
        await asyncio.sleep(1)
        with pytest.raises(OrchestraError, match="mine"):
            await conductor.remove("a")
        assert await stopping == ("failed", "OrchestraError: mine")
