"""Sockets that listen: bound here and not by the servers, so that errors come early and are clear."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable
from typing import Any, Final

from .explained import explained
from .shared_port import hold, host_of, listen_together

BACKLOG: Final = 2048
"""How many clients may wait to be accepted; the system may allow fewer."""

_ATTEMPTS: Final = 10

_NOT_HERE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

_Family = tuple[int, tuple[Any, ...]]  # and the address in it
_Listen = Callable[[int, tuple[Any, ...], bool], socket.socket]


async def listen_on_tcp(
    host: str, port: int, *, reuse_port: bool, together: bool = False, only_hold: bool = False
) -> list[socket.socket]:
    """Listen on all addresses of a host, with the same port on each.

    `together` with a server that binds by itself, or with `only_hold` not at all: see `shared_port`.
    Raises an `OSError` with the address in it.
    """
    with explained(f"can't listen on {in_words(host, port)}"):
        found = await _resolve(host, port)
        listen = hold if only_hold else listen_together if together else _listen
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return _listen_on_each(found, port, reuse_port, listen)
            except OSError as error:
                # A port that was free at the first address may be taken at the second.
                chance = port == 0 and len(found) > 1 and attempt < _ATTEMPTS
                if error.errno != errno.EADDRINUSE or not chance:
                    raise
        raise AssertionError("the last attempt returns or raises")


async def _resolve(host: str, port: int) -> list[_Family]:
    kind: Any = {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}
    numeric: Any = {**kind, "flags": socket.AI_PASSIVE | socket.AI_NUMERICHOST}
    try:
        try:
            found = socket.getaddrinfo(host, port, **numeric)
        except socket.gaierror:
            # Only a name takes time, and a thread.
            found = await asyncio.get_running_loop().getaddrinfo(host, port, **kind)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"no name of a host ({error})") from None
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listen_on_each(
    places: list[_Family], port: int, reuse_port: bool, listen: _Listen
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in places:
            # Those after the first get the port that the system has picked for it.
            chosen = sockets[0].getsockname()[1] if sockets else port
            place = family, (address[0], chosen, *address[2:])
            try:
                sockets.append(listen(*place, reuse_port))
            except OSError as error:
                # `localhost` has an address in IPv6 where the system has no IPv6.
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
        if absent is not None and not sockets:
            raise absent
    except BaseException:
        close_all(sockets)
        raise
    return sockets


def _listen(family: int, address: tuple[Any, ...], reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Elsewhere this would let two programs listen on one port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Systems differ in whether `::` takes IPv4 too; here it never does.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        # Now and not when the application has started: only this finds out who else listens there.
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def listen_on_unix(path: str, mode: int) -> socket.socket:
    """Listen on a Unix socket; one that nobody listens on any more is replaced.

    Raises an `OSError` with the path in it.
    """
    with explained(f"can't listen on unix:{path}"):
        remove_stale(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _give_mode(sock, mode)
            sock.bind(path)
            # Nobody can connect before `listen`, so nobody can with the wrong mode.
            os.chmod(path, mode)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    return sock


def _give_mode(sock: socket.socket, mode: int) -> None:
    """On Linux, the file has this mode from its first moment; a umask would be that of all threads."""
    try:
        os.fchmod(sock.fileno(), mode)
    except OSError:
        pass  # elsewhere a socket has no mode before it has a file


def remove_stale(path: str) -> None:
    """Remove the file of a Unix socket that nobody listens on; an `OSError` if it is anything else."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EADDRINUSE, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # so many clients wait there that one more can't
    raise OSError(errno.EADDRINUSE, "somebody listens there")


def in_words(host: str, port: int) -> str:
    """A host and a port, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(sock: socket.socket, scheme: str) -> str:
    """Where a socket listens, as a URL; `unix:/path` for a Unix socket."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return f"{scheme}://{in_words(host_of(sock), name[1])}"
    # The name of one that is in no file begins with a zero byte, which is usually shown like this.
    return "unix:" + os.fsdecode(name).replace("\0", "@")


def duplicate(sock: socket.socket) -> socket.socket:
    """A duplicate that knows its protocol, which most sockets are made without.

    The connections that it accepts know it as well. asyncio sets TCP_NODELAY on those that do, and on no
    others: an answer in two pieces would take forty milliseconds.
    """
    proto = socket.IPPROTO_TCP if sock.family in (socket.AF_INET, socket.AF_INET6) else sock.proto
    # Not `sock.dup()`, which sets the mode of the new one and so of all: for a moment it blocks those
    # who accept on it, here or in another process, and a moment is for ever if no client comes.
    return socket.socket(sock.family, sock.type, proto, fileno=socket.dup(sock.fileno()))


def close_all(sockets: Iterable[socket.socket]) -> None:
    """Close these sockets."""
    for sock in sockets:
        sock.close()
