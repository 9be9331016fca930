"""Server-sent events on a server that stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from server_kit import SOON, App, Play, taking_less_than
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

pytestmark = pytest.mark.real_time

EVENTS = [(b"Content-Type", b"text/event-stream; charset=utf-8")]


class Stream(App):
    """An application whose every answer is a stream."""

    def __init__(self, headers: Any = EVENTS) -> None:
        super().__init__()
        self.headers = headers

    async def hello(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        self.entered.set()
        try:
            await self.go_on(receive, send)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def go_on(self, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()


async def take(url: str) -> str:
    """All of a stream; an exception if it is not complete."""
    async with httpx.AsyncClient(timeout=20) as client:
        return (await client.get(url)).text


async def test_a_handler_that_listens_hears_that_its_client_goes() -> None:
    """It receives http.disconnect, waiting for it or later, and may say something to the end."""

    class Listening(Stream):
        async def go_on(self, receive: Any, send: Any) -> None:
            while (message := await receive())["type"] == "http.request":
                pass
            assert message == await receive() == {"type": "http.disconnect"}
            await send({"type": "http.response.body", "body": b"data: bye\n\n"})

    script = Listening()
    async with Play(script) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert await client == "data: 1\n\ndata: bye\n\n"
    assert script.cancelled == 0


async def test_a_handler_that_does_not_listen_is_cancelled() -> None:
    """It is no request that was cut off: the client gets a complete answer."""
    script = Stream()
    async with Play(script) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert await client == "data: 1\n\n"
    assert script.cancelled == 1


async def test_a_stream_that_begins_during_the_stop_ends_as_well() -> None:
    """A request in flight that turns out to be a stream does not hold the stop either."""

    class Late(Stream):
        async def hello(self, scope: Any, receive: Any, send: Any) -> None:
            self.entered.set()
            await self.gate.wait()
            await super().hello(scope, receive, send)

    script = Late()
    async with Play(script) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        asyncio.get_running_loop().call_later(0.1, script.gate.set)
        with taking_less_than(SOON):
            await play.stop()
    assert await client == "data: 1\n\n"


async def test_a_streaming_response_of_starlette_ends() -> None:
    """Its generator is closed, as when the client goes."""
    entered, log = asyncio.Event(), []

    async def events() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: 1\n\n"
                entered.set()
                await asyncio.sleep(0.01)
        finally:
            log.append("closed")

    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    async with Play(Starlette(routes=[Route("/", endpoint)])) as play:
        client = asyncio.create_task(take(play.url))
        await entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert (await client).startswith("data: 1")
    assert log == ["closed"]


async def test_another_stream_is_waited_for() -> None:
    """A download that takes long is a request in flight like any other."""

    class Download(Stream):
        async def go_on(self, receive: Any, send: Any) -> None:
            await self.gate.wait()
            await send({"type": "http.response.body", "body": b"rest"})

    script = Download(headers=[(b"content-type", b"text/plain")])
    async with Play(script) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        asyncio.get_running_loop().call_later(1, script.gate.set)
        await play.stop()
    assert (await client).endswith("rest")
    assert script.cancelled == 0


@pytest.mark.parametrize("listens", [False, True])
async def test_a_handler_that_will_not_end_is_cut_off(listens: bool) -> None:
    """A stream whose handler ignores all that is counted as cut off."""

    class Stubborn(Stream):
        async def go_on(self, receive: Any, send: Any) -> None:
            while listens and (await receive())["type"] != "http.disconnect":
                pass
            while not self.gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await self.gate.wait()

    script = Stubborn()
    async with Play(script, shutdown_timeout=0.4) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        assert "1 request was cut off" in error.stuck["api"]
        with pytest.raises(httpx.HTTPError):
            await client
    script.gate.set()
    await asyncio.sleep(0.05)


async def test_a_cut_off_reaches_a_handler_that_listens() -> None:
    """Where there is no time, the cancellation is the handler's, and not taken for our word to it."""

    class Listening(Stream):
        async def go_on(self, receive: Any, send: Any) -> None:
            while True:
                await receive()
                await asyncio.sleep(0.001)

    script = Listening()
    async with Play(script, shutdown_timeout=0) as play:
        client = asyncio.create_task(take(play.url))
        await script.entered.wait()
        with taking_less_than(SOON):
            await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await client
    assert script.cancelled == 1
