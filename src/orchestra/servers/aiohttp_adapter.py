"""Applications of aiohttp on its `AppRunner`.

Aiohttp's server and its connections are used as they are; the stop is done here. `AppRunner.cleanup`
lets requests take twice the time that it is given, drops the rest of a body that is being sent, forgets
handlers whose client has gone, and leaves websockets to the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from socket import socket
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiohttp import web

from ..log import report
from .adapter import Options, Work
from .aiohttp_life import ApplicationLife
from .aiohttp_requests import Requests
from .asyncio_servers import AsyncioServers
from .contained import all_done
from .patience import Patience, until
from .transports import unsent

UNTAKEN: Final = "in an answer that the client does not take"

STREAMS: Final = 0.3
"""The share of the time to stop after which streams of events are ended; they may never end by themselves."""


class AiohttpAdapter:
    """One run of an aiohttp application, or of one made by a function; see `Adapter`.

    On a stop, after `on_shutdown`, websockets that are still open are closed with 1001, "going away".
    Answers of the type `text/event-stream` may go on for a third of the time, and are then brought to
    a proper end: their handlers are cancelled. `on_cleanup` comes when no request is left.
    """

    def __init__(self, app: Any, options: Options) -> None:
        log: dict[str, Any] = {} if options.access_log else {"access_log": None}
        self._requests = Requests()
        self._life = ApplicationLife(app, self._attach, **log)
        self._options = options
        self._servers = AsyncioServers()
        self._server: web.Server | None = None
        self._over = False
        self._aborted = False
        self._cut_short = False  # in its abort, which is then called once more

    async def start(self, sockets: Sequence[socket]) -> None:
        """Start the application, then accept connections."""
        self._servers.hold(sockets)
        self._server = server = await self._life.start()
        self._requests.watch(server)
        self._refuse_late(server)
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
        begin = asyncio.get_running_loop().time()
        deadline = begin + timeout
        self._requests.draining = True
        await self._servers.stop_listening()
        self._life.shut_down()
        patience = Patience(timeout)

        def look() -> bool:
            if self._life.has_shut_down:
                # Only now, since it may have a goodbye of its own.
                self._requests.end_streams(patience, begin + timeout * STREAMS)
            self._see_off(patience)
            return self._life.has_shut_down and not self._connections and not self._requests

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
        in_flight = self._requests.by_connection()
        untaken = sum(
            one not in in_flight and unsent(transport) > 0
            for one, transport in self._connections.items()
        )
        return Work((*self._requests.where(), *[UNTAKEN] * untaken), self._life.where())

    @property
    def _connections(self) -> dict[web.RequestHandler, asyncio.Transport]:
        """Those that are open, or whose handler goes on, with their transports."""
        return {} if self._server is None else self._server._connections

    def _attach(self, app: web.Application) -> None:
        _requests_of[app] = self._requests
        # It can't be changed when it has been served by somebody else before.
        if not app.on_response_prepare.frozen and _notice not in app.on_response_prepare:
            app.on_response_prepare.append(_notice)

    def _refuse_late(self, server: web.Server) -> None:
        """Have it serve nobody any more once the run is over.

        On some loops a TLS handshake can't be aborted, and ends in a connection when its client
        pleases.
        """
        take = server.connection_made

        def connection_made(handler: web.RequestHandler, transport: asyncio.Transport) -> None:
            take(handler, transport)
            if self._over:
                transport.abort()

        server.connection_made = connection_made  # type: ignore[method-assign]

    def _see_off(self, patience: Patience) -> None:
        in_flight = self._requests.by_connection()
        for connection, transport in list(self._connections.items()):
            if transport.is_closing():
                patience.hurry(transport)
            elif connection in in_flight:
                body = in_flight[connection].content
                if _waits_for(body) and patience.is_over(body, body.total_bytes):
                    connection.force_close()
            elif _is_idle(connection) and (
                # One that has connected a moment ago may have its request on the way.
                connection._request_count or patience.is_over(connection)
            ):
                connection.force_close()
        self._requests.forget_leftovers()

    def _cut(self) -> None:
        self._over = True
        self._servers.close()
        for transport in list(self._connections.values()):
            transport.abort()
        self._servers.abort_clients()
        self._requests.cancel()

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


_requests_of: Final[WeakKeyDictionary[web.Application, Requests]] = WeakKeyDictionary()


async def _notice(request: web.Request, response: web.StreamResponse) -> None:
    """Hears of each answer before it begins, in any of the runs of its application."""
    if Requests.is_stream(response):
        requests = _requests_of.get(request.match_info.apps[0])
        if requests is not None:
            requests.streams(response)


def _is_idle(connection: Any) -> bool:
    """Whether it waits for a request; one that has just come is not in its handler yet."""
    waiter = connection._waiter
    return waiter is not None and not waiter.done() and not connection._messages


def _waits_for(body: Any) -> bool:
    """Whether a handler reads a body of which there is more to come."""
    return not body.is_eof() and getattr(body, "_waiter", body) is not None
