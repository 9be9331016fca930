"""What the tests of processes share."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from orchestra import Conductor, Performance, playing


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another process."""
    while not condition():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def shown(player: Any, *, timeout: float = 9.0, **terms: Any) -> AsyncIterator[Performance]:
    """Play it as `group.it`."""
    group = Conductor({"it": player}, timeout=timeout)
    async with playing(Conductor({"group": group}, timeout=timeout), **terms) as performance:
        yield performance


def is_alive(pid: int) -> bool:
    """Whether a process goes on; one that has ended and waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pid_of(performance: Performance, path: str = "group.it") -> int:
    pid = performance.status().find(path).details["pid"]
    assert isinstance(pid, int)
    assert pid != os.getpid()
    return pid
