"""Why a command could not be started, in words."""

from __future__ import annotations

import errno
import os

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
        where = "" if by_path else f" in PATH={order.environment().get('PATH', os.defpath)}"
        return f"command not found{where}", program
    if number == errno.EACCES:
        return "command is not executable", program
    if number == errno.ENOEXEC:
        return "command is no program of this system; a script needs a first line with #!", program
    return f"command can't start: {why}", program
