"""Where a server listens: what it was told, checked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .listener import Listener
from .sockets import in_words, listen_on_tcp, listen_on_unix, url_of


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port, or a Unix socket, or sockets that somebody else has bound."""

    host: str
    port: int
    uds: str | None = None
    sockets: tuple[socket.socket, ...] = ()
    reuse_port: bool = False

    def __str__(self) -> str:
        if self.sockets:
            known = (sock for sock in self.sockets if sock.fileno() != -1)
            return " and ".join(url_of(sock, "tcp") for sock in known) or "closed sockets"
        return f"unix:{self.uds}" if self.uds is not None else in_words(self.host, self.port)

    async def open(self) -> Listener:
        """Listen there; raises an `OSError` with the address in it."""
        if self.sockets:
            return Listener(self.sockets, lent=True)
        if self.uds is not None:
            return Listener([listen_on_unix(self.uds)], path=self.uds)
        return Listener(await listen_on_tcp(self.host, self.port, reuse_port=self.reuse_port))


def checked_place(
    host: Any, port: Any, uds: Any, sockets: Iterable[Any] | None, reuse_port: Any
) -> Place:
    """A place made of these arguments; `TypeError` or `ValueError` if they make no sense."""
    if uds is not None and sockets is not None:
        raise ValueError("uds and sockets exclude each other")
    if reuse_port and (uds is not None or sockets is not None):
        raise ValueError("reuse_port is about a host and a port, there is none here")
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("reuse_port is not to be had on this system")
    return Place(
        _checked_host(host),
        _checked_port(port),
        None if uds is None else _checked_uds(uds),
        () if sockets is None else _checked_sockets(sockets),
        bool(reuse_port),
    )


def _checked_host(host: Any) -> str:
    if not isinstance(host, str):
        raise TypeError(f"host must be a name or an address, not {host!r}")
    if not host or "\0" in host or "/" in host:
        raise ValueError(
            f"host={host!r} is none: '127.0.0.1' is this machine, '0.0.0.0' all IPv4, '::' all IPv6"
        )
    # As in a URL, where an IPv6 address needs the brackets.
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _checked_port(port: Any) -> int:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port must be a number, not {port!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be from 0 to 65535, where 0 is any that is free, not {port}")
    return port


def _checked_uds(uds: Any) -> str:
    if not hasattr(socket, "AF_UNIX"):
        raise ValueError("there are no Unix sockets on this system")
    if not isinstance(uds, (str, os.PathLike)):
        raise TypeError(f"uds must be a path, not {uds!r}")
    path = os.fspath(uds)
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"uds must be a path, not {path!r}")
    # The working directory may be another when it is removed.
    return os.path.abspath(path)


def _checked_sockets(sockets: Iterable[Any]) -> tuple[socket.socket, ...]:
    if isinstance(sockets, socket.socket):
        raise TypeError("sockets must be several, as in [sock]")
    given = tuple(sockets)
    if not given:
        raise ValueError("sockets is empty")
    for sock in given:
        if not isinstance(sock, socket.socket):
            raise TypeError(f"sockets must be of socket.socket, not {sock!r}")
        if sock.fileno() == -1 or sock.type != socket.SOCK_STREAM:
            raise ValueError(f"{sock!r} is no open stream socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not sock.getsockname()[1]:
            raise ValueError(f"{sock!r} is not bound to a port")
    return given
