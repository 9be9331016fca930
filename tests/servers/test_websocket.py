"""Websockets on a server that stops."""

import asyncio
from typing import Any

import pytest
from server_kit import SOON, App, address, served, taking_less_than
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from orchestra import Performance, StopTimeoutError, playing

pytestmark = pytest.mark.real_time


def connected(performance: Performance) -> connect:
    """A client's connection."""
    return connect(address(performance).replace("http", "ws", 1))


async def test_a_websocket_gets_a_proper_close() -> None:
    """On a stop the client hears that the service restarts, and the handler that it is over."""
    script = App()
    async with playing(served(script)) as performance, connected(performance) as socket:
        await socket.send("echo")
        assert await socket.recv() == "echo"
        performance.stop()
        with pytest.raises(ConnectionClosedError) as caught, taking_less_than(SOON):
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
    assert script.close_code == 1012


async def test_a_websocket_whose_handler_goes_on_is_cut_off() -> None:
    """A handler that does not end with its connection is counted as a request that was cut off."""
    script, gone = App(), asyncio.Event()

    async def talk(receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        script.entered.set()
        await gone.wait()

    script.talk = talk  # type: ignore[method-assign]
    with pytest.raises(StopTimeoutError) as caught, taking_less_than(SOON):
        player = served(script, shutdown_timeout=0.3)
        async with playing(player) as performance, connected(performance):
            await script.entered.wait()
    (stuck,) = caught.value.stuck.values()
    assert "1 request was cut off" in stuck
    assert "in talk" in stuck
