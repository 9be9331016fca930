"""The programs of this user that can be steered, and the one that is meant."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..web.client import Client
from ..web.directory import sockets
from .deadline import Deadline
from .failures import Failure, Misused, Unknown

NOBODY = "no program plays: play one with `orchestra play`, or give yours a StatusPlayer()"


class Program(NamedTuple):
    """A program as its socket names it."""

    name: str
    pid: int | None
    socket: Path

    @property
    def client(self) -> Client:
        """What asks it."""
        return Client(self.socket)

    def __str__(self) -> str:
        return self.name if self.pid is None else f"{self.name} (pid {self.pid})"


def running() -> list[Program]:
    """All programs, the newest first; the sockets of those that are gone are removed."""
    try:
        found = [program_at(path) for path in sockets()]
    except PermissionError as error:
        raise Failure(str(error)) from None
    return [program for program in found if _listens(program)]


def find(given: str | None) -> Program:
    """The program with this name, pid or path of a socket, or the only one; else a `Failure`."""
    if given is not None and "/" in given:
        return Program(given, None, Path(given))
    programs = running()
    if given is not None:
        return _only(
            [one for one in programs if given in (one.name, str(one.pid))], programs, given
        )
    return _only(programs, programs, None)


def _only(found: Sequence[Program], known: Sequence[Program], given: str | None) -> Program:
    if len(found) == 1:
        return found[0]
    if not known:
        raise Unknown(NOBODY)
    if not found:
        from ..errors import nearest

        names = {one.name for one in known}
        raise Unknown(f"no program {given!r} plays. {nearest(str(given), names)}")
    which = ", ".join(f"{one}" for one in found)
    how = "its name or its pid" if given is None else "its pid"
    raise Misused(f"several programs play: {which}; say which by --program with {how}")


def program_at(path: Path) -> Program:
    """What the name of a socket says.

    >>> program_at(Path("/run/my-shop-42.sock"))[:2]
    ('my-shop', 42)
    """
    name, _, pid = path.name.removesuffix(".sock").rpartition("-")
    if pid.isascii() and pid.isdecimal() and name:
        return Program(name, int(pid), path)
    return Program(path.name.removesuffix(".sock"), None, path)


def _listens(program: Program) -> bool:
    """Whether somebody does; the socket of one that is gone, as after a SIGKILL, is taken away."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(program.socket))
        except BlockingIOError:
            pass  # it is only busy
        except OSError:
            if program.pid is not None and not _is_alive(program.pid):
                program.socket.unlink(missing_ok=True)
            return False
    return True


def plays(program: Program) -> bool:
    """Whether a program listens, or its process goes on."""
    return _listens(program) or (program.pid is not None and _is_alive(program.pid))


def until_gone(program: Program, deadline: Deadline) -> None:
    """Wait until a program has ended."""
    while plays(program):
        deadline.pause(f"{program} still plays")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    try:
        # One that nobody has waited for yet has ended, too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True
