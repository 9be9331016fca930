"""CPU and memory of processes, as Linux tells them in /proc; nothing elsewhere."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Final

FRESH: Final = 1.0
"""Seconds in which what was measured is given again: a shorter interval says little."""

OF_PROCESSES: Final = {"process", "command"}
"""The kinds of players that are a process of their own, whose `pid` is in their details."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process has used until then: seconds of CPU, and bytes of memory at this moment."""

    at: float
    started: int  # in ticks since the boot: another process may get the same pid later
    cpu: float
    memory: int


class Usage:
    """How much CPU and memory processes use, from one look to the next."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Measured, float | None]] = {}

    def of(self, pid: int) -> tuple[float | None, int | None]:
        """The CPU of a process as a fraction of one core since the last look, and its memory in bytes.

        None where it is not known: at the first look, after its end, and on other systems.
        """
        before, fraction = self._known.get(pid, (None, None))
        now = time.monotonic()
        if before is not None and now - before.at < FRESH:
            return fraction, before.memory
        found = measure(pid, now)
        if found is None:
            self._known.pop(pid, None)
            return None, None
        fraction = None if before is None else fraction_of(before, found)
        self._known[pid] = found, fraction
        return fraction, found.memory

    def add_to(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of a player with its `cpu` and its `memory`, null where it is no process."""
        runs = row["kind"] in OF_PROCESSES and row["uptime"] is not None
        pid = row["details"].get("pid") if runs else None
        cpu, memory = self.of(pid) if isinstance(pid, int) else (None, None)
        return {**row, "cpu": cpu, "memory": memory}

    def forget_all_but(self, rows: list[dict[str, Any]]) -> None:
        """Forget the processes that are none of these players' any more."""
        alive = {row["details"].get("pid") for row in rows} | {os.getpid()}
        self._known = {pid: known for pid, known in self._known.items() if pid in alive}


def fraction_of(before: Measured, after: Measured) -> float | None:
    """The share of one core between two looks; None if it is another process by now.

    >>> fraction_of(Measured(0.0, 1, 10.0, 0), Measured(2.0, 1, 11.0, 0))
    0.5
    """
    if before.started != after.started or after.at <= before.at:
        return None
    return round(max(0.0, after.cpu - before.cpu) / (after.at - before.at), 3)


def measure(pid: int, at: float) -> Measured | None:
    """What a process has used; None if the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of its program is in brackets, and may have anything in it.
            fields = file.read().rpartition(b")")[2].split()
        user, system, started, pages = (int(fields[at]) for at in (11, 12, 19, 21))
    except (OSError, ValueError, IndexError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return Measured(at, started, (user + system) / ticks, pages * os.sysconf("SC_PAGE_SIZE"))
