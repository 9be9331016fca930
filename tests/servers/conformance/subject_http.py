"""What all subjects that speak HTTP have in common."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import httpx
from script import Script
from server_kit import where
from subject import Ask, Subject
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


class HttpSubject(Subject):
    """Asked by `GET /name` over HTTP/1.1, with keep-alive."""

    cut = (httpx.HTTPError,)
    half_sent: ClassVar[tuple[bytes, ...]] = (b"", b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n")

    @asynccontextmanager
    async def talk(self, address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Ask]:
        place = where(address)
        uds = place if isinstance(place, str) else None
        url = address if uds is None else "http://server"
        # To load the certificates of the world takes longer than all the rest.
        transport = httpx.AsyncHTTPTransport(uds=uds, verify=False if tls is None else tls)

        async with httpx.AsyncClient(transport=transport, timeout=30) as client:

            async def ask(what: str) -> str:
                response = await client.get(f"{url}/{what}")
                response.raise_for_status()
                return response.text

            yield ask

    async def listen(self, address: str, script: Script) -> bool:
        async with httpx.AsyncClient(verify=False, timeout=30) as client:
            try:
                async with client.stream("GET", f"{address}/events") as response:
                    async for line in response.aiter_lines():
                        assert not line or line.startswith("data: ")
            except httpx.HTTPError:
                return False
        return True

    async def websocket(self, address: str, script: Script) -> int | None:
        async with connect(address.replace("http", "ws", 1)) as socket:
            await socket.send("echo")
            assert await socket.recv() == "echo"
            script.entered.set()
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                return None if closed.rcvd is None else closed.rcvd.code
        return None
