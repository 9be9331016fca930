"""The frame of the cases about output: one child that prints lines, and what brings them to a file.

The clock runs from when the first of them are in the file to the end of the program, so that its start
does not count. All lines have to be there.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.case import given_size, report
from harness.supervising import our_program

LINE = "0123456789" * 9 + "abcdefghi"  # a hundred bytes with its end
BEGUN = 2000
"""Bytes in the file from which on it has begun: more than a program says of itself."""

POLL_EVERY = 0.002
LONGEST = 55.0

CHILD = f"""\
import os, sys
block = b"{LINE}\\n" * 100
for _ in range(int(sys.argv[1]) // 100):
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(1, rest):]
"""

Arrange = Callable[[Path, str], Sequence[str]]
"""From a folder and the command of the child: the program to start."""


def program(name: str, *more: str) -> Arrange:
    """One of the programs that lie beside the cases; it is told the child."""
    return lambda folder, child: [*our_program(name), child, *more]


def main(arrange: Arrange) -> None:
    """Run the program of a case, and report the bytes of the child's output for each second."""
    size = given_size(10_000)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        (folder / "child").write_text(CHILD, encoding="utf-8")
        command = arrange(folder, f"{sys.executable} -S {folder / 'child'} {size}")
        seconds = _measure(command, folder / "out")
        with open(folder / "out", encoding="utf-8", errors="replace") as file:
            lines = sum(LINE in line for line in file)
        if lines != size:
            raise AssertionError(f"{lines} of {size} lines came through")
        size_of_all = size * (len(LINE) + 1)
        report(size_of_all / seconds, MB_per_cpu_second=size_of_all / 1e6 / _cpu_seconds())
    finally:
        shutil.rmtree(folder)


def _cpu_seconds() -> float:
    """What the program and all below it have used, its start included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(command: Sequence[str], out: Path) -> float:
    with open(out, "wb") as file:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL
        )
        try:
            while out.stat().st_size < BEGUN and program.poll() is None:
                time.sleep(POLL_EVERY)
            began = time.perf_counter()
            program.wait(LONGEST)
            return time.perf_counter() - began
        finally:
            program.kill()
            program.wait()
