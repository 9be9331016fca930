"""Where a gRPC server is entered: its own socket, and ours beside it, where clients wait between two runs.

gRPC takes no sockets, so those who wait at ours can't be handed to it. They are turned away, in words
on which gRPC's clients connect and ask again, and nobody sees an error.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Final

from .explained import explained
from .shared_port import give_way, host_of, listens, step_back, take_over
from .sockets import in_words, remove_stale
from .turned_away import TurnedAway

HANDSHAKE_WITHIN: Final = 5.0
"""Seconds for a TLS handshake with one who is turned away."""

Bind = Callable[[str], object]


def entrance_at(sock: socket, uds_mode: int) -> Entrance:
    """The entrance where this socket listens."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return Entrance(sock)
    return UnixEntrance(sock, os.fsdecode(name), uds_mode)


class Entrance:
    """A port that gRPC's socket and ours share."""

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._stepped_back = False
        self._server: asyncio.Server | None = None
        self._leaving: set[asyncio.Transport] = set()

    def join(self, bind: Bind) -> None:
        """Have gRPC bind; an `OSError` if it can't."""
        address = in_words(host_of(self._sock), self._sock.getsockname()[1])
        try:
            bind(address)
        except RuntimeError:
            if not listens(self._sock):
                raise _no_binding(address) from None
            # Its option grpc.so_reuseport is off: it shares a port with nobody who listens.
            step_back(self._sock)
            self._stepped_back = True
            try:
                bind(address)
            except RuntimeError:
                raise _no_binding(address) from None

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Send new connections to gRPC, and tell those who wait here to connect again."""
        self._give_way()
        if listens(self._sock):
            self._server = await asyncio.get_running_loop().create_server(
                lambda: TurnedAway(self._leaving),
                sock=self._sock,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_WITHIN,
            )

    def take_back(self) -> None:
        """Have new connections wait here, or nowhere if nobody listens here any more."""
        # One that comes now is not told anything.
        if self._sock.fileno() != -1:
            with suppress(NotImplementedError, RuntimeError):
                asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._take_over()

    def close(self) -> None:
        """Let go of it; our socket stays open elsewhere if another run may follow."""
        if self._stepped_back and self._sock.fileno() != -1:
            self._stepped_back = False
            with suppress(OSError):  # gRPC is still there
                self._sock.listen()
        if self._server is not None:
            self._server.close()
        self._sock.close()
        for transport in list(self._leaving):
            transport.abort()

    def _give_way(self) -> None:
        if not self._stepped_back:
            give_way(self._sock)

    def _take_over(self) -> None:
        if not self._stepped_back:
            take_over(self._sock)


class UnixEntrance(Entrance):
    """A path in the file system, that leads to gRPC's socket while it serves, and to ours otherwise."""

    def __init__(self, sock: socket, path: str, mode: int) -> None:
        super().__init__(sock)
        self._path = path
        self._mode = mode
        self._ours = f"{path}.waiting"
        self._theirs = f"{path}.grpc"
        self._joined: os.stat_result | None = None  # gRPC's socket, while the path leads to it

    def join(self, bind: Bind) -> None:
        """Have gRPC bind; an `OSError` if it can't."""
        with explained(f"can't listen on unix:{self._path}"):
            remove_stale(self._ours)
            remove_stale(self._theirs)
            try:
                bind(f"unix:{self._theirs}")
            except RuntimeError:
                raise _no_binding(f"unix:{self._theirs}") from None
            os.chmod(self._theirs, self._mode)

    def _give_way(self) -> None:
        with explained(f"can't listen on unix:{self._path}"):
            # A second name, so that it can have its first one back.
            os.link(self._path, self._ours)
            joined = os.stat(self._theirs)
            os.rename(self._theirs, self._path)
            self._joined = joined

    def _take_over(self) -> None:
        if self._joined is not None:
            with suppress(OSError):
                if _leads_elsewhere(self._path, self._joined):
                    os.unlink(self._ours)
                else:
                    os.rename(self._ours, self._path)
            self._joined = None

    def close(self) -> None:
        """Let go of it; our socket stays open elsewhere if another run may follow."""
        super().close()
        # Whoever closed ours while the path led elsewhere has left it behind.
        for path in (self._path, self._theirs):
            with suppress(OSError):
                remove_stale(path)


def _leads_elsewhere(path: str, expected: os.stat_result) -> bool:
    """Whether somebody else has put something of theirs in this place."""
    try:
        return not os.path.samestat(os.stat(path), expected)
    except FileNotFoundError:
        return False


def _no_binding(address: str) -> OSError:
    return OSError(f"gRPC can't listen on {address}, its log says why")
