"""The sockets of a server that stay open from one run to the next."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .sockets import BACKLOG, close_all, remove_stale, url_of


class Listener:
    """Listens while a server comes and goes: clients that connect in between wait, and are served.

    Each run gets duplicates, since servers close what they get. Closed when somebody says so, at the
    latest when it is garbage or the program ends.

    With `only_held` the sockets hold the addresses and do not listen, for a server that binds by
    itself. For a Unix socket there is none then.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], *, path: str | None = None, only_held: bool = False
    ) -> None:
        self._sockets = tuple(sockets)
        self._only_held = only_held
        self._path = path
        file: _File | _Stale | None = None
        if path is not None:
            file = _Stale(path) if only_held else _File.at(path)
        self._close = weakref.finalize(self, _let_go, self._sockets, file)
        self.unwatch: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return not self._close.alive

    @property
    def sockets(self) -> list[socket.socket]:
        """Its own, which nobody else is to close."""
        return list(self._sockets)

    def addresses(self, scheme: str) -> tuple[str, ...]:
        """Where it listens, as URLs."""
        if self._only_held and self._path is not None:
            return (f"unix:{self._path}",)
        return tuple(url_of(sock, scheme) for sock in self._sockets)

    def duplicates(self) -> list[socket.socket]:
        """Sockets for one run, which is to close them."""
        made: list[socket.socket] = []
        try:
            for sock in self._sockets:
                made.append(sock.dup())
                if not self._only_held:
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

    def remove(self) -> None:
        # Not in a process that was forked off, nor where somebody else listens by now.
        if self == _File.at(self.path):
            os.unlink(self.path)


class _Stale(NamedTuple):
    """The file of a Unix socket that the server has made by itself."""

    path: str

    def remove(self) -> None:
        remove_stale(self.path)


def _let_go(sockets: Sequence[socket.socket], file: _File | _Stale | None) -> None:
    if file is not None:
        try:
            file.remove()
        except OSError:
            pass  # gone already
    # After the file, which would look stale to another server that is about to start.
    close_all(sockets)
