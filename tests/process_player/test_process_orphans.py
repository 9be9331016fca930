"""No process outlives the program, even when that is killed."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_kit import is_alive

PROGRAM = Path(__file__).parent / "programs" / "processes.py"

TIMES = int(os.environ.get("ORCHESTRA_KILLS", "5"))
LONGEST = 4.0
"""Seconds until the last moment: by then all play, with their children, on a slow machine too."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux kills a process that holds the interpreter's lock"
)


def marked(mark: str) -> list[int]:
    """The processes that go on with this in their environment, as all have that came of a program."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes() and is_alive(pid):
                found.append(pid)
    return found


def until_sync(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


@contextlib.contextmanager
def playing() -> Iterator[tuple[subprocess.Popen[str], str]]:
    mark = f"mark-{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        env={**os.environ, "MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n"
        yield process, mark
    finally:
        process.kill()
        process.communicate()
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", range(TIMES))
def test_a_program_that_is_killed_leaves_no_process(number: int) -> None:
    """At whatever moment SIGKILL hits it: the processes are gone, and so are all that they started."""
    with playing() as (process, mark):
        moment = random.Random(number).uniform(0, LONGEST)
        time.sleep(moment)
        there = len(marked(mark))
        process.kill()
        process.wait()
        began = time.monotonic()
        until_sync(lambda: not marked(mark))
        gone = time.monotonic() - began
        print(f"killed after {moment:.3f} s, {there} processes, all gone in {gone:.3f} s")


def test_a_graceful_stop_leaves_no_process() -> None:
    """Nor does a stop, though some of them can only be killed."""
    with playing() as (process, mark):
        until_sync(lambda: len(marked(mark)) >= 15)
        process.terminate()
        process.wait()
        until_sync(lambda: not marked(mark))
