"""Websockets, with a handler."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from script import Script
from server_kit import where
from subject import Ask, Subject, closing_asyncio_servers
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake


class Websockets(Subject):
    """Asked by a message, on a websocket."""

    name = "websockets"
    cut = (ConnectionClosed, InvalidHandshake, OSError, EOFError)
    half_sent = (b"", b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n")
    access_logger = "websockets.server"
    lacks: ClassVar[dict[str, str]] = {
        "clients": "it does not speak HTTP/1.1",
        "failing start": "a function has no start and no end",
        "hanging start": "a function has no start and no end",
        "lifespan": "a function has no start and no end",
        "event streams": "there is nothing but websockets",
        "access log": "connections are logged, and not what is said; `access_log=False` switches that off",
    }

    def app(self, script: Script) -> Any:
        async def handler(websocket: ServerConnection) -> None:
            try:
                async for message in websocket:
                    await websocket.send(await script.answer(str(message)))
            finally:
                script.gone.set()

        return handler

    @asynccontextmanager
    async def talk(self, address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Ask]:
        place = where(address)
        # The address of a server that is about to start may come with another scheme.
        url = address.replace("http://", "ws://")
        connection = (
            unix_connect(place, "ws://server") if isinstance(place, str) else connect(url, ssl=tls)
        )
        async with connection as websocket:

            async def ask(what: str) -> str:
                await websocket.send(what)
                return str(await websocket.recv())

            yield ask

    async def websocket(self, address: str, script: Script) -> int | None:
        async with connect(address) as websocket:
            await websocket.send("echo")
            assert await websocket.recv() == "echo"
            script.entered.set()
            try:
                await websocket.recv()
            except ConnectionClosed as closed:
                return None if closed.rcvd is None else closed.rcvd.code
        return None

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        return closing_asyncio_servers(monkeypatch)
