"""Ports on which we listen together with a server that takes no sockets and binds by itself.

Both sockets have SO_REUSEPORT, and the system is told which of them gets new connections: the server's
while it serves, ours before and after that. It asks this of sockets of one form, so ours has the form
that gRPC gives to its own: an IPv6 one that takes IPv4 as well.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import socket
import struct
import sys
from typing import Any, Final

_MAPPED: Final = "::ffff:"
"""What an IPv4 address begins with where it is written as an IPv6 one."""

_EVERYWHERE: Final = ("0.0.0.0", "::")
_ATTEMPTS: Final = 10


def listen_together(family: int, address: tuple[Any, ...], reuse_port: bool) -> socket.socket:
    """Listen there, so that a server of this user may join; an `OSError` if somebody is there already.

    With `reuse_port` somebody may be there, who serves between two runs: so it has to be held only.
    """
    _check()
    assert not reuse_port, "it would take connections from those who share the port"
    family, address, takes_both = _as_grpc_has_it(family, address)
    if address[1]:
        return _listening(family, address, takes_both)
    for attempt in range(1, _ATTEMPTS + 1):
        # A port that the system has picked is lost in `step_back`; one that was asked for is not.
        with _bound(family, address, takes_both) as found:
            chosen = (address[0], found.getsockname()[1], *address[2:])
        try:
            return _listening(family, chosen, takes_both)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def hold(family: int, address: tuple[Any, ...], reuse_port: bool) -> socket.socket:
    """Bind there and do not listen, so that servers of this user may share the port.

    Others may be there already with `reuse_port`, and otherwise that is an `OSError`.
    """
    _check()
    family, address, takes_both = _as_grpc_has_it(family, address)
    if not reuse_port:
        with _listening(family, address, takes_both) as sock:
            address = sock.getsockname()
    return _bound(family, address, takes_both, reuse_port=True)


def _check() -> None:
    if not hasattr(socket, "SO_REUSEPORT"):
        raise OSError(errno.ENOTSUP, "gRPC binds by itself, and this system has no SO_REUSEPORT")


def listens(sock: socket.socket) -> bool:
    """Whether clients can connect to this socket."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def host_of(sock: socket.socket) -> str:
    """The address that a socket is bound to, an IPv4 one as such."""
    host = str(sock.getsockname()[0])
    return host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host


def give_way(sock: socket.socket) -> None:
    """New connections go to the server that has joined. What waits here already stays here."""
    _steer(sock, 1)


def take_over(sock: socket.socket) -> None:
    """New connections come here."""
    _steer(sock, 0)


def step_back(sock: socket.socket) -> None:
    """Listen no longer, and hold the port, for a server that shares it with nobody who listens."""
    if sys.platform == "linux":
        sock.shutdown(socket.SHUT_RD)


def _steer(sock: socket.socket, number: int) -> None:
    """Send new connections to the socket of this number, in the order in which they began to listen.

    A filter that returns a constant. Where the system knows of no such thing, connections are spread
    over both sockets.
    """
    if sys.platform != "linux":
        return
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, number), 8)
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, program)
    except OSError:
        pass  # in a sandbox that does not have it


_RETURN: Final = 0x06  # of a constant
_ATTACH_REUSEPORT_CBPF: Final = 51


def _as_grpc_has_it(family: int, address: tuple[Any, ...]) -> tuple[int, tuple[Any, ...], bool]:
    """The family, the address in it, and whether it takes IPv4 as well as IPv6."""
    host, port = address[:2]
    if not _has_ipv6():
        return family, address, False
    if host in _EVERYWHERE:
        return socket.AF_INET6, ("::", port), True
    if family == socket.AF_INET:
        return socket.AF_INET6, (_MAPPED + host, port), True
    return family, address, False


@functools.cache
def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _listening(family: int, address: tuple[Any, ...], takes_both: bool) -> socket.socket:
    sock = _bound(family, address, takes_both)
    try:
        # Before it may be shared: only so does the system tell if somebody is there who shares it too.
        sock.listen()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _bound(
    family: int, address: tuple[Any, ...], takes_both: bool, *, reuse_port: bool = False
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not takes_both)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
