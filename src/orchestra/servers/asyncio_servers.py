"""The asyncio servers of one run, one for each socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from socket import socket

from .contained import turns
from .sockets import BACKLOG, close_all
from .transports import abort_clients, stop_accepting


class AsyncioServers:
    """They accept connections, until they are closed; what becomes of these is for others to say."""

    def __init__(self) -> None:
        self._sockets: Sequence[socket] = ()
        self._servers: list[asyncio.AbstractServer] = []

    def hold(self, sockets: Sequence[socket]) -> None:
        """Take these sockets over, to be closed in the end; nothing is accepted yet."""
        self._sockets = sockets

    async def open(
        self, factory: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None
    ) -> None:
        """Accept connections on all of the sockets; a protocol of this factory serves each."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            # A cancellation while it begins to serve would leave behind a server that nobody knows.
            server = await loop.create_server(
                factory, sock=sock, ssl=tls, backlog=BACKLOG, start_serving=False
            )
            self._servers.append(server)
        await self.start_serving()

    def adopt(self, server: asyncio.AbstractServer) -> None:
        """One that somebody else has made, and that does not serve yet."""
        self._servers.append(server)

    async def start_serving(self) -> None:
        """Accept connections."""
        for server in self._servers:
            await server.start_serving()

    async def wait(self) -> None:
        """Until one of them has been closed and its clients have gone. May be cancelled."""
        waiting = [asyncio.ensure_future(server.wait_closed()) for server in self._servers]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def stop_listening(self) -> None:
        """Accept no more; what has been accepted is served, and what has been sent is read."""
        stop_accepting(self._sockets)
        await turns(3)
        self.close()

    def close(self) -> None:
        """Accept no more, at once."""
        stop_accepting(self._sockets)
        for server in self._servers:
            server.close()
        close_all(self._sockets)

    def abort_clients(self) -> None:
        """Abort all connections, also those that no protocol knows of yet."""
        for server in self._servers:
            abort_clients(server)
