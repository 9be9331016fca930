"""What the figures depend on: the machine, the interpreter, and the versions of the libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

OURS = "orchestra-players"
PEERS = (
    "aiomisc",
    "aiotools",
    "anyio",
    "circus",
    "honcho",
    "mode-streaming",
    "quattro",
    "supervisor",
)
SERVERS = ("aiohttp", "granian", "h11", "httptools", "uvicorn", "uvloop")


def machine_facts() -> dict[str, object]:
    """Return the facts about this machine, with the versions of the libraries compared."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load at the start": _load(),
        "versions": {name: _version(name) for name in (OURS, *PEERS, *SERVERS)},
    }


def _version(name: str) -> str:
    """Return the version of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "from the source tree" if name == OURS else "not installed"


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _load() -> float | None:
    """Return the load of the last minute: other work on the machine blurs the figures."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
