"""Handlers of websockets on the library's asyncio server.

Its server and its connections are used as they are; the stop is done here. `Server.close` waits for
handlers without a bound, and ten seconds for a client that does not answer its goodbye.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from socket import socket
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import CloseCode
from websockets.protocol import State

from .. import _stack
from ..errors import OrchestraError
from .adapter import Options, Work
from .apps import binds_serve
from .asyncio_servers import AsyncioServers
from .contained import Contained, all_done, contained
from .patience import Patience, until

Handler = Callable[..., Awaitable[None]]


class WebsocketsAdapter:
    """One run of a websockets handler; see `Adapter`.

    `handler` may be `functools.partial(serve, handler, ...)`, with the options that `serve` takes,
    or `functools.partial(route, url_map, ...)`.

    On a stop clients are told 1001, "going away", as the library does it: what a handler receives
    comes to its end, what it sends is refused. A handler that has received something, and neither has
    sent something since nor waits for more, may do so first, for at most half of the time. A client
    that has connected a moment ago may still say what it came for.
    """

    def __init__(self, handler: Any, options: Options) -> None:
        self._serve = handler if binds_serve(handler) else functools.partial(serve, handler)
        self._options = options
        self._servers = AsyncioServers()
        self._connections: set[Any] = set()
        self._handlers: set[asyncio.Task[Any]] = set()  # each from its handshake to its goodbye
        self._silent: dict[Any, float] = {}  # those that have said nothing yet, and since when
        self._owing: set[Any] = set()  # connections whose handler has not answered yet
        self._goodbyes: dict[Any, Contained] = {}
        self._over = False

    async def start(self, sockets: Sequence[socket]) -> None:
        """Accept connections."""
        self._servers.hold(sockets)
        (handler, *rest), options = self._serve.args, dict(self._serve.keywords)
        if self._options.tls is not None:
            options["ssl"] = self._options.tls
        if not self._options.access_log:
            options["logger"] = _Quiet(options.get("logger") or _LOGGER)
        make = options.get("create_connection") or ServerConnection
        options["create_connection"] = lambda *args, **kwargs: self._known(make(*args, **kwargs))
        if self._serve.func is serve:
            handler = _guarded(handler)
        else:
            options["create_router"] = _guarding_router(options.get("create_router"))
        for sock in sockets:
            server = self._serve.func(handler, *rest, **options, sock=sock, start_serving=False)
            made: Any = await server
            # It would refuse those who have connected already, and did not get their websocket yet.
            made.is_serving = lambda: not self._over
            self._servers.adopt(made.server)
        await self._servers.start_serving()

    async def wait(self) -> None:
        """Until the server has been closed."""
        await self._servers.wait()

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await self._servers.stop_listening()
        patience = Patience(timeout)

        def look() -> bool:
            if loop.time() >= begin + timeout / 2:
                self._owing.clear()
            for connection in list(self._connections):
                self._see_off(connection, patience)
            return not self._connections and not self._handlers and not self._goodbyes

        return await until(look, begin + timeout)

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        self._over = True
        self._servers.close()
        self._servers.abort_clients()
        for connection in list(self._connections):
            connection.transport.abort()
        tasks = [*self._handlers, *self._goodbyes.values()]
        for task in tasks:
            task.cancel()
        await all_done(tasks, asyncio.get_running_loop().time() + timeout)

    def work(self) -> Work:
        """The handlers at work."""
        return Work(tuple(_stack.of_task(task) for task in self._handlers if not task.done()))

    def _see_off(self, connection: Any, patience: Patience) -> None:
        transport = connection.transport
        if transport.is_closing() or connection.state is State.CLOSING:
            patience.hurry(transport)
        elif connection.state is State.OPEN:
            now = asyncio.get_running_loop().time()
            new = now - self._silent.get(connection, -math.inf) < patience.seconds
            if not new and connection not in self._owing:
                self._say_goodbye(connection)
        elif connection.request is None and patience.is_over(connection):
            transport.close()

    def _say_goodbye(self, connection: Any) -> None:
        if connection not in self._goodbyes:
            goodbye = contained(
                lambda: connection.close(CloseCode.GOING_AWAY), "closes a websocket"
            )
            self._goodbyes[connection] = goodbye
            goodbye.add_done_callback(lambda _: self._goodbyes.pop(connection))

    def _known(self, connection: Any) -> Any:
        """The same connection, that is known while it lasts, and its task."""
        made, lost = connection.connection_made, connection.connection_lost
        shake, receive, send = connection.handshake, connection.recv, connection.send

        def connection_made(transport: asyncio.Transport) -> None:
            self._connections.add(connection)
            self._silent[connection] = asyncio.get_running_loop().time()
            made(transport)
            if self._over:
                # On some loops a TLS handshake can't be aborted, and ends in a connection.
                transport.abort()

        def connection_lost(error: Exception | None) -> None:
            self._connections.discard(connection)
            self._owing.discard(connection)
            self._silent.pop(connection, None)
            lost(error)

        async def handshake(*args: Any, **kwargs: Any) -> None:
            task: Any = asyncio.current_task()
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)
            await shake(*args, **kwargs)

        async def received(*args: Any, **kwargs: Any) -> Any:
            self._owing.discard(connection)
            message = await receive(*args, **kwargs)
            self._silent.pop(connection, None)
            self._owing.add(connection)
            return message

        async def sent(*args: Any, **kwargs: Any) -> None:
            await send(*args, **kwargs)
            self._owing.discard(connection)

        connection.connection_made, connection.connection_lost = connection_made, connection_lost
        connection.handshake, connection.recv, connection.send = handshake, received, sent
        return connection


def _guarded(handler: Any) -> Any:
    async def guarded(connection: Any) -> None:
        try:
            await handler(connection)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            # Out of its task it would end the loop, and all that runs in it.
            raise OrchestraError(f"the handler raised {type(error).__name__}") from error

    return guarded


def _guarding_router(given: Any) -> Any:
    from websockets.asyncio.router import Router  # not there in old versions

    def create_router(*args: Any) -> Any:
        router: Any = (given or Router)(*args)
        router.handler = _guarded(router.handler)
        return router

    return create_router


_LOGGER: Final = logging.getLogger("websockets.server")


class _Quiet(logging.LoggerAdapter[Any]):
    """Does not tell of each connection."""

    def isEnabledFor(self, level: int) -> bool:
        """Whether records of this level are written."""
        return level != logging.INFO and super().isEnabledFor(level)
