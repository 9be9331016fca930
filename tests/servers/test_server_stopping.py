"""How a server stops: gracefully while there is time, and in time whatever its clients do."""

import asyncio
import contextlib
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
    serving,
    taking_less_than,
    until,
)

pytestmark = pytest.mark.real_time


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
