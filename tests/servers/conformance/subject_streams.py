"""Asyncio's own server, with a client-connected callback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest
from script import Script
from server_kit import where
from subject import Ask, Subject, closing_asyncio_servers


class Streams(Subject):
    """Asked by a line, answered by a line."""

    name = "asyncio"
    half_sent = (b"", b"hel")
    lacks: ClassVar[dict[str, str]] = {
        "clients": "it does not speak HTTP/1.1",
        "failing start": "a function has no start and no end",
        "hanging start": "a function has no start and no end",
        "lifespan": "a function has no start and no end",
        "websockets": "it is bare streams",
        "event streams": "it is bare streams",
        "access log": "asyncio logs no requests",
    }

    def app(self, script: Script) -> Any:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while (line := await reader.readline()).endswith(b"\n"):
                answer = await script.answer(line.decode().strip())
                writer.write(answer.encode() + b"\n")
                await writer.drain()
            writer.close()

        return handler

    @asynccontextmanager
    async def talk(self, address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Ask]:
        place = where(address)
        if isinstance(place, str):
            reader, writer = await asyncio.open_unix_connection(place)
        else:
            reader, writer = await asyncio.open_connection(*place, ssl=tls)

        async def ask(what: str) -> str:
            writer.write(what.encode() + b"\n")
            return (await reader.readuntil()).decode().strip()

        try:
            yield ask
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        return closing_asyncio_servers(monkeypatch)
