"""ASGI applications on hypercorn, HTTP/2 included.

Hypercorn's protocols are used as they are; its start and its stop are done here. `serve` would wait
for its clients without a bound on Python 3.12 and newer, whatever its `graceful_timeout` says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from socket import socket
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.logging import Logger

from .adapter import Options, Work
from .contained import Contained, all_done, contained, outcome, turns
from .hypercorn_connections import Connection
from .lifespan import Lifespan
from .patience import LINGER, LONGEST, until
from .requests import Requests
from .sockets import BACKLOG, close_all
from .transports import abort_clients, stop_accepting


class HypercornAdapter:
    """One run of an ASGI application on hypercorn; see `Adapter`."""

    def __init__(self, app: Any, options: Options) -> None:
        self._config = Config()
        self._config.logger_class = _Logger
        self._config.errorlog = logging.getLogger("hypercorn.error")
        self._config.accesslog = None
        if options.access_log:
            self._config.accesslog = logging.getLogger("hypercorn.access")
        self._tls = options.tls
        self._lifespan = Lifespan(app)
        self._requests = Requests(app)
        self._connections: set[Connection] = set()
        self._sockets: Sequence[socket] = ()
        self._servers: list[asyncio.Server] = []
        self._opening: Contained | None = None
        self._over = False
        self._aborted = False

    async def start(self, sockets: Sequence[socket]) -> None:
        """Start the application, then accept connections."""
        self._sockets = sockets
        await self._lifespan.start()
        # In a task of its own, because a cancellation in its midst would leave a server behind that
        # accepts and that nobody knows.
        self._opening = contained(self._open, "hypercorn opens")
        await asyncio.wait({self._opening})
        failure = outcome(self._opening)
        if failure is not None:
            raise failure

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            server = await loop.create_server(
                lambda: Connection(self._serve, self._connections, loop),
                sock=sock,
                backlog=BACKLOG,
                ssl=self._tls,
            )
            self._servers.append(server)

    async def _serve(self, connection: Connection) -> None:
        if self._over:
            # On some loops a TLS handshake can't be aborted, and ends in a connection when its
            # client pleases.
            return

        async def handle(scope: Any, receive: Any, send: Any) -> None:
            connection.requests += 1
            await self._requests.handle(scope, receive, send)

        await TCPServer(
            ASGIWrapper(handle),
            asyncio.get_running_loop(),
            self._config,
            connection.context,
            self._lifespan.state,
            connection.reader,
            connection.writer,
        )

    async def wait(self) -> None:
        """Until the application fails."""
        while True:
            # First, since it may have failed before anybody waited.
            self._lifespan.raise_failure()
            tasks = {self._lifespan.task or asyncio.get_running_loop().create_future()}
            await asyncio.wait(tasks)

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await self._stop_listening()
        patience = min(LONGEST, timeout / 4)
        # From now on, hypercorn tells each client to come back by another connection.
        self._config.keep_alive_max_requests = 0
        self._requests.end_streams()
        self._requests.end_websockets()
        begin = loop.time()

        def look() -> bool:
            passed = loop.time() - begin
            if passed >= patience:
                self._requests.press_streams()
                self._requests.end_unfinished(patience)
            for connection in list(self._connections):
                connection.see_off(patience, lingers=passed < min(LINGER, patience))
            return not self._connections

        if not await until(look, deadline):
            return False
        return await self._lifespan.stop(max(0.0, deadline - loop.time()))

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._aborted:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            stop_accepting(self._sockets)
            self._cut()
            await all_done([task for task in (self._opening,) if task is not None], deadline)
            await self._stop_listening()
            self._cut()
            handlers = self._requests.tasks
            connections = [c.task for c in self._connections if c.task is not None]
            await all_done([*handlers, *connections], deadline - timeout / 2)
            await self._lifespan.cut_short(max(0.0, deadline - loop.time()))
            self._aborted = True
        finally:
            self._close()
            self._cut()

    def work(self) -> Work:
        """The requests in flight, and the application's start or end."""
        untaken = sum(connection.untaken for connection in self._connections)
        waiting = ["in an answer that the client does not take"] * untaken
        return Work((*self._requests.where(), *waiting), self._lifespan.where())

    async def _stop_listening(self) -> None:
        stop_accepting(self._sockets)
        # What has been accepted gets its connection in these turns, and what has been sent is read.
        await turns(3)
        self._close()

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        close_all(self._sockets)

    def _cut(self) -> None:
        self._over = True
        self._requests.cancel()
        for connection in list(self._connections):
            connection.abort()
        for server in self._servers:
            abort_clients(server)


class _Logger(Logger):
    """Hypercorn's, that puts no line about a request together that nobody reads."""

    async def access(self, request: Any, response: Any, request_time: float) -> None:
        if self.access_logger is not None and self.access_logger.isEnabledFor(logging.INFO):
            await super().access(request, response, request_time)
