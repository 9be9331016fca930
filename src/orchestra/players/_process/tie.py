"""What ties a process to its parent: it ends when that one does, however that ends."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1


def lead_a_group() -> None:
    """Have a session and a process group of its own, if it has none."""
    if os.getpgrp() != os.getpid():
        os.setsid()


def tie_to_parent(alive: int, parent: int | None) -> None:
    """End with the parent: with whoever holds the other end of the pipe `alive`, or is `parent`."""
    if sys.platform == "linux":
        _have_group_killed(alive)
        _have_death_told()
    gone = parent is not None and os.getppid() != parent
    if gone or select.select([alive], [], [], 0)[0]:
        end_group()


def _have_group_killed(reader: int) -> None:
    """Have the kernel kill all in this group when this pipe gets readable, or ends.

    It does so at once, and also while this process is stuck in C and holds the interpreter's lock.
    """
    import fcntl

    with suppress(OSError):  # then the thread that reads from the parent does it
        fcntl.fcntl(reader, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(reader, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)


def _have_death_told() -> None:
    """Have the group killed when the parent ends, also if somebody else holds the other pipe.

    The kernel signals a parent's death to its child only. The one handler that Python has in C, and that
    runs whoever holds the interpreter's lock, writes to a pipe then.
    """
    import ctypes
    import faulthandler

    nobodys = signal.SIGRTMAX
    reader, writer = os.pipe()
    _have_group_killed(reader)
    faulthandler.register(nobodys, file=writer)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(nobodys), 0, 0, 0)


def end_group() -> NoReturn:
    """Kill this process and all in its group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
