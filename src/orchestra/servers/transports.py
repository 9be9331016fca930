"""What asyncio's transports do not tell by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from socket import socket
from typing import Any


def stop_accepting(sockets: Iterable[socket]) -> None:
    """Accept no more. What has been accepted already gets its transport in the next turn of the loop.

    Closing the asyncio server at once would lose those. Does nothing on loops that do not watch
    sockets this way.
    """
    loop = asyncio.get_running_loop()
    for sock in sockets:
        if sock.fileno() != -1:
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_reader(sock.fileno())


def abort_clients(server: Any) -> None:
    """Abort all connections of an asyncio server, also those in the middle of a TLS handshake.

    No protocol knows of the latter yet, and they would come to life when their client goes on.
    """
    if hasattr(server, "abort_clients"):  # from Python 3.13 on
        server.abort_clients()
        return
    of_loop = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(of_loop.values()):
        if getattr(transport, "_server", None) is server:
            transport.abort()


def unsent(transport: Any) -> int:
    """How many bytes are still to be sent, those below a TLS layer included where that can be seen."""
    if getattr(transport, "_ssl_protocol", transport) is None:
        return 0  # it has been closed, and asyncio's can't be asked then
    size: int = transport.get_write_buffer_size()
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return size if below is None else size + int(below.get_write_buffer_size())
