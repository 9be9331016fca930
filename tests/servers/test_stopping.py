"""How a server stops: gracefully while there is time, and in time whatever its clients do."""

import asyncio
import contextlib
import logging
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx
import pytest
from server_kit import (
    App,
    address,
    connected,
    get,
    host_and_port,
    refuses,
    served,
    serving,
    taking_less_than,
    until,
)
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from orchestra import Conductor, ConductorError, Context, StopTimeoutError, playing

pytestmark = pytest.mark.real_time

# Far above what a stop takes that waits for nobody, and far below the time that it has.
SOON = 6


class Play:
    """A server that plays in a conductor, which the test asks to stop."""

    def __init__(self, app: Any, timeout: float = 20, **kwargs: Any) -> None:
        self.player = served(app, **kwargs)
        self.conductor = Conductor({"api": self.player}, timeout=timeout)
        self.ctx = Context()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.conductor.play(self.ctx))
        await until(lambda: self.task.done() or self.conductor.status().players["api"].ready)
        self.url = str(self.conductor.status().players["api"].details["addresses"][0])  # type: ignore[index]
        return self

    async def __aexit__(self, *args: object) -> None:
        self.ctx.cancel()
        await asyncio.wait([self.task])
        if args[0] is None:
            await self.task

    async def stop(self) -> None:
        self.ctx.cancel()
        await self.task

    async def fails_to_stop(self) -> StopTimeoutError:
        self.ctx.cancel()
        with pytest.raises(ConductorError) as caught:
            await self.task
        self.task = asyncio.create_task(asyncio.sleep(0))
        (error,) = caught.value.exceptions
        assert isinstance(error, StopTimeoutError)
        assert error.left == ("api",)
        return error


async def test_a_request_in_flight_finishes() -> None:
    """A request that is in its handler when the stop comes is answered in full."""
    script = App()
    async with Play(script) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await script.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        assert not play.task.done()
        script.gate.set()
        assert await request == "slow"
        await play.task
    assert script.log == ["starting", "started", "ending", "ended"]


async def test_listening_ends_first() -> None:
    """New connections are refused while requests in flight still finish."""
    script = App()
    async with Play(script) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await script.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        assert script.log == ["starting", "started"]
        script.gate.set()
        await request


async def test_a_client_is_told_not_to_use_the_connection_again() -> None:
    """The answer to a request in flight says that the connection closes."""
    script = App()
    async with Play(script) as play, httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(play.url + "/slow"))
        await script.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        await asyncio.sleep(0.05)
        script.gate.set()
        assert (await request).headers["connection"] == "close"


async def test_idle_connections_are_closed() -> None:
    """Connections kept alive by clients that have nothing to ask do not hold the stop."""
    async with Play(App()) as play, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx.AsyncClient()) for _ in range(20)]
        for client in clients:
            assert (await client.get(play.url)).text == "hello"
        with taking_less_than(SOON):
            await play.stop()


async def test_a_connection_that_never_asks_does_not_hold_the_stop() -> None:
    """A client that connects and sends nothing is let go."""
    async with Play(App()) as play, connected(play.url) as (reader, _):
        await asyncio.sleep(0.05)
        with taking_less_than(SOON):
            await play.stop()
        assert await reader.read() == b""


@pytest.mark.parametrize(
    "half", [b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n", b"nonsense"], ids=["line", "head", "nonsense"]
)
async def test_a_half_sent_request_does_not_hold_the_stop(half: bytes) -> None:
    """A client that does not finish the head of its request is let go."""
    async with Play(App()) as play, connected(play.url) as (_, writer):
        writer.write(half)
        await asyncio.sleep(0.05)
        with taking_less_than(SOON):
            await play.stop()


async def test_a_half_sent_body_does_not_hold_the_stop() -> None:
    """A client that is silent in the middle of the body of its request is let go."""
    script = App()
    async with Play(script) as play, connected(play.url) as (_, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await script.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert "disconnected" in script.log


async def test_a_body_that_is_being_sent_may_be_finished() -> None:
    """An upload goes on during the stop for as long as its client keeps sending."""
    script = App()
    async with Play(script) as play, connected(play.url) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        await script.entered.wait()
        play.ctx.cancel()
        for _ in range(10):
            await asyncio.sleep(0.12)  # less than the silence that is suffered, more in the sum
            writer.write(b"x" * 10)
        assert (await reader.read()).endswith(b"100")


async def test_a_request_on_its_way_is_served() -> None:
    """A request that reaches the server together with the order to stop is answered."""
    async with Play(App()) as play, connected(play.url) as (reader, writer):
        await asyncio.sleep(0.05)
        play.ctx.cancel()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")


async def test_a_client_that_takes_its_time_gets_its_answer() -> None:
    """An answer that has been given is sent to its end before the stop is over."""
    script = App()
    async with Play(script) as play, connected(play.url) as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await script.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        await asyncio.sleep(0.8)
        assert len(await reader.read()) > 20_000_000


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


async def test_what_the_end_of_the_application_raises_is_raised() -> None:
    """A failure in the lifespan's end comes out as the application's own exception."""
    script = App()

    async def fail() -> None:
        raise ConnectionError("could not say goodbye to the database")

    script.on_end = fail
    with pytest.raises(ConnectionError, match="goodbye"):
        async with serving(script):
            pass


async def test_a_lifespan_that_never_returns_ends_with_its_last_message() -> None:
    """An application that goes on waiting for messages after its end is let go."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})

    with taking_less_than(SOON):
        async with serving(app):
            pass


async def test_work_after_the_answer_is_waited_for() -> None:
    """What a handler does after it has answered is done when the stop is over."""
    script, done = App(), []

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        await script.answer(send, "accepted")
        script.entered.set()
        await asyncio.sleep(0.3)
        done.append(True)

    script.slow = handler  # type: ignore[method-assign]
    async with Play(script) as play:
        assert await get(play.url, "/slow") == "accepted"
        await script.entered.wait()
        await play.stop()
        assert done


async def test_a_handler_that_fails_is_the_clients_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception in a handler is answered with 500 and logged, and the server goes on."""
    async with serving(App()) as url:
        async with httpx.AsyncClient() as client:
            assert (await client.get(url + "/fail")).status_code == 500
        assert await get(url) == "hello"
    assert "the handler failed" in caplog.text


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


# Cut off


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


# What a server must not touch


async def test_signals_and_logging_are_left_alone() -> None:
    """While it plays, signal handlers, log handlers and log levels are what they were."""

    def state() -> list[Any]:
        loggers = [logging.getLogger(f"uvicorn{name}") for name in ("", ".error", ".access")]
        return [
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
            logging.getLogger().handlers[:],
            asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None,
        ]

    before = state()
    async with serving(App()) as url:
        await get(url)
        assert state() == before
    assert state() == before


async def test_the_access_log_goes_through_the_standard_loggers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each request is a record of the logger uvicorn.access."""
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        async with serving(App()) as url:
            await get(url, "/")
    (record,) = [one for one in caplog.records if one.name == "uvicorn.access"]
    assert '"GET / HTTP/1.1" 200' in record.getMessage()


async def test_two_servers_in_one_conductor() -> None:
    """A public server and one for the operators play side by side, and stop together."""
    servers = {"public": served(App()), "admin": served(App())}
    async with playing(Conductor(servers, after={"public": ["admin"]})) as performance:
        for name in servers:
            assert await get(address(performance, name)) == "hello"
        urls = [address(performance, name) for name in servers]
    assert all(refuses(url) for url in urls)
    assert host_and_port(urls[0]) != host_and_port(urls[1])
