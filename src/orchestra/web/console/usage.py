"""CPU and memory of processes, as Linux tells them in /proc; nothing elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

FRESH: Final = 1.0
"""Seconds in which what was measured is given again: a shorter interval says little."""

OF_PROCESSES: Final = {"process", "command"}
"""The kinds of players that are a process of their own, whose `pid` is in their details.

It leads a session, and all that it has started belongs to that, unless it has made one of its own.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process has used, or several together: seconds of CPU, and bytes of memory just now.

    What a process has waited for counts as its own, so the sum of a family does not shrink.
    """

    session: int
    started: int  # in ticks since the boot: another process may get the same pid later
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one: when it was measured, and its share of a core until then."""

    at: float
    measured: Measured
    share: float | None


class Usage:
    """How much CPU and memory processes use, from one look to the next."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._sessions: dict[int, Measured] = {}
        self._looked = -FRESH

    def of_process(self, pid: int) -> tuple[float | None, int | None]:
        """The CPU of one process as a share of one core since the last look, and its memory in bytes.

        None where it is not known: at the first look, after its end, and on other systems.
        """
        return self._since_last(pid, lambda: measure(pid))

    def of_session(self, pid: int) -> tuple[float | None, int | None]:
        """The same of a process that leads a session, together with all that belongs to that."""
        return self._since_last(pid, lambda: self._all().get(pid))

    def _since_last(self, pid: int, look: Any) -> tuple[float | None, int | None]:
        now, before = time.monotonic(), self._known.get(pid)
        if before is not None and now - before.at < FRESH:
            return before.share, before.measured.memory
        found: Measured | None = look()
        if found is None:
            self._known.pop(pid, None)
            return None, None
        share = None if before is None else share_of(before.measured, found, now - before.at)
        self._known[pid] = _Known(now, found, share)
        return share, found.memory

    def _all(self) -> dict[int, Measured]:
        now = time.monotonic()
        if now - self._looked >= FRESH:
            pids = [int(name) for name in _listing() if name.isdigit()]
            self._sessions, self._looked = by_session(map(measure, pids)), now
        return self._sessions

    def add_to(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of a player with its `cpu` and its `memory`, null where it is no process."""
        runs = row["kind"] in OF_PROCESSES and row["uptime"] is not None
        pid = row["details"].get("pid") if runs else None
        cpu, memory = self.of_session(pid) if isinstance(pid, int) else (None, None)
        return {**row, "cpu": cpu, "memory": memory}

    def forget_all_but(self, rows: list[dict[str, Any]]) -> None:
        """Forget the processes that are none of these players' any more."""
        alive = {row["details"].get("pid") for row in rows} | {os.getpid()}
        self._known = {pid: known for pid, known in self._known.items() if pid in alive}


def share_of(before: Measured, after: Measured, seconds: float) -> float | None:
    """The share of one core between two looks; None if it is another process by now.

    >>> share_of(Measured(5, 1, 10.0, 0), Measured(5, 1, 11.0, 0), 2.0)
    0.5
    """
    if before.started != after.started or seconds <= 0:
        return None
    return round(max(0.0, after.cpu - before.cpu) / seconds, 3)


def by_session(processes: Iterable[Measured | None]) -> dict[int, Measured]:
    """What the processes of each session use together.

    >>> by_session([Measured(5, 7, 1.0, 100), None, Measured(5, 8, 0.5, 20)])
    {5: Measured(session=5, started=7, cpu=1.5, memory=120)}
    """
    found: dict[int, Measured] = {}
    for one in processes:
        if one is None:
            continue
        known = found.get(one.session, Measured(one.session, one.started, 0.0, 0))
        found[one.session] = Measured(
            one.session,
            min(known.started, one.started),
            known.cpu + one.cpu,
            known.memory + one.memory,
        )
    return found


def measure(pid: int) -> Measured | None:
    """What a process has used; None if the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of its program is in brackets, and may have anything in it.
            fields = [int(field) for field in file.read().rpartition(b")")[2].split()[1:]]
        session, cpu, started, pages = fields[2], sum(fields[10:14]), fields[18], fields[20]
    except (OSError, ValueError, IndexError):
        return None
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return Measured(session, started, cpu / tick, pages * page)


def _listing() -> list[str]:
    try:
        return os.listdir("/proc")
    except OSError:
        return []
