"""The frame of the cases that start and stop processes: one program that keeps N children.

The program is started, and it is waited until each child has left a file with its pid: that is the
start. A second later, which does not count, it gets a SIGTERM, and it is waited until it has ended: that
is the stop. After it no child may be left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.case import given_size, report

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
POLL_EVERY = 0.002
LONGEST = 50.0
PAUSE = 1.0
"""Some lose children where the signal comes while they still start, and that is not the question here."""

SHELL_CHILD = ': > "$1/$$"\nexec sleep 3600\n'
PYTHON_CHILD = """\
import os, sys, time
open(os.path.join(sys.argv[1], str(os.getpid())), "x").close()
time.sleep(3600)
"""

Arrange = Callable[[Path, str, int], Sequence[str]]
"""From a folder, the command of a child, and how many there are to be: the program to start."""


def main(arrange: Arrange, *, python: bool = False) -> None:
    """Start and stop the program of a case, and report the seconds of both together."""
    size = given_size(10)
    # A socket's path may be no longer than a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        (folder / "pids").mkdir()
        command = arrange(folder, _child(folder, python), size)
        _measure(folder, command, size)
    finally:
        _kill(_pids(folder))
        shutil.rmtree(folder)


def program(name: str, *more: str) -> Arrange:
    """One of the programs that lie beside the cases; it is told the folder, the child, and how many."""
    return lambda folder, child, size: [*our_program(name), str(folder), child, str(size), *more]


def our_program(name: str) -> list[str]:
    """The command of one of the programs that lie beside the cases."""
    return [sys.executable, "-P", str(PROGRAMS / name)]


def installed(module: str) -> list[str]:
    """The command of a peer, or the `ModuleNotFoundError` that says that it is not there."""
    __import__(module.partition(".")[0])
    return [sys.executable, "-P", "-m", module]


def _child(folder: Path, python: bool) -> str:
    script = folder / "child"
    script.write_text(PYTHON_CHILD if python else SHELL_CHILD, encoding="utf-8")
    return f"{sys.executable if python else 'sh'} {script} {folder / 'pids'}"


def _measure(folder: Path, command: Sequence[str], size: int) -> None:
    said = folder / "said"
    with open(said, "wb") as file:
        began = time.perf_counter()
        program = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            while len(_pids(folder)) < size:
                if program.poll() is not None or time.perf_counter() - began > LONGEST:
                    raise AssertionError(f"{len(_pids(folder))} of {size} started: {_end(said)}")
                time.sleep(POLL_EVERY)
            started = time.perf_counter()
            time.sleep(PAUSE)
            asked = time.perf_counter()
            program.send_signal(signal.SIGTERM)
            program.wait(LONGEST)
            ended = time.perf_counter()
        finally:
            program.kill()
            program.wait()
    _check_none_left(_pids(folder), size)
    start, stop = started - began, ended - asked
    report(start + stop, start_ms=start * 1e3, stop_ms=stop * 1e3)


def _pids(folder: Path) -> list[int]:
    return [int(name) for name in os.listdir(folder / "pids")]


def _check_none_left(pids: Sequence[int], size: int) -> None:
    left = [pid for pid in pids if _goes_on(pid)]
    if left or len(pids) != size:
        raise AssertionError(f"{len(pids)} of {size} were started, and {len(left)} are left")


def _goes_on(pid: int) -> bool:
    """Whether it has not ended; one that only waits to be collected has."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end(said: Path) -> str:
    return " | ".join(said.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
