"""Where a server listens: what it was told, checked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .explained import explained
from .handed_in import HandedIn, checked_sockets, duplicates_of, in_words_of
from .listener import Listener
from .sockets import in_words, listen_on_tcp, listen_on_unix, remove_stale


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port, or a Unix socket, or sockets that somebody else has bound."""

    host: str
    port: int
    uds: str | None = None
    uds_mode: int = 0o660
    sockets: HandedIn = ()
    reuse_port: bool = False

    def __str__(self) -> str:
        if self.sockets:
            return in_words_of(self.sockets)
        return f"unix:{self.uds}" if self.uds is not None else in_words(self.host, self.port)

    async def open(self, *, only_hold: bool = False) -> Listener:
        """Listen there, or hold it for one who binds by himself; an `OSError` with the address in it."""
        if self.sockets:
            return Listener(duplicates_of(self.sockets))
        if self.uds is not None:
            return _on_unix(self.uds, self.uds_mode, only_hold)
        sockets = await listen_on_tcp(
            self.host, self.port, reuse_port=self.reuse_port, only_hold=only_hold
        )
        return Listener(sockets, only_held=only_hold)

    def borrowing(self, sockets: Iterable[Any]) -> Place:
        """The same, on sockets that come from the process that has opened it; on none for now."""
        given = tuple(sockets)
        return replace(self, sockets=given and checked_sockets(given))

    def shared(self, listener: Listener) -> Place:
        """The same, for one of several who bind by themselves to what a listener holds."""
        ports = [sock.getsockname()[1] for sock in listener.sockets]
        return replace(self, port=ports[0], reuse_port=True) if ports else self


def _on_unix(path: str, mode: int, only_hold: bool) -> Listener:
    if not only_hold:
        return Listener([listen_on_unix(path, mode)], path=path)
    with explained(f"can't listen on unix:{path}"):
        remove_stale(path)
    return Listener((), path=path, only_held=True)


def checked_place(
    host: Any, port: Any, uds: Any, uds_mode: Any, sockets: Any, reuse_port: Any
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
        _checked_mode(uds_mode),
        () if sockets is None else checked_sockets(sockets),
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


def _checked_mode(mode: Any) -> int:
    if not isinstance(mode, int) or isinstance(mode, bool):
        raise TypeError(f"uds_mode must be a number such as 0o660, not {mode!r}")
    if not 0 <= mode <= 0o777:
        raise ValueError(f"uds_mode must be from 0 to 0o777, such as 0o660, not {mode} ({mode:#o})")
    return mode
