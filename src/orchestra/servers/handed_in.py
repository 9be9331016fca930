"""Sockets that somebody else has bound: objects, numbers of file descriptors, or those from systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import nearest
from .explained import explained
from .sockets import close_all, duplicate, url_of

HandedIn = tuple[socket.socket | int, ...]

SYSTEMD: Final = "systemd"
_FIRST_FD: Final = 3


def checked_sockets(given: Any) -> HandedIn:
    """What was handed in; `TypeError` or `ValueError` if it can't be listened on.

    `"systemd"` stands for what systemd has passed, `"systemd:name"` for that under this
    FileDescriptorName.
    """
    if isinstance(given, socket.socket):
        raise TypeError("sockets must be several, as in [sock]")
    if isinstance(given, str):
        given = _from_systemd(given)
    if not isinstance(given, Iterable):
        raise TypeError(f"sockets must be several, as in [sock] or [3], not {given!r}")
    sockets = tuple(given)
    if not sockets:
        raise ValueError("sockets is empty")
    for one in sockets:
        _check(one)
    return sockets


def duplicates_of(sockets: HandedIn) -> list[socket.socket]:
    """Sockets of our own for the same; an `OSError` if they have been closed meanwhile."""
    made: list[socket.socket] = []
    try:
        with explained("can't listen on the sockets given"):
            for one in sockets:
                made.append(_duplicate(one))
    except BaseException:
        close_all(made)
        raise
    return made


def in_words_of(sockets: HandedIn) -> str:
    """Where they listen."""
    found = []
    for one in sockets:
        try:
            with _duplicate(one) as sock:
                found.append(url_of(sock, "tcp"))
        except OSError:
            pass  # closed
    return " and ".join(found) or "closed sockets"


def passed_by_systemd(environ: Mapping[str, str], pid: int) -> list[tuple[str, int]]:
    """The names and numbers of the file descriptors that systemd has passed to this process.

    >>> passed_by_systemd({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}, pid=7)
    [('web', 3), ('admin', 4)]
    """
    number, whose = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_PID", "")
    if not number or not whose:
        raise ValueError(
            "systemd has passed no sockets: LISTEN_FDS and LISTEN_PID are not set. "
            "It does so for a service that has a .socket unit"
        )
    if not (number.isdecimal() and int(number) and whose.isdecimal()):
        raise ValueError(
            f"systemd has passed no sockets: LISTEN_FDS is {number!r}, LISTEN_PID is {whose!r}"
        )
    if int(whose) != pid:
        raise ValueError(
            f"systemd has passed its sockets to the process {whose} (LISTEN_PID), and this is {pid}"
        )
    fds = range(_FIRST_FD, _FIRST_FD + int(number))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * (len(fds) - len(names))
    return list(zip(names, fds, strict=False))


def _from_systemd(given: str) -> list[int]:
    word, colon, name = given.partition(":")
    if word != SYSTEMD:
        raise ValueError(f"sockets={given!r} is unknown. {nearest(given, [SYSTEMD])}")
    passed = passed_by_systemd(os.environ, os.getpid())
    found = [fd for own, fd in passed if not colon or own == name]
    if not found:
        raise ValueError(
            f"systemd has passed no socket named {name!r}. {nearest(name, [own for own, _ in passed])}"
        )
    for fd in found:
        with explained(f"systemd has passed the file descriptor {fd}, and it can't be used"):
            # For us alone, and not for the programs that this one starts.
            os.set_inheritable(fd, False)
    return found


def _check(one: Any) -> None:
    if isinstance(one, bool) or not isinstance(one, (socket.socket, int)):
        raise TypeError(
            f"sockets must be of socket.socket, or numbers of file descriptors, not {one!r}"
        )
    try:
        sock = _duplicate(one)
    except (OSError, OverflowError):
        raise ValueError(f"{_named(one)} is no open stream socket") from None
    with sock:
        if sock.type != socket.SOCK_STREAM:
            raise ValueError(f"{_named(one)} is no open stream socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not sock.getsockname()[1]:
            raise ValueError(f"{_named(one)} is not bound to a port")


def _named(one: socket.socket | int) -> str:
    return f"the file descriptor {one}" if isinstance(one, int) else repr(one)


def _duplicate(one: socket.socket | int) -> socket.socket:
    if isinstance(one, socket.socket):
        return duplicate(one)
    fd = os.dup(one)
    try:
        return socket.socket(fileno=fd)
    except BaseException:
        os.close(fd)
        raise
