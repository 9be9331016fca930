"""What stays from one run of a server to the next, and what does not stay after the last."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from server_kit import App, address, get, host_and_port, refuses, served, until

from orchestra import Conductor, ConductorError, Context, PermanentError, playing, restarting

pytestmark = pytest.mark.real_time


def listens(url: str) -> bool:
    """Whether a client can connect, served or not."""
    return not refuses(url)


async def test_a_restart_serves_again_at_the_same_address() -> None:
    """A server that fails and has a backoff comes back, with the port that it had."""
    script = App()
    player = served(script, backoff=repeat(0))
    async with playing(Conductor({"api": player})) as performance:
        url = address(performance, "api")
        for run in range(1, 6):
            assert await get(url) == "hello"
            assert script.starts == run
            script.broken.set()
            await until(lambda run=run: script.starts == run + 1)
        await until(lambda: performance.status().players["api"].ready)
        assert address(performance, "api") == url
    assert refuses(url)


async def test_clients_that_connect_between_two_runs_are_served() -> None:
    """During a backoff a client can connect and send its request, and gets its answer afterwards."""
    script = App()
    player = served(script, backoff=[0.5])
    async with playing(Conductor({"api": player})) as performance:
        url = address(performance, "api")
        script.broken.set()
        await until(lambda: performance.status().players["api"].state == "backing off")
        assert await get(url) == "hello"
        assert script.starts == 2
    assert refuses(url)


async def test_a_restart_by_hand_keeps_listening() -> None:
    """`conductor.restart` stops the server gracefully, and no client is refused meanwhile."""
    script = App()
    conductor = Conductor({"api": served(script)})
    async with playing(conductor) as performance:
        url = address(performance, "api")
        request = asyncio.create_task(get(url, "/slow"))
        await script.entered.wait()
        restart = asyncio.create_task(conductor.restart("api"))
        await until(lambda: performance.status().players["api"].state == "stopping")
        await asyncio.sleep(0.05)
        early = asyncio.create_task(get(url))
        await asyncio.sleep(0.05)
        script.gate.set()
        assert await request == "slow"
        await restart
        assert await early == "hello"
        assert address(performance, "api") == url
    assert script.log.count("ended") == 2
    assert refuses(url)


async def test_restarts_under_load_lose_no_request() -> None:
    """Clients that ask all the time are all answered, whatever number of restarts they live through."""
    script = App()
    conductor = Conductor({"api": served(script)})
    answers: list[str] = []

    async def ask(url: str) -> None:
        while not over:
            answers.append(await get(url))

    over: list[bool] = []
    async with playing(conductor) as performance:
        url = address(performance, "api")
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(ask(url))
            for _ in range(20):
                before = len(answers)
                await conductor.restart("api")
                await until(lambda before=before: len(answers) > before)
            over.append(True)
    assert set(answers) == {"hello"}
    assert script.log.count("ended") == 21


async def test_a_group_that_comes_back_keeps_listening() -> None:
    """When a sibling fails and the group has a backoff, clients wait for the whole group to be back."""
    script, broken = App(), asyncio.Event()

    async def sibling(ctx: Context) -> None:
        async with ctx.interrupt():
            await broken.wait()
            broken.clear()
            raise ConnectionError("broken")

    group = Conductor({"api": served(script), "sibling": sibling}, backoff=[0.5])
    async with playing(Conductor({"group": group})) as performance:
        url = address(performance, "group.api")
        broken.set()
        await until(lambda: performance.status().players["group"].state == "backing off")
        assert await get(url) == "hello"
        assert address(performance, "group.api") == url
    assert refuses(url)


async def fails_for_good(script: App, conductor: Conductor) -> str:
    task = asyncio.create_task(conductor.play(Context()))
    await until(lambda: conductor.status().players["api"].ready)
    url = str(conductor.status().players["api"].details["addresses"][0])  # type: ignore[index]
    script.broken.set()
    with pytest.raises(ConductorError) as caught:
        await task
    assert caught.group_contains(type(script.error))
    return url


@pytest.mark.parametrize(
    ("error", "backoff"),
    [(ConnectionError(), None), (ConnectionError(), ()), (PermanentError(), repeat(0))],
    ids=["no backoff", "empty backoff", "permanent"],
)
async def test_after_a_failure_for_good_nobody_listens(error: Exception, backoff: Any) -> None:
    """When no restart follows a failure, connections are refused."""
    script = App()
    player = served(script, backoff=backoff)
    script.error = error
    assert refuses(await fails_for_good(script, Conductor({"api": player})))


async def test_when_the_backoff_is_used_up_nobody_listens() -> None:
    """After the last restart that the backoff allows, the next failure ends the listening too."""
    script = App()
    player = served(script, backoff=[0.01])
    conductor = Conductor({"api": player})
    task = asyncio.create_task(conductor.play(Context()))
    await until(lambda: conductor.status().players["api"].ready)
    url = str(conductor.status().players["api"].details["addresses"][0])  # type: ignore[index]
    script.broken.set()
    await until(lambda: script.starts == 2 and conductor.status().players["api"].ready)
    script.broken.set()
    with pytest.raises(ConductorError):
        await task
    assert refuses(url)
    assert player._kept == {}


async def test_a_stop_during_the_backoff_ends_the_listening() -> None:
    """Asked to stop while it waits for its next run, a server listens no more."""
    script = App()
    player = served(script, backoff=[3600])
    async with playing(Conductor({"api": player})) as performance:
        url = address(performance, "api")
        script.broken.set()
        await until(lambda: performance.status().players["api"].state == "backing off")
        assert listens(url)
    assert refuses(url)


async def test_a_removed_server_listens_no_more() -> None:
    """Removed from a group that goes on, running or waiting, it lets go of its port."""
    for waiting in (False, True):
        script = App()
        player = served(script, backoff=[3600])
        conductor = Conductor({"api": player}, stop_when="never", backoff=[1])
        async with playing(Conductor({"group": conductor})) as performance:
            url = address(performance, "group.api")
            if waiting:
                script.broken.set()
                await until(
                    lambda: (
                        performance.status().players["group"].players["api"].state == "backing off"
                    )
                )
            await conductor.remove("api")
            assert refuses(url)
        assert player._kept == {}


async def test_a_sibling_that_fails_for_good_ends_the_listening_first() -> None:
    """In a group without a backoff, listening ends as soon as the group stops."""
    script, broken = App(), asyncio.Event()

    async def sibling() -> None:
        await broken.wait()
        raise ConnectionError("broken")

    conductor = Conductor({"api": served(script), "sibling": sibling})
    task = asyncio.create_task(conductor.play(Context()))
    await until(lambda: conductor.status().ready)
    url = str(conductor.status().players["api"].details["addresses"][0])  # type: ignore[index]
    request = asyncio.create_task(get(url, "/slow"))
    await script.entered.wait()
    broken.set()
    await until(lambda: refuses(url))
    script.gate.set()
    assert await request == "slow"
    with pytest.raises(ConductorError):
        await task


async def test_a_server_that_is_made_restarting_keeps_listening() -> None:
    """A backoff given from outside works like one of its own."""
    script = App()
    player = served(script)
    async with playing(Conductor({"api": restarting(player, [0.5])})) as performance:
        url = address(performance, "api")
        script.broken.set()
        await until(lambda: performance.status().players["api"].state == "backing off")
        assert await get(url) == "hello"
    assert refuses(url)


async def test_a_player_that_plays_a_server_itself_gets_one_run() -> None:
    """Called by another player, `play` is one run: nobody listens after it."""
    urls: list[str] = []
    over: list[bool] = []

    async def wrapper(ctx: Context) -> None:
        inner = ctx.child()
        task = asyncio.create_task(player.play(inner))
        performance = ctx.performance
        assert performance is not None
        await until(lambda: performance.status().players["wrapper"].details)
        urls.append(address(performance, "wrapper"))
        assert await get(urls[0]) == "hello"
        inner.cancel()
        await task
        assert refuses(urls[0])
        over.append(True)
        await ctx.wait()

    player = served(App())
    async with playing(Conductor({"wrapper": restarting(wrapper, [1])})):
        await until(lambda: over)


@pytest.fixture
def _no_resource_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("_no_resource_warnings")
async def test_a_listener_that_is_forgotten_is_closed() -> None:
    """Sockets that nobody has closed are closed without a word when they are garbage."""
    player = served(App())
    listener = await player._place.open()
    (url,) = listener.addresses("http")
    assert listens(url)
    del listener
    gc.collect()
    assert refuses(url)


async def test_no_file_descriptor_is_left_by_many_runs() -> None:
    """Each run gives back what it took: the same port can be bound at once after the last."""
    script = App()
    player = served(script, backoff=repeat(0))
    async with playing(Conductor({"api": player})) as performance:
        url = address(performance, "api")
        for run in range(2, 30):
            script.broken.set()
            await until(lambda run=run: script.starts == run)
        await until(lambda: performance.status().players["api"].ready)
    with socket.create_server(host_and_port(url)):
        pass
