"""What is particular to handlers of websockets."""

import asyncio
import functools
import logging
from typing import Any

import pytest
from server_kit import (
    SOON,
    Play,
    connected,
    host_and_port,
    refuses,
    serving,
    taking_less_than,
    until,
)
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus

pytestmark = pytest.mark.real_time


class Echo:
    """A handler that gives messages back, and notes what becomes of it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, websocket: ServerConnection) -> None:
        async for message in websocket:
            if message == "slow":
                self.entered.set()
                await self.gate.wait()
            await websocket.send(message)
            self.log.append(str(message))
        self.log.append("over")


async def test_what_was_received_is_answered_before_the_goodbye() -> None:
    """A handler at work answers its client first, then the client hears that the server goes away."""
    echo = Echo()
    async with Play(echo) as play, connect(play.url) as websocket:
        await websocket.send("slow")
        await websocket.send("queued")
        await echo.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        echo.gate.set()
        assert await websocket.recv() == "slow"
        assert await websocket.recv() == "queued"
        with pytest.raises(ConnectionClosedOK) as caught:
            await websocket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        with taking_less_than(SOON):
            await play.task
    assert echo.log == ["slow", "queued", "over"]


async def test_handlers_that_only_send_or_wait_are_told_at_once() -> None:
    """Nobody waits for an answer there."""
    log = []

    async def ticks(websocket: ServerConnection) -> None:
        await websocket.recv()
        try:
            while True:
                await websocket.send("tick")
                await asyncio.sleep(0.01)
        except ConnectionClosedOK:
            log.append("ticked")

    async def waits(websocket: ServerConnection) -> None:
        await websocket.wait_closed()
        log.append("waited")

    async with Play(ticks) as play, connect(play.url) as websocket:
        await websocket.send("subscribe")
        assert await websocket.recv() == "tick"
        with taking_less_than(SOON):
            await play.stop()
    async with Play(waits) as play, connect(play.url):
        with taking_less_than(SOON):
            await play.stop()
    assert log == ["ticked", "waited"]


async def test_a_handler_that_never_answers_hears_of_the_stop_in_time() -> None:
    """At half of the time the client is told goodbye, and the handler ends with its connection."""
    entered = asyncio.Event()

    async def handler(websocket: ServerConnection) -> None:
        await websocket.recv()
        entered.set()
        await websocket.wait_closed()

    async with Play(handler, shutdown_timeout=1) as play, connect(play.url) as websocket:
        await websocket.send("for later")
        await entered.wait()
        with taking_less_than(SOON):
            await play.stop()
        with pytest.raises(ConnectionClosedOK):
            await websocket.recv()


async def test_a_silent_client_does_not_hold_the_stop() -> None:
    """One that does not answer the goodbye is let go."""
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with Play(Echo()) as play, connected(play.url) as (reader, writer):
        writer.write(upgrade)
        await reader.readuntil(b"\r\n\r\n")
        with taking_less_than(SOON):
            await play.stop()


async def test_the_options_of_serve() -> None:
    """What `functools.partial(serve, handler, ...)` binds is what it serves with."""

    class Connection(ServerConnection):
        pass

    made = []

    async def handler(websocket: ServerConnection) -> None:
        made.append(websocket)
        await websocket.send(str(websocket.subprotocol))

    app = functools.partial(serve, handler, subprotocols=["chat"], create_connection=Connection)
    async with serving(app) as url, connect(url, subprotocols=["chat"]) as websocket:  # type: ignore[list-item]
        assert await websocket.recv() == "chat"
    assert isinstance(made[0], Connection)


async def test_a_map_of_routes() -> None:
    """What `functools.partial(route, url_map)` binds is served, and a handler there may not exit."""
    routing = pytest.importorskip("werkzeug.routing")
    from websockets.asyncio.router import route

    async def greet(websocket: ServerConnection, name: str) -> None:
        if name == "exit":
            raise SystemExit(3)
        await websocket.send(f"hello {name}")

    app = functools.partial(route, routing.Map([routing.Rule("/greet/<name>", endpoint=greet)]))
    async with serving(app) as url:
        async with connect(url + "/greet/exit") as websocket:
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
        async with connect(url + "/greet/world") as websocket:
            assert await websocket.recv() == "hello world"
        with pytest.raises(InvalidStatus, match="404"):
            async with connect(url + "/nowhere"):
                pass


@pytest.mark.parametrize("access_log", [True, False])
async def test_connections_are_logged_unless_they_shall_not(
    caplog: pytest.LogCaptureFixture, access_log: bool
) -> None:
    """The library's logger hears of each connection; of a failing handler in any case."""

    async def fail(websocket: ServerConnection) -> None:
        raise RuntimeError("the handler failed")

    with caplog.at_level(logging.INFO, "websockets.server"):
        async with serving(fail, access_log=access_log) as url, connect(url) as websocket:
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
    messages = [one.getMessage() for one in caplog.records if one.name == "websockets.server"]
    assert ("connection closed" in messages) is access_log
    assert "connection handler failed" in messages


async def test_what_is_no_request_for_a_websocket() -> None:
    """A `process_request` may answer plain requests, as for a load balancer's health check."""

    def health(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(200, "fine\n") if request.path == "/health" else None

    async with serving(functools.partial(serve, Echo(), process_request=health)) as url:
        reader, writer = await asyncio.open_connection(*host_and_port(url))
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"fine\n")
        writer.close()
        await writer.wait_closed()


def test_on_uvloop() -> None:
    """It serves and stops the same way on uvloop."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        echo = Echo()
        async with Play(echo) as play, connect(play.url) as websocket:
            await play.conductor.restart("api")
            with pytest.raises(ConnectionClosedOK):
                await websocket.recv()
            async with connect(play.url) as websocket:
                await websocket.send("slow")
                await echo.entered.wait()
                play.ctx.cancel()
                await until(lambda: refuses(play.url))
                echo.gate.set()
                assert await websocket.recv() == "slow"
        echo = Echo()
        async with Play(echo, shutdown_timeout=0.2) as play, connect(play.url) as websocket:
            await websocket.send("slow")
            await echo.entered.wait()
            error = await play.fails_to_stop()
            assert error.stuck["api"].startswith("1 request was cut off")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
