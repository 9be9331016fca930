"""Players that come into a group in an order while it plays, and players that are replaced."""

import asyncio

import pytest

from groups import show, turns, when
from orchestra import Conductor, OrchestraError
from orchestra.testing import FakePlayer, ends, fails, fails_stopping, slow_stop

pytestmark = pytest.mark.virtual_time


async def test_one_that_is_added_after_others() -> None:
    """It starts when those have come as far as it waits for, and keeps them from stopping before it."""
    db, api = FakePlayer(ready_after=3), FakePlayer(slow_stop(2))
    playing = await show(Conductor({"db": db}), after=1)
    playing.conductor.add("api", api, after=["db"])
    await asyncio.sleep(5)
    assert when(api, "started") == [3]
    assert await playing.end() is None
    kinds = [(one.path, type(one).__name__) for one in playing.events]
    assert kinds.index(("api", "Stopped")) < kinds.index(("db", "Stopping"))


@pytest.mark.parametrize("condition", ["started", "ready", "done"])
async def test_conditions_that_hold_already(condition: str) -> None:
    """One that is added need not wait for what has been reached before: what has ended, is done."""
    ended, other, api = FakePlayer(ends()), FakePlayer(), FakePlayer()
    playing = await show(Conductor({"ended": ended, "other": other}), after=1)
    playing.conductor.add("api", api, after={"ended": condition})  # type: ignore[dict-item]
    await turns()
    assert when(api, "started") == [1]
    assert await playing.end() is None


async def test_it_waits_for_what_is_still_to_come() -> None:
    """A player that has neither ended nor been started by hand keeps it waiting."""
    api, late = FakePlayer(), FakePlayer()
    playing = await show(Conductor({"db": FakePlayer(), "idle": FakePlayer()}, idle=["idle"]))
    playing.conductor.add("api", api, after={"db": "done"})
    playing.conductor.add("late", late, after={"idle": "started"})
    await asyncio.sleep(5)
    assert (when(api, "started"), when(late, "started")) == ([], [])
    await playing.conductor.start("idle")
    await turns()
    assert when(late, "started") == [5]
    assert await playing.end() is None


async def test_one_that_is_added_idle() -> None:
    """It is there, and starts when somebody starts it."""
    spare = FakePlayer()
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    playing.conductor.add("spare", spare, idle=True)
    await asyncio.sleep(1)
    assert playing.conductor.status().players["spare"].state == "stopped"
    await playing.conductor.start("spare")
    assert when(spare, "started") == [2]
    assert await playing.end() is None


async def test_an_order_that_makes_no_sense() -> None:
    """It names somebody who is not there, or himself, or waits for the end of the whole group."""
    conductor = Conductor({"db": FakePlayer()})
    with pytest.raises(ValueError, match="Did you mean 'db'"):
        conductor.add("api", FakePlayer(), after=["dbb"])
    with pytest.raises(ValueError, match="circle"):
        conductor.add("api", FakePlayer(), after=["api"])
    with pytest.raises(ValueError, match="can never start"):
        Conductor({"db": FakePlayer()}, stop_when="any").add(
            "api", FakePlayer(), after={"db": "done"}
        )
    assert list(conductor.players) == ["db"]


async def test_a_player_is_replaced() -> None:
    """The old one is stopped, the new one plays under its name, and the order stays."""
    old, new, db = FakePlayer(slow_stop(2)), FakePlayer(ready_after=1), FakePlayer()
    conductor = Conductor({"db": db, "api": old, "end": FakePlayer()}, after={"api": ["db"]})
    playing = await show(conductor, after=1)
    await conductor.replace("api", new)
    assert (when(old, "ended"), when(new, "started"), when(new, "ready")) == ([3], [3], [4])
    assert list(conductor.players) == ["db", "api", "end"]
    assert conductor.players["api"] is new
    assert await playing.end() is None
    kinds = [(one.path, type(one).__name__) for one in playing.events]
    assert kinds.index(("api", "Stopped")) < kinds.index(("db", "Stopping"))


async def test_one_that_has_ended_or_is_idle_is_replaced() -> None:
    """One that has ended is followed by the new one; one that is idle stays idle, as the new one."""
    after_end, spare = FakePlayer(), FakePlayer()
    conductor = Conductor(
        {"ended": FakePlayer(ends()), "idle": FakePlayer(), "z": FakePlayer()}, idle=["idle"]
    )
    playing = await show(conductor, after=1)
    await conductor.replace("ended", after_end)
    await conductor.replace("idle", spare)
    assert (when(after_end, "started"), when(spare, "started")) == ([1], [])
    await conductor.start("idle")
    assert when(spare, "started") == [1]
    assert await playing.end() is None


async def test_what_the_old_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    """What the old one raises as it stops is logged, and the new one plays; its failure is raised."""
    new = FakePlayer()
    playing = await show(Conductor({"a": FakePlayer(fails_stopping(OSError("old")))}), after=1)
    await playing.conductor.replace("a", new)
    assert new.playing == 1
    assert "a: replaced: OSError: old" in caplog.messages
    with pytest.raises(KeyError, match="new"):
        await playing.conductor.replace("a", FakePlayer(fails(KeyError("new")), signals_ready=True))
    assert (await playing.end()) is not None


async def test_who_can_not_be_replaced() -> None:
    """Nobody of an unknown name, by no player, and not while all stop."""
    conductor = Conductor({"a": FakePlayer(slow_stop(3))})
    with pytest.raises(KeyError, match="Did you mean 'a'"):
        await conductor.replace("aa", FakePlayer())
    with pytest.raises(TypeError):
        await conductor.replace("a", 3)  # type: ignore[arg-type]
    new = FakePlayer(slow_stop(3))
    await conductor.replace("a", new)
    playing = await show(conductor, after=1)
    assert new.playing == 1
    playing.ctx.cancel()
    with pytest.raises(OrchestraError, match="stopping"):
        await conductor.replace("a", FakePlayer())
    assert conductor.players["a"] is new
    assert await playing.end() is None
