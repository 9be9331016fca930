"""The sockets of a server that stay open from one run to the next."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from .explained import explained
from .sockets import BACKLOG, close_all, url_of

# Nobody else closes those that are our own.
_LENT: Final = "can't listen on the sockets given"


class Listener:
    """Listens while a server comes and goes: clients that connect in between wait, and are served.

    Each run gets duplicates, since servers close what they get. Closed when somebody says so, at the
    latest when it is garbage or the program ends; only `lent` sockets stay open, they are the caller's.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], *, path: str | None = None, lent: bool = False
    ) -> None:
        self._sockets = tuple(sockets)
        owned = () if lent else self._sockets
        file = None if path is None else _File.at(path)
        self._close = weakref.finalize(self, _let_go, owned, file)
        self.unwatch: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return not self._close.alive

    def addresses(self, scheme: str) -> tuple[str, ...]:
        """Where it listens, as URLs."""
        with explained(_LENT):
            return tuple(url_of(sock, scheme) for sock in self._sockets)

    def duplicates(self) -> list[socket.socket]:
        """Sockets for one run, which is to close them."""
        made: list[socket.socket] = []
        try:
            with explained(_LENT):
                for sock in self._sockets:
                    made.append(sock.dup())
                    # What was handed in may only be bound.
                    made[-1].listen(BACKLOG)
        except BaseException:
            close_all(made)
            raise
        return made

    def close(self) -> None:
        """Listen no longer, and remove the file of a Unix socket."""
        self._close()


class _File(NamedTuple):
    """The file of a Unix socket, as the one that it is, and whose."""

    path: str
    device: int
    inode: int
    pid: int

    @classmethod
    def at(cls, path: str) -> _File:
        found = os.stat(path)
        return cls(path, found.st_dev, found.st_ino, os.getpid())

    def is_ours(self) -> bool:
        # Not in a process that was forked off, nor where somebody else listens by now.
        return self == _File.at(self.path)


def _let_go(sockets: Sequence[socket.socket], file: _File | None) -> None:
    if file is not None:
        try:
            if file.is_ours():
                os.unlink(file.path)
        except OSError:
            pass  # gone already
    # After the file, which would look stale to another server that is about to start.
    close_all(sockets)
