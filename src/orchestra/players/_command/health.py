"""Looking after a program by its probes: until it is ready, and then as long as it serves."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ProbeFailedError
from ...log import in_words
from ...probes import Check, Probe


@dataclass(frozen=True, slots=True)
class Liveness:
    """A probe that looks `every` so many seconds, and how often it may fail in a row."""

    probe: Probe
    every: float
    failures: int


async def until_ready(probe: Probe, check: Check, tell: Callable[[str], None]) -> None:
    """Look until all is well; `tell` gets what is wrong until then."""
    while (wrong := await look(probe, check)) is not None:
        tell(wrong)
        await asyncio.sleep(probe.interval)


async def until_ill(
    liveness: Liveness, check: Check, name: str, beat: Callable[[], None]
) -> ProbeFailedError:
    """Look until the probe has failed too often in a row; `beat` is called when all is well."""
    failed = 0
    while True:
        await asyncio.sleep(liveness.every)
        wrong = await look(liveness.probe, check)
        if wrong is None:
            failed = 0
            beat()
            continue
        failed += 1
        if failed >= liveness.failures:
            times = "once" if failed == 1 else f"{failed} times in a row"
            return ProbeFailedError(f"{name}: {liveness.probe!r} failed {times}: {wrong}")


async def look(probe: Probe, check: Check) -> str | None:
    """Look once: what is wrong, or None if all is well."""
    limit = asyncio.timeout(None if probe.timeout == math.inf else probe.timeout)
    try:
        async with limit:
            await check()
    except Exception as error:
        if limit.expired():
            return f"nothing within {probe.timeout:g} s"
        return in_words(error)
    return None
