"""Players in another process, steered by their paths in the tree here."""

import asyncio
import os
import signal

import process_plays as plays
import pytest
from process_kit import pid_of, shown, until

from orchestra import (
    Conductor,
    ConductorError,
    Event,
    OrchestraError,
    ProcessPlayer,
    Started,
    StopTimeoutError,
    replicate,
)
from orchestra.web.console.control import CommandError, Control
from orchestra.web.console.places import all_places

pytestmark = pytest.mark.real_time


async def test_a_player_there_is_stopped_started_and_restarted() -> None:
    """As one here, by its full path; it is done when the call returns, and shows at once."""
    events: list[Event] = []
    async with shown(ProcessPlayer(plays.group()), observers=[events.append]) as performance:
        state = lambda: performance.status().find("group.it.inner.reader").state  # noqa: E731
        pid = pid_of(performance)
        await performance.stop_player("group.it.inner.reader")
        assert state() == "stopped"
        await performance.start("group.it.inner.reader")
        assert state() == "ready"
        await performance.restart("group.it.inner")
        assert state() == "ready"
        assert pid_of(performance) == pid
    runs = [one.path for one in events if isinstance(one, Started) and one.restarts]
    assert runs == ["group.it.inner.reader", "group.it.inner"]


async def test_copies_there_are_scaled() -> None:
    """A group of copies in another process has as many as is said."""
    player = ProcessPlayer(Conductor({"web": replicate(plays.works, 1)}))
    async with shown(player) as performance:
        await performance.scale("group.it.web", 3)
        assert performance.status().find("group.it.web").players.keys() == ["0", "1", "2"]
        await performance.restart("group.it.web.2")


async def test_a_process_in_a_process_is_steered_as_well() -> None:
    """Each process hands on what is for one that it has started."""
    player = ProcessPlayer(Conductor({"deeper": ProcessPlayer(plays.group())}))
    async with shown(player) as performance:
        path = "group.it.deeper.mailer"
        await performance.stop_player(path)
        await until(lambda: performance.status().find(path).state == "stopped")


async def test_what_goes_wrong_there_is_raised_here() -> None:
    """A path that nobody has, what can't be done, and what the player raised while it stopped."""
    player = ProcessPlayer(Conductor({"sour": plays.fails_stopping, "works": plays.works}))
    async with shown(player) as performance:
        with pytest.raises(KeyError, match=r"Did you mean 'group.it.works'?"):
            await performance.restart("group.it.wroks")
        with pytest.raises(OrchestraError, match=r"no group of copies, it can't be scaled"):
            await performance.scale("group.it.works", 2)
        with pytest.raises(ConnectionError, match=r"lost while it stopped"):
            await performance.stop_player("group.it.sour")
        control = Control(performance)
        with pytest.raises(CommandError) as found:
            await control.restart("group.it.wroks")
        assert found.value.code == "unknown"
        with pytest.raises(CommandError) as found:
            await control.scale("group.it.works", 2)
        assert found.value.code == "refused"
        done = await control.restart("group.it.works")
        assert done.finished


async def test_one_whose_process_dies_meanwhile_is_let_go() -> None:
    """Whoever waits for an answer is told that there will be none."""
    player = ProcessPlayer(Conductor({"stuck": plays.ignores_its_stop}), backoff=[60])
    async with shown(player) as performance:
        steering = asyncio.create_task(performance.stop_player("group.it.stuck"))
        stuck = lambda: performance.status().find("group.it.stuck").state  # noqa: E731
        await until(lambda: stuck() == "stopping")
        os.kill(pid_of(performance), signal.SIGKILL)
        with pytest.raises(OrchestraError, match=r"the process that it played in has ended"):
            await steering


async def test_whoever_gives_up_waiting_leaves_it_to_go_on() -> None:
    """A command goes on there when nobody here waits for it any more."""
    player = ProcessPlayer(Conductor({"slow": plays.stops_slowly}))
    async with shown(player) as performance:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await performance.stop_player("group.it.slow")
        await until(lambda: performance.status().find("group.it.slow").state == "stopped")


async def test_a_stop_there_has_its_limit() -> None:
    """One that is cut off there is named, as it is here."""
    player = ProcessPlayer(Conductor({"stuck": plays.ignores_its_stop}, timeout=0.1))
    async with shown(player) as performance:
        with pytest.raises(StopTimeoutError) as found:
            await performance.stop_player("group.it.stuck")
        assert found.value.left == ("group.it.stuck",)


# Where they are


async def test_where_a_player_there_is() -> None:
    """Its await chain is told, alone and as a part of all; also of a process in a process."""
    player = ProcessPlayer(Conductor({"deeper": ProcessPlayer(plays.group()), "own": plays.works}))
    async with shown(player) as performance:
        (own,) = await all_places(performance, "group.it.own")
        assert (own.path, own.what) == ("group.it.own", "player")
        assert "in works: await ctx.wait()" in own.where
        (mailer,) = await all_places(performance, "group.it.deeper.mailer")
        assert "in works: await ctx.wait()" in mailer.where
        found = {
            place.path: place.where
            for place in await all_places(performance)
            if place.what == "player"
        }
        assert list(found)[:5] == [
            "",
            "group",
            "group.it",
            "group.it.deeper",
            "group.it.deeper.mailer",
        ]
        assert found["group.it"].startswith(f"process {pid_of(performance)}\n")
        assert "conductor.py" in found["group.it"]
        with pytest.raises(KeyError, match=r"Did you mean 'group.it.own'?"):
            await all_places(performance, "group.it.onw")


async def test_where_one_is_whose_loop_is_blocked() -> None:
    """A thread beside the loop tells, which is what one wants to know most."""
    player = ProcessPlayer(Conductor({"blocks": plays.blocks_its_loop, "other": plays.works}))
    where = ""
    with pytest.raises(ConductorError) as failure:
        async with shown(player, timeout=0.3) as performance:
            await until(lambda: performance.status().find("group.it.blocks").details)
            while "time.sleep(3600)" not in where:
                (place,) = await all_places(performance, "group.it.blocks")
                where = place.where
    assert "in blocks_its_loop: time.sleep(3600)" in where
    (late,) = failure.value.exceptions
    assert isinstance(late, StopTimeoutError)
