"""One measurement: a case in a fresh process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.suite import Outcome

BENCHMARKS = Path(__file__).resolve().parent.parent
SOURCE = BENCHMARKS.parent / "src"
SLOWING = (
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONMALLOC",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONTRACEMALLOC",
)


def measure(case: Path, args: Sequence[str], limit: float, into: Outcome) -> None:
    """Run a case once in a fresh process, and add what it reports to its outcome."""
    command = [sys.executable, "-P", str(case), *args]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        into.trouble, into.too_slow = f"> {limit:g} s, cut off", True
        return
    seconds = time.perf_counter() - start
    if done.returncode:
        _note_failure(done, into)
        return
    reported = json.loads(done.stdout)
    into.values.append(reported["value"])
    into.process_seconds.append(seconds)
    for name, value in reported["also"].items():
        into.also.setdefault(name, []).append(value)


def _environment() -> dict[str, str]:
    """Return the environment of a case: the library is that of this tree, and nothing slows it."""
    environment = {name: value for name, value in os.environ.items() if name not in SLOWING}
    environment["PYTHONPATH"] = os.pathsep.join((str(BENCHMARKS), str(SOURCE)))
    return environment


def _note_failure(done: subprocess.CompletedProcess[str], into: Outcome) -> None:
    """Write into an outcome why a process failed; a library that is missing is nobody's fault."""
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if last.startswith("ModuleNotFoundError: "):
        into.trouble = "not measured: " + last.removeprefix("ModuleNotFoundError: ")
    else:
        into.trouble = "failed: " + last
        into.broken = True
