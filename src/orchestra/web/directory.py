"""Where the Unix sockets lie by which programs of one user are seen and steered."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

MOMENT: Final = 60.0
"""Seconds in which a new socket is left alone though nobody listens there."""

LONGEST: Final = 107 if sys.platform == "linux" else 103
"""Bytes that the path of a Unix socket may have, in this system's `sockaddr_un`."""


def directory() -> Path:
    """The user's own folder for them, which is made if there is none: `$XDG_RUNTIME_DIR/orchestra`.

    Where there is no such runtime directory that belongs to the user, it is `orchestra-UID` in the
    folder for temporary files. Raises `PermissionError` if others may write to it, or it is theirs.
    """
    path = _place()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _check(path)
    return path


def socket_path(name: str, pid: int) -> Path:
    """Where the socket of a program of this name lies, in `directory()`.

    A name that is too long, or has signs that no file should have in its name, is shortened. Raises
    `OSError` if there is no room even for the shortest.
    """
    folder = directory()
    end = f"-{pid}.sock"
    room = LONGEST - len(os.fsencode(folder)) - 1 - len(end)
    if room < 1:
        raise OSError(
            f"the path of a Unix socket may have {LONGEST} bytes, and there is no room for one in "
            f"{str(folder)!r}: set XDG_RUNTIME_DIR to a shorter path, or give uds=..."
        )
    short = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:room].lstrip(".")
    return folder / f"{short or 'x'}{end}"


def sockets() -> list[Path]:
    """The sockets in the directory, the newest first, whether or not somebody still listens there.

    None if there is no such directory. Raises `PermissionError` as `directory` does.
    """
    folder = _place()
    if not os.path.lexists(folder):
        return []
    _check(folder)
    found = []
    for path in folder.glob("*.sock"):
        try:
            found.append((path.lstat().st_mtime_ns, path))
        except FileNotFoundError:
            pass  # its program has ended just now
    return [path for _, path in sorted(found, reverse=True)]


def remove_stale() -> None:
    """Remove the sockets of programs that have ended without doing so, as by SIGKILL."""
    from ..servers.sockets import remove_stale as remove_stale_socket  # with all of asyncio

    for path in sockets():
        with suppress(OSError):
            # Whoever is about to listen has bound a moment ago.
            if time.time() - path.lstat().st_mtime > MOMENT:
                remove_stale_socket(str(path))


def _place() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given) and _is_ours(given):
        return Path(given, "orchestra")
    import tempfile  # takes long to import, and is rarely needed

    return Path(tempfile.gettempdir(), f"orchestra-{_uid()}")


def _is_ours(path: str) -> bool:
    # After `su` it may be that of somebody else.
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == _uid()


def _check(path: Path) -> None:
    # A link might lead to where somebody else may write.
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{str(path)!r} is no directory")
    if found.st_uid != _uid() or (os.name == "posix" and found.st_mode & 0o077):
        raise PermissionError(
            f"{str(path)!r} has to belong to the user {_uid()} alone, with the mode 0700, for sockets "
            f"to lie in it; it belongs to {found.st_uid}, with the mode {found.st_mode & 0o777:04o}"
        )


def _uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
