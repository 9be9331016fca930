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

PROGRAMS = Path(__file__).parent / "programs"
ALL_KINDS = PROGRAMS / "processes.py"
FORKING = PROGRAMS / "forking.py"

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
def playing(program: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    mark = f"mark-{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [sys.executable, str(program), *arguments],
        env={**os.environ, "MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "playing\n"
        yield process, mark
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", range(TIMES))
def test_a_program_that_is_killed_leaves_no_process(number: int) -> None:
    """At whatever moment SIGKILL hits it: the processes are gone, and so are all that they started."""
    with playing(ALL_KINDS) as (process, mark):
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
    with playing(ALL_KINDS) as (process, mark):
        until_sync(lambda: len(marked(mark)) >= 15)
        process.terminate()
        process.wait()
        until_sync(lambda: not marked(mark))


@pytest.mark.parametrize("mode", ["", "lock"])
def test_a_fork_of_the_program_holds_up_nothing(mode: str) -> None:
    """What the program had open may still be open in a fork of it: the whole group ends all the same."""
    with playing(FORKING, mode) as (process, mark):
        if mode:
            time.sleep(0.5)  # by then it is stuck
        family = [pid for pid in marked(mark) if os.getpgid(pid) != os.getpgid(process.pid)]
        assert len(family) == 3
        process.kill()
        process.wait()
        until_sync(lambda: not any(map(is_alive, family)))
