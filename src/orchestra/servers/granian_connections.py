"""The connections of a server that does not tell of them: the system knows those of this process."""

from __future__ import annotations

import array
import asyncio
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

_FDS: Final = "/dev/fd"
# The number of bytes that the other side has not acknowledged.
_SIOCOUTQ: Final = 0x5411
_SO_NWRITE: Final = 0x1024

# Where TCP_INFO has the number of bytes received, and how much of it is asked for.
_BYTES_RECEIVED: Final = 128
_TCP_INFO_SIZE: Final = 192

_AT_ONCE: Final = struct.pack("ii", 1, 0)


class Connections:
    """All connections that have come in by some listening sockets."""

    def __init__(self) -> None:
        self._at: list[Any] = []
        self._quiet: dict[int, float] = {}  # since when one has nothing to send

    def belong_to(self, listener: socket.socket) -> None:
        """Those that come in by this socket are meant, too."""
        self._at.append((listener.family, listener.getsockname()))

    def cut(self) -> None:
        """Cut all of them off."""
        for sock in self._found():
            _cut(sock)

    def cut_those_with_nothing_to_send(self, patience: float) -> None:
        """Cut those that have had nothing to send for so many seconds."""
        now = asyncio.get_running_loop().time()
        seen: dict[int, float] = {}
        for sock in self._found():
            inode = os.fstat(sock.fileno()).st_ino
            if _unsent(sock):
                continue
            seen[inode] = self._quiet.get(inode, now)
            if now - seen[inode] >= patience:
                _cut(sock)
        self._quiet = seen

    def number_with_something_to_send(self) -> int:
        """How many clients have not taken all of their answer."""
        return sum(_unsent(sock) > 0 for sock in self._found())

    def anybody_new(self) -> bool:
        """Whether a client has connected and said nothing yet, as far as the system tells."""
        return any(_is_new(sock) for sock in self._found())

    def _found(self) -> Iterator[socket.socket]:
        if not self._at:
            return
        for name in os.listdir(_FDS) if os.path.isdir(_FDS) else ():
            sock = _socket_at(int(name))
            if sock is None:
                continue
            with sock, suppress(OSError):
                if self._is_one(sock):
                    yield sock

    def _is_one(self, sock: socket.socket) -> bool:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        name: Any = sock.getsockname()
        return any(_same(sock.family, name, *at) for at in self._at)


def _socket_at(fd: int) -> socket.socket | None:
    """A duplicate of a socket, since the number may belong to something else in a moment."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return None
        copy = os.dup(fd)
    except OSError:
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None


def _same(family: int, name: Any, at_family: int, at: Any) -> bool:
    if family != at_family or not name:
        return False
    if family not in (socket.AF_INET, socket.AF_INET6):
        return bool(name == at)
    # One that listens on every address has connections at each of them.
    return name[1] == at[1] and (name[0] == at[0] or at[0] in ("0.0.0.0", "::"))


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        # What has not been sent is dropped, and the client is told that it was cut.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _unsent(sock: socket.socket) -> int:
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    import fcntl  # not to be had on Windows

    size = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), _SIOCOUTQ, size)
    return size[0]


def _is_new(sock: socket.socket) -> bool:
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    with suppress(OSError):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        if len(info) == _TCP_INFO_SIZE:  # older systems do not tell
            received: int = struct.unpack_from("Q", info, _BYTES_RECEIVED)[0]
            return not received
    return False
