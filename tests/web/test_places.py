"""Where each task and each thread of a player is right now."""

import asyncio
import contextvars
import threading

import pytest

from groups import show, turns
from orchestra import Conductor, Context, playing, restarting
from orchestra.log import want_path
from orchestra.testing import FakePlayer, ends, fails
from orchestra.web.console.places import Place, places


@pytest.fixture(autouse=True)
def paths_are_wanted() -> None:
    want_path()


def described(place: Place) -> tuple[str, str, str]:
    return place.path, place.what, place.name


async def waits_for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.virtual_time
async def test_each_player_and_each_of_its_tasks_is_somewhere() -> None:
    """Of one player, or of a group and all below it, in the order of the tree."""

    async def worker(ctx: Context) -> None:
        task = asyncio.create_task(waits_for_ever(), name="helper")
        await ctx.wait()
        task.cancel()

    group = Conductor({"worker": worker, "other": FakePlayer()})
    async with playing(Conductor({"group": group, "ended": FakePlayer(ends())})) as performance:
        await turns()
        stray = asyncio.create_task(waits_for_ever(), name="nobody's")
        await turns()
        assert [described(place) for place in places(performance, "group.worker")] == [
            ("group.worker", "player", "worker"),
            ("group.worker", "task", "helper"),
        ]
        player, helper = places(performance, "group.worker")
        assert "in worker: await ctx.wait()" in player.where
        assert "in waits_for_ever: await asyncio.Event().wait()" in helper.where
        assert [described(place)[0] for place in places(performance)] == [
            "",
            "group",
            "group.worker",
            "group.worker",
            "group.other",
        ]
        assert helper.to_dict() == {
            "path": "group.worker",
            "what": "task",
            "name": "helper",
            "where": helper.where,
        }
        stray.cancel()


@pytest.mark.real_time
async def test_threads_that_were_handed_a_players_context_are_its() -> None:
    """Those of a thread player, of `asyncio.to_thread`, and of anyio; others are nobody's."""
    anyio = pytest.importorskip("anyio")
    release = threading.Event()
    begun: list[int] = []

    def work() -> None:
        begun.append(1)
        release.wait()

    async def of_pools(ctx: Context) -> None:
        pools = [asyncio.create_task(asyncio.to_thread(work))]
        pools.append(asyncio.create_task(anyio.to_thread.run_sync(work)))
        await asyncio.wait(pools)
        await ctx.wait()

    plain = threading.Thread(target=work, name="nobody's")
    other = threading.Thread(target=contextvars.Context().run, args=(work,), name="empty")
    for thread in (plain, other):
        thread.start()
    try:
        async with playing(Conductor({"of_pools": of_pools, "thread": work})) as performance:
            while len(begun) < 5:
                await asyncio.sleep(0.001)
            found = places(performance)
            release.set()
    finally:
        release.set()
        for thread in (plain, other):
            thread.join()
    threads = [place for place in found if place.what == "thread"]
    assert sorted(place.path for place in threads) == ["of_pools", "of_pools", "thread"]
    assert all("in work: " in place.where for place in threads)


@pytest.mark.virtual_time
async def test_nobody_is_nowhere() -> None:
    """A path that nobody has is a `KeyError` with the nearest."""
    async with playing(Conductor({"worker": FakePlayer()})) as performance:
        with pytest.raises(KeyError, match="Did you mean 'worker'"):
            places(performance, "wroker")


@pytest.mark.virtual_time
async def test_who_has_no_run_is_between_or_before() -> None:
    """Of a player that backs off, or waits for another, there is no code in which it is."""
    tree = Conductor(
        {
            "flaky": restarting(FakePlayer(fails(OSError())), [60]),
            "slow": FakePlayer(ready_after=60),
            "late": FakePlayer(),
        },
        after={"late": ["slow"]},
    )
    playing = await show(tree, after=1)
    flaky, _, late = places(playing.performance)
    assert (flaky.where, late.where) == ("between two runs", "before its first run")
    await playing.end()


@pytest.mark.virtual_time
async def test_a_tree_without_a_root_has_places_too() -> None:
    """A conductor that is played with a bare context is nobody's player, and has players."""
    playing = await show(Conductor({"a": FakePlayer(), "b": FakePlayer()}), after=1)
    assert [place.path for place in places(playing.performance)] == ["a", "b"]
    assert [place.path for place in places(playing.performance, "b")] == ["b"]
    assert await playing.end() is None
