"""A tree that is served, and clients that look at it over the Unix socket and over TCP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from orchestra import Conductor, Performance, StatusPlayer, playing

JSON = {"content-type": "application/json"}


class Served:
    """A served tree: `unix` and `tcp` are clients; that of TCP sends the token."""

    def __init__(self, status: StatusPlayer, performance: Performance, uds: str) -> None:
        self.status, self.performance, self.uds = status, performance, uds
        base, _, fragment = (status.url or "http://none/#token=").partition("/#")
        self.base, self.token = base, fragment.removeprefix("token=")

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    async def open(self, stack: AsyncExitStack) -> None:
        transport = httpx.AsyncHTTPTransport(uds=self.uds, verify=False)
        unix = httpx.AsyncClient(transport=transport, base_url="http://program")
        bearer = {"authorization": f"Bearer {self.token}"}
        tcp = httpx.AsyncClient(base_url=self.base, headers=bearer, verify=False)
        self.unix, self.tcp = await stack.enter_async_context(unix), tcp
        await stack.enter_async_context(tcp)

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.unix.get(path, params=query or None)).json()

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.unix.post(path, json=body)

    async def raw(self, data: bytes, *, unix: bool = False) -> bytes:
        """What is answered to these bytes, to the end of the connection."""
        reader, writer = await self.connect(unix=unix)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            await close(writer)

    async def connect(
        self, *, unix: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if unix:
            return await asyncio.open_unix_connection(self.uds)
        return await asyncio.open_connection("127.0.0.1", self.port)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass


@asynccontextmanager
async def served(
    uds: str, players: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Served]:
    """Play these players, served at this socket and at a port."""
    terms = {name: options.pop(name) for name in ("after", "ordered", "timeout") if name in options}
    status = StatusPlayer(port=0, uds=uds, name="shop", **options)
    conductor = Conductor({"status": status, **(players or {})}, stop_when="never", **terms)
    async with playing(conductor) as performance, AsyncExitStack() as stack:
        found = Served(status, performance, uds)
        await found.open(stack)
        yield found


class Events:
    """The events of a stream, one after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any], str | None]:
        """The next one: its name, its data, and its id."""
        name, data, number = "", "", None
        async for line in self._lines:
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = value
            elif key == "id":
                number = value
            elif not line and name:
                return name, json.loads(data), number
        raise EOFError

    async def until(self, wanted: Any) -> dict[str, Any]:
        """The data of the first that is so."""
        while True:
            name, data, _ = await self.next()
            if wanted(name, data):
                return data
