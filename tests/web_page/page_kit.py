"""What the tests of the page share: players that do as they are told, a program with a page, a line to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page

from orchestra import Conductor, Context, StatusPlayer, playing_in_thread

log = logging.getLogger("shop")

SOON = 20_000
"""Milliseconds that the page may take to show something, on the busiest of machines."""


class Actor:
    """A player that does as the test's thread tells it."""

    kind = "coroutine"
    signals_ready = True

    def __init__(
        self, *, backoff: Iterable[float] = (), details: Mapping[str, object] = {}
    ) -> None:
        self._backoff = backoff
        self._details = details
        self.gets_ready = True
        self.starts = 0

    def backoff(self) -> Iterable[float]:
        return self._backoff

    async def play(self, ctx: Context) -> None:
        self.starts += 1
        self._loop, self._todo = asyncio.get_running_loop(), asyncio.Queue[Callable[[], None]]()
        if self.gets_ready:
            ctx.ready(**self._details)
        async with ctx.interrupt():
            while True:
                (await self._todo.get())()

    def say(self, *lines: str, level: int = logging.INFO) -> None:
        """Log these."""

        def write() -> None:
            for line in lines:
                log.log(level, "%s", line)

        self._do(write)

    def fail(self, error: Exception) -> None:
        """Raise this."""

        def raise_it() -> None:
            raise error

        self._do(raise_it)

    def _do(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(self._todo.put_nowait, what)


class Program:
    """These players, and a page over them, in a thread of their own; the rest is a `Conductor`'s."""

    def __init__(
        self,
        players: Mapping[str, Any],
        *,
        name: str = "shop",
        read_only: bool = False,
        **terms: Any,
    ) -> None:
        self.status = StatusPlayer(port=0, uds=False, name=name, read_only=read_only)
        conductor = Conductor({**players, "status": self.status}, timeout=20, **terms)
        self._playing = playing_in_thread(conductor)

    def __enter__(self) -> Self:
        self.performance = self._playing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._playing.__exit__(kind, error, traceback)

    @property
    def url(self) -> str:
        assert self.status.url is not None
        return self.status.url


class Wire:
    """A line to a program that can be cut, and mended again."""

    signals_ready = True

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._playing = playing_in_thread(self)
        self._connections: set[Any] = set()
        self._handlers = 0
        self._silent = False
        self._port = 0

    def __enter__(self) -> Self:
        self._playing.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._playing.__exit__(*error)

    async def play(self, ctx: Context) -> None:
        self._loop = asyncio.get_running_loop()
        await self._listen()
        ctx.ready()
        await ctx.wait()
        await self._close()

    @property
    def url(self) -> str:
        """The address of the page by way of this line."""
        return self._to._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    def cut(self) -> None:
        """Nobody answers any more."""
        self._do(self._close())

    def mend(self) -> None:
        """All is well again."""
        self._do(self._listen())

    def lead_to(self, url: str) -> None:
        """Who connects from now on gets to this program."""
        self._to = urlsplit(url)

    def silence(self) -> None:
        """It is open, and nothing comes."""
        self._silent = True

    def end_silence(self) -> None:
        """What is sent comes again."""
        self._silent = False

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        while self._handlers:
            for transport in list(self._connections):
                transport.abort()
            await asyncio.sleep(0.01)
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._handlers += 1
        ends: list[Any] = [writer.transport]
        try:
            far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
            ends.append(far_writer.transport)
            self._connections.update(ends)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer))
        except OSError:
            pass  # the program has gone
        finally:
            for end in ends:
                end.abort()
            self._connections.difference_update(ends)
            self._handlers -= 1

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._silent:
                    writer.write(data)
                    await writer.drain()
            writer.close()


def row(page: Page, path: str) -> Locator:
    """The row of a player."""
    return page.locator(f'.rows [data-path="{path}"]')


def state(page: Page, path: str) -> Locator:
    """What the row of a player says of its state."""
    return row(page, path).locator(".state")
