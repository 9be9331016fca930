"""The frame of the serving cases: two servers side by side, and load for them by turns."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.case import given_size, report
from harness.load import REQUEST, requests_a_second
from programs.serving import BODY, HOST

START_WITHIN = 20.0
END_WITHIN = 5.0
BURST = 1.0


@dataclass(slots=True)
class Served:
    """A program that serves, and what has been measured of it."""

    process: subprocess.Popen[bytes]
    port: int
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds a request

    def load(self) -> None:
        """One burst."""
        before = _cpu_seconds(self.process.pid)
        rate = requests_a_second(HOST, self.port, BURST)
        spent = _cpu_seconds(self.process.pid) - before
        self.rates.append(rate)
        self.cpu.append(spent / (rate * BURST))


def main(library: str) -> None:
    """Report how many requests a second `ServerPlayer` answers for each of the bare library's."""
    pairs = given_size(5)
    __import__(library.partition("_")[0])
    with served("bare", library) as bare, served("orchestra", library) as ours:
        for number in range(-1, pairs):
            for one in (bare, ours) if number % 2 else (ours, bare):
                one.load()
            if number < 0:  # only to get warm
                for kept in (bare.rates, bare.cpu, ours.rates, ours.cpu):
                    kept.clear()
    ratios = [mine / its for mine, its in zip(ours.rates, bare.rates, strict=True)]
    costs = [mine / its for mine, its in zip(ours.cpu, bare.cpu, strict=True)]
    report(
        statistics.median(ratios),
        bare_a_second=statistics.median(bare.rates),
        bare_us_cpu=statistics.median(bare.cpu) * 1e6,
        cpu_ratio=statistics.median(costs),
    )


@contextmanager
def served(how: str, library: str) -> Iterator[Served]:
    """The program, once it serves; it is killed afterwards if it has not ended."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-m", "programs.serving", how, library, str(port)]
    # Each in a session of its own, since Linux may share the processors out to sessions first: the one
    # that lies in ours would get less of them beside the client, and the one that begins another more.
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            _wait_for(process, port)
            yield Served(process, port)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asked first: one that is killed may leave its own processes behind."""
    process.terminate()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Until the program answers: it may listen before anybody serves."""
    deadline = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            idle_client(port).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(f"{process.args} does not serve")


def idle_client(port: int) -> socket.socket:
    """A connection that has had an answer, and is kept."""
    sock = socket.create_connection((HOST, port), timeout=START_WITHIN)
    try:
        sock.sendall(REQUEST)
        got = b""
        while not got.endswith(BODY):
            more = sock.recv(4096)
            if not more:
                raise ConnectionError("the connection was closed before the answer")
            got += more
    except BaseException:
        sock.close()
        raise
    return sock


def _cpu_seconds(pid: int) -> float:
    """The time that a process and its children have had of the processors so far."""
    if sys.platform != "linux":
        return float("nan")  # nobody tells
    seconds = 0.0
    for each in (pid, *_children(pid)):
        # The clock of another process, as clock_getcpuclockid(3) makes it of its number.
        seconds += time.clock_gettime((~each << 3) | 2)
    return seconds


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]
