"""Nothing outlives the program, even when it is killed."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_kit import beside, needs_linux, running, tag, until_sync

PROGRAM = Path(__file__).parent / "programs" / "commands.py"
TIMES = int(os.environ.get("ORCHESTRA_KILLS", "10"))

pytestmark = needs_linux


@contextlib.contextmanager
def playing(mark: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    # With the modules in one piece of work before the first moment, or most kills would hit imports.
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), mark, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n"
        yield process
    finally:
        process.kill()
        process.communicate()
        for pid in running(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def left(mark: str, program: int) -> list[int]:
    return running(mark) + beside(program)


@pytest.mark.parametrize("number", range(TIMES))
def test_a_program_that_is_killed_leaves_nothing(number: int) -> None:
    """At whatever moment SIGKILL hits it: commands, their children and their minders are gone."""
    mark = tag()
    with playing(mark) as process:
        moment = random.Random(number).uniform(0, 0.6)
        time.sleep(moment)
        process.kill()
        process.wait()
        began = time.monotonic()
        until_sync(lambda: not left(mark, process.pid))
        print(f"killed after {moment:.3f} s, all gone in {time.monotonic() - began:.3f} s")


def test_a_fork_of_the_program_keeps_nothing_alive() -> None:
    """Also where a forked child of the program still has its descriptors."""
    mark = tag()
    with playing(mark, "forks") as process:
        until_sync(lambda: len(running(f"sleep\0{mark}")) >= 5)
        process.kill()
        process.wait()
        until_sync(lambda: not (set(left(mark, process.pid)) - set(forks(mark))))
        for pid in forks(mark):
            os.kill(pid, signal.SIGKILL)


def forks(mark: str) -> list[int]:
    return running(f"{PROGRAM}\0{mark}")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_of_its_processes_stops_it_gracefully(signum: signal.Signals) -> None:
    """Who tells launcher and minders too does no harm: they end when the program has."""
    mark = tag()
    with playing(mark) as process:
        until_sync(lambda: len(beside(process.pid)) >= 5)
        for pid in beside(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
        time.sleep(0.1)
        # What was hit between its fork and its program is no minder, and comes back.
        until_sync(lambda: len(beside(process.pid)) >= 5)
        process.terminate()
        process.wait()
        until_sync(lambda: not left(mark, process.pid))
