"""How a server ends what does not stop by itself."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from server_kit import (
    SOON,
    App,
    Play,
    connected,
    get,
    refuses,
    served,
    taking_less_than,
    until,
)
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from orchestra import ConductorError, Context, StopTimeoutError

pytestmark = pytest.mark.real_time


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """An answer that its client does not take is cut off in time, and is not called served."""
    script = App()
    async with Play(script, shutdown_timeout=0.3) as play, connected(play.url) as (_, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await script.entered.wait()
        error = await play.fails_to_stop()
    assert "1 request was cut off" in error.stuck["api"]
    assert script.log[-1] == "ended"


@pytest.mark.parametrize(("timeout", "shutdown_timeout"), [(20, 0.3), (1, 10), (1, 1)])
async def test_a_request_that_hangs_is_cut_off(timeout: float, shutdown_timeout: float) -> None:
    """It is cancelled within the shutdown_timeout, or what the group has; the error counts and locates it."""
    script = App()
    async with Play(script, timeout=timeout, shutdown_timeout=shutdown_timeout) as play:
        requests = [asyncio.create_task(get(play.url, "/slow")) for _ in range(2)]
        await script.entered.wait()
        await until(lambda: len(work(play)) == 2)
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        for request in requests:
            with pytest.raises(httpx.HTTPError):
                await request
    assert error.abandoned == ()
    assert script.cancelled == 2
    assert script.served == 0
    assert script.log == ["starting", "started", "ending", "ended"]
    # On a machine that is busy enough, the conductor is the one that cuts it off.
    assert re.match("2 requests were (cut off|in progress)", error.stuck["api"])
    assert "in slow: await self.gate.wait()" in error.stuck["api"]
    assert refuses(play.url)


def work(play: Play) -> list[asyncio.Task[Any]]:
    """The tasks that are in the handler for slow requests."""
    return [task for task in asyncio.all_tasks() if "run_asgi" in repr(task.get_coro())]


async def test_a_conductor_without_time_cuts_off_at_once() -> None:
    """With a timeout of 0, requests are cut off, and the conductor says where they were."""
    script = App()
    async with Play(script, timeout=0) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await script.entered.wait()
        play.ctx.cancel()
        with pytest.raises(ConductorError) as caught:
            await play.task
        with pytest.raises(httpx.HTTPError):
            await request
        play.task = asyncio.create_task(asyncio.sleep(0))
    (error,) = caught.value.exceptions
    assert isinstance(error, StopTimeoutError)
    assert error.abandoned == ()
    assert "in slow" in error.stuck["api"]
    assert script.cancelled == 1
    assert refuses(play.url)


async def test_a_handler_that_ignores_its_cancellation_is_abandoned() -> None:
    """It is named as such, and the stop ends all the same."""
    script = App()
    async with Play(script, shutdown_timeout=0.2) as play:
        request = asyncio.create_task(get(play.url, "/stubborn"))
        await script.entered.wait()
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await request
    assert error.abandoned == ("api",)
    script.gate.set()
    await until(lambda: not work(play))


async def test_an_application_whose_end_hangs_is_cut_off() -> None:
    """A lifespan that does not end is told so once, cancelled, and named."""
    script = App()
    script.on_end = script.gate.wait
    async with Play(script, shutdown_timeout=0.2) as play:
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
    assert "lifespan was cut off" in error.stuck["api"]
    assert script.log == ["starting", "started", "ending"]


async def test_handlers_in_threads_are_not_waited_for_longer_than_allowed() -> None:
    """A handler that is blocked in a thread is counted as cut off, and the stop ends in time."""
    entered, gate = asyncio.Event(), [True]
    loop = asyncio.get_running_loop()

    def block(request: Any) -> PlainTextResponse:
        loop.call_soon_threadsafe(entered.set)
        while gate[0]:
            time.sleep(0.01)
        return PlainTextResponse("late")

    app = Starlette(routes=[Route("/", block)])
    async with Play(app, shutdown_timeout=0.2) as play:
        request = asyncio.create_task(get(play.url))
        await entered.wait()
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await request
    assert "1 request was cut off" in error.stuck["api"]
    gate[0] = False


@pytest.mark.parametrize("path", ["/", "/slow", "/stubborn"])
async def test_a_cut_off_leaves_nothing_serving(path: str) -> None:
    """When the task that plays is cancelled, connections are aborted and nobody listens any more."""
    script = App()
    player, ctx = served(script), Context()
    async with playing_by_hand(player, ctx) as (task, url), httpx.AsyncClient() as client:
        await client.get(url)
        request = asyncio.create_task(client.get(url + path))
        await until(lambda: script.entered.is_set() or request.done())
        task.cancel()
        with taking_less_than(SOON), pytest.raises(asyncio.CancelledError):
            await task
        assert refuses(url)
        (outcome,) = await asyncio.gather(request, return_exceptions=True)
        assert path == "/" or isinstance(outcome, httpx.HTTPError)
        with pytest.raises(httpx.HTTPError):
            await client.get(url)
    script.gate.set()
    await asyncio.sleep(0.01)


async def test_a_cut_off_in_the_middle_of_the_start_leaves_nothing() -> None:
    """Cancelled at any step of its start, the player leaves nobody listening and no task behind."""
    with_port = served(App(), port=free_port())
    for steps in range(30):
        task = asyncio.create_task(with_port.play(Context()))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert refuses(f"http://{with_port._place}")
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for _ in range(5):
            await asyncio.sleep(0)
        assert [one for one in others if not one.done()] == []


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def playing_by_hand(
    player: Any, ctx: Context
) -> AsyncIterator[tuple[asyncio.Task[None], str]]:
    """The task of a player that has no supervisor, and its address."""
    player._place = served(App(), port=free_port())._place
    url = f"http://{player._place}"
    task = asyncio.create_task(player.play(ctx))

    async def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return bool(await get(url))
        return False

    async with asyncio.timeout(20):
        while not await answers():
            await asyncio.sleep(0.01)
    yield task, url
    assert task.done()


async def test_without_a_limit_the_shutdown_timeout_is_the_bound() -> None:
    """Played by itself, with no deadline above, it stops within its own shutdown_timeout."""
    script, ctx = App(), Context()
    player = served(script, shutdown_timeout=0.2)
    async with playing_by_hand(player, ctx) as (task, url):
        request = asyncio.create_task(get(url, "/slow"))
        await script.entered.wait()
        ctx.cancel()
        with taking_less_than(SOON), pytest.raises(StopTimeoutError) as caught:
            await task
        assert caught.value.left == ("ServerPlayer",)
        with pytest.raises(httpx.HTTPError):
            await request


@pytest.mark.parametrize("cancellations", [1, 2, 3])
async def test_a_cut_off_that_is_cut_off_leaves_nothing(cancellations: int) -> None:
    """Cancelled again and again while it cuts off, the player still lets go of everything."""
    script, ctx = App(), Context()
    script.on_end = asyncio.Event().wait
    player = served(script, shutdown_timeout=0)
    async with playing_by_hand(player, ctx) as (task, url):
        ctx.cancel()
        await until(lambda: "ending" in script.log)
        for _ in range(cancellations):
            task.cancel()
            await asyncio.sleep(0.01)
        with taking_less_than(SOON), pytest.raises(asyncio.CancelledError):
            await task
        assert refuses(url)
    # That none of its tasks is left is checked after each test.


async def test_a_failing_end_after_a_cut_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the application raises while it ends after requests were cut off is not lost."""
    script = App()

    async def fail() -> None:
        raise ConnectionError("could not say goodbye to the database")

    script.on_end = fail
    async with Play(script, shutdown_timeout=0.1) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await script.entered.wait()
        await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await request
    assert "could not say goodbye" in caplog.text
