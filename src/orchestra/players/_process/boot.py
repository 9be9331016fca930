"""The first that a child does: it ties itself to its parent. Light, since nothing ties it before."""

from __future__ import annotations

import os
import signal
import socket
from multiprocessing import forkserver

from .tie import end_group, lead_a_group, tie_to_parent


class Passed:
    """A file descriptor on its way to a child."""

    def __init__(self, number: int, *, to_fork: bool) -> None:
        self._number, self._to_fork = number, to_fork

    def detach(self) -> int:
        """In the child: the file descriptor there."""
        if not self._to_fork:
            return self._number
        return forkserver.get_inherited_fds()[self._number]  # type: ignore[index]


class Boot:
    """The first that a child unpickles: it finds its parent, and plays what that one sends."""

    def __init__(self, connection: Passed, parent: int | None) -> None:
        self._connection, self._parent = connection, parent

    def _bootstrap(self, parent_sentinel: int) -> int:
        """Called by `multiprocessing.spawn` as it would call a process object's."""
        lead_a_group()
        tie_to_parent(parent_sentinel, self._parent)
        # Not ignored, since that would be inherited by all programs that are started here.
        signal.signal(signal.SIGINT, lambda *_: None)
        sock = socket.socket(fileno=self._connection.detach())
        sock.set_inheritable(False)
        # Only now, since they take ten times as long as all before.
        from .child import Child
        from .wire import Line

        line = Line(sock)
        os.register_at_fork(after_in_child=line.close)
        try:
            _, order = line.receive()
        except EOFError:
            end_group()
        Child(line, order).play()
        line.flush()
        # Nothing plays here any more: what still holds up the end, such as a thread, need not be asked.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return 0
