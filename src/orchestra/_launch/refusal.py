"""Why a command could not be started, in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..errors import did_you_mean
from .order import Order


def refused(order: Order, stage: str, number: int) -> OSError:
    """The error for a command that failed to start at this stage: of the class that fits it."""
    text, subject = _explained(order, stage, number)
    return OSError(number, text, subject) if subject else OSError(number, text)


def _explained(order: Order, stage: str, number: int) -> tuple[str, str | None]:
    why = os.strerror(number)
    if stage == "exec":
        return _about_program(order, number, why)
    if stage == "cwd":
        return f"{order.name} can't start in its cwd: {why}", order.working_directory()
    if stage == "user":
        user, group = order.user.user, order.user.group
        return f"{order.name} can't start as user {user} and group {group}: {why}", None
    return f"{order.name} can't start: no process for it: {why}", None


def _about_program(order: Order, number: int, why: str) -> tuple[str, str]:
    program = order.argv[0]
    by_path = "/" in program
    if number == errno.ENOENT:
        # Relative to where it was to start.
        if by_path and os.path.exists(os.path.join(order.working_directory(), program)):
            return "command can't start: what its first line names to run it was not found", program
        return _not_found(order, program, by_path=by_path), program
    if number == errno.EACCES:
        return "command is not executable", program
    if number == errno.ENOEXEC:
        return "command is no program of this system; a script needs a first line with #!", program
    return f"command can't start: {why}", program


def _not_found(order: Order, program: str, *, by_path: bool) -> str:
    if by_path:
        folder, _, name = os.path.join(order.working_directory(), program).rpartition("/")
        where, folders = "", [folder]
    else:
        path = order.environment().get("PATH", os.defpath)
        where, folders, name = f" in PATH={path}", path.split(os.pathsep), program
    hint = _hint(name, folders, alone=len(order.argv) == 1)
    return f"command not found{hint and f' ({hint})'}{where}"


def _hint(name: str, folders: Sequence[str], *, alone: bool) -> str:
    """What was meant, as far as one can guess."""
    if alone and " " in name:
        return "in a list, each argument is a string of its own"
    if "=" in name:
        return "variables are given as env="
    hint = did_you_mean(name, set(_programs(folders, len(name))))
    return hint and hint[0].lower() + hint[1:]


def _programs(folders: Sequence[str], length: int) -> Iterator[str]:
    """The programs in these folders whose names are about as long."""
    for folder in folders:
        with suppress(OSError):
            for name in os.listdir(folder or "."):
                near = abs(len(name) - length) <= 2
                if near and os.access(os.path.join(folder, name), os.X_OK):
                    yield name
