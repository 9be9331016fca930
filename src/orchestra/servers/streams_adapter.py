"""Client-connected callbacks on asyncio's own server, as `asyncio.start_server` takes them.

The server is asyncio's; that its handlers are known, and told of a stop, is done here. `Server.close`
knows nothing of them, and `Server.wait_closed` waits for clients without a bound.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, Final

from .. import _stack
from ..log import report
from .adapter import Options, Work
from .asyncio_servers import AsyncioServers
from .contained import Contained, all_done, contained, outcome
from .patience import Patience, until

OPEN: Final = "in a connection that its callback has left open"


class StreamsAdapter:
    """One run of a client-connected callback; see `Adapter`.

    A handler is an async callback at work, from the connection to its return. As with asyncio, it closes
    its writer itself; one that raises is logged, and its connection closed.

    A handler that waits for its client can't know of a stop, so each is told the way in which it would
    hear that its client has gone: what has been received can still be read, then comes the end of the
    stream. That is said when the client has been silent for a moment, so that whoever is in the middle
    of sending may finish, but no later than after half of the time: there are clients that never pause.
    What the client sends after it is dropped. As always with streams, an end without what the
    protocol has for a goodbye does not mean that all has arrived.

    A plain callback gets the same, and its connection is closed a moment later. What it does meanwhile is
    not known here.
    """

    def __init__(self, callback: Any, options: Options) -> None:
        self._callback = callback
        self._options = options
        self._servers = AsyncioServers()
        self._connections: set[_Connection] = set()
        self._handlers: set[Contained] = set()
        self._over = False

    async def start(self, sockets: Sequence[socket]) -> None:
        """Accept connections."""
        self._servers.hold(sockets)
        await self._servers.open(lambda: _Connection(self._begin), self._options.tls)

    async def wait(self) -> None:
        """Until the server has been closed."""
        await self._servers.wait()

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        now = asyncio.get_running_loop().time()
        await self._servers.stop_listening()
        patience = Patience(timeout)
        half = now + timeout / 2

        def look() -> bool:
            for connection in list(self._connections):
                connection.see_off(patience, half)
            return not self._connections and not self._handlers

        return await until(look, now + timeout)

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        self._over = True
        self._servers.close()
        self._servers.abort_clients()
        for connection in list(self._connections):
            connection.transport.abort()
        for handler in list(self._handlers):
            handler.cancel()
        await all_done(self._handlers, asyncio.get_running_loop().time() + timeout)

    def work(self) -> Work:
        """The handlers at work, and connections that nobody has closed."""
        at = [_stack.of_task(handler) for handler in self._handlers if not handler.done()]
        left = sum(connection.handler is None for connection in self._connections)
        return Work((*at, *[OPEN] * left))

    # One connection

    def _begin(self, connection: _Connection, writer: asyncio.StreamWriter) -> None:
        if self._over:
            # On some loops a TLS handshake can't be aborted, and ends in a connection.
            connection.transport.abort()
            return

        async def handle() -> None:
            try:
                result = self._callback(connection.reader, writer)
                if inspect.isawaitable(result):
                    await result
            except BaseException:
                writer.close()
                raise

        handler = contained(handle, "the handler of a connection")
        connection.handler = handler
        connection.lost = self._connections.discard
        self._connections.add(connection)
        self._handlers.add(handler)
        handler.add_done_callback(lambda _: self._ended(connection, handler))

    def _ended(self, connection: _Connection, handler: Contained) -> None:
        connection.handler = None
        self._handlers.discard(handler)
        error = outcome(handler)
        # What the stop brings about is not the handler's fault.
        told = connection.reader.ended and isinstance(error, EOFError)
        if error is not None and not told and not isinstance(error, asyncio.CancelledError):
            report("the handler of a connection failed", error)


class _Reader(asyncio.StreamReader):
    """Knows when the client was heard last, and when it shall not be heard any more."""

    def __init__(self) -> None:
        super().__init__()
        self._time = asyncio.get_running_loop().time
        self.heard = self._time()
        self.ended = False

    def feed_data(self, data: Any) -> None:
        self.heard = self._time()
        # It is still taken from the system: to close a connection that has something left to be read
        # would destroy what is on its way to the client.
        if not self.ended:
            super().feed_data(data)

    def end(self) -> None:
        self.ended = True
        self.feed_eof()


class _Connection(asyncio.StreamReaderProtocol):
    """A connection of asyncio's streams, that also knows its handler while that is at work."""

    transport: Any

    def __init__(self, begin: Callable[[_Connection, asyncio.StreamWriter], None]) -> None:
        self.reader = _Reader()
        self.handler: Contained | None = None
        self.lost: Callable[[_Connection], None] = lambda _: None
        super().__init__(self.reader, lambda _, writer: begin(self, writer))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(self)
        super().connection_lost(exc)

    def see_off(self, patience: Patience, half: float) -> None:
        now = asyncio.get_running_loop().time()
        if self.transport.is_closing():
            patience.hurry(self.transport)
        elif not self.reader.ended:
            if now - self.reader.heard >= patience.seconds or now >= half:
                self.reader.end()
        elif self.handler is None and patience.is_over(self):
            self.transport.close()
