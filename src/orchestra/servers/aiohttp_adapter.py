"""Applications of aiohttp on its `AppRunner`.

Aiohttp's server and its connections are used as they are; the stop is done here. `AppRunner.cleanup`
lets requests take twice the time that it is given, drops the rest of a body that is being sent, forgets
handlers whose client has gone, and leaves websockets to the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from socket import socket
from typing import Any

from ..log import report
from .adapter import Options, Work
from .aiohttp_life import ApplicationLife
from .aiohttp_requests import Requests
from .asyncio_servers import AsyncioServers
from .contained import all_done
from .patience import LINGER, Patience, until


class AiohttpAdapter:
    """One run of an aiohttp application, or of one made by a function; see `Adapter`.

    On a stop, after `on_shutdown`, websockets that are still open are closed with 1001, "going away".
    Answers of the type `text/event-stream` that do not end by themselves in half a second are brought to
    a proper end: their handlers are cancelled. `on_cleanup` comes when no request is left.
    """

    def __init__(self, app: Any, options: Options) -> None:
        log: dict[str, Any] = {} if options.access_log else {"access_log": None}
        self._requests = Requests()
        self._life = ApplicationLife(app, **log)
        self._options = options
        self._servers = AsyncioServers()
        self._aborted = False
        self._cut_short = False  # in its abort, which is then called once more

    async def start(self, sockets: Sequence[socket]) -> None:
        """Start the application, then accept connections."""
        self._servers.hold(sockets)
        server = await self._life.start()
        self._requests.watch(server)
        await self._servers.open(server, self._options.tls)

    async def wait(self) -> None:
        """Until the application fails, or the server has been closed."""
        closed = asyncio.ensure_future(self._servers.wait())
        life = self._life.task
        try:
            if life is not None:
                await asyncio.wait({life, closed}, return_when=asyncio.FIRST_COMPLETED)
            self._life.raise_failure()
        finally:
            closed.cancel()

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        self._requests.draining = True
        await self._servers.stop_listening()
        self._life.shut_down()
        patience, linger = Patience(timeout), Patience(timeout, LINGER)

        def look() -> bool:
            if self._life.has_shut_down:
                # Only then, since it may have a goodbye of its own.
                self._requests.end_streams(patience)
            return self._requests.see_off(patience, linger) and self._life.has_shut_down

        if not await until(look, deadline):
            return False
        return await self._life.clean_up(max(0.0, deadline - asyncio.get_running_loop().time()))

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._aborted:
            return
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            self._cut()
            await all_done(self._requests.tasks(), deadline - timeout / 2)
            self._cut()
            await self._end_life(deadline)
            self._aborted = True
        except asyncio.CancelledError:
            if self._cut_short:
                self._life.cancel()
            self._cut_short = True
            raise
        finally:
            self._cut()

    def work(self) -> Work:
        """The requests in flight, and the application's start or end."""
        return Work(tuple(self._requests.where()), self._life.where())

    def _cut(self) -> None:
        self._servers.close()
        self._requests.cut()
        self._servers.abort_clients()

    async def _end_life(self, deadline: float) -> None:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            await self._life.clean_up(left / 2)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            report("the application failed in its end, after a stop that was cut off", error)
        finally:
            await self._life.abort(left / 2)
