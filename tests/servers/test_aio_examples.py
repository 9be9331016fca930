"""The programs in examples/, as a user would run them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.real_time


class Example:
    """A program that runs, and the lines that it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []

    def address(self, name: str) -> str:
        """Where one of its servers listens, as it says when it is ready."""
        return self.wait_for(rf"{name}: ready .*(http://127\.0\.0\.1:\d+)")[1]

    def wait_for(self, pattern: str) -> re.Match[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended without {pattern!r}: {self.lines}")

    def end(self) -> int:
        """Ask it to stop; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        rest, _ = self._process.communicate(timeout=40)
        self.lines += rest.splitlines()
        return self._process.returncode


@contextmanager
def running(name: str) -> Iterator[Example]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PORT": "0", "ADMIN_PORT": "0"},
    )
    try:
        yield Example(process)
    finally:
        process.kill()
        process.communicate()


def in_order(lines: list[str], *wanted: str) -> bool:
    """Whether these lines are there, in this order."""
    left = iter(lines)
    return all(any(want in line for line in left) for want in wanted)


def test_an_aiohttp_application_with_a_worker() -> None:
    """The worker delivers what requests have brought, and outlives the server."""
    with running("aiohttp_app.py") as example, httpx.Client(trust_env=False, timeout=30) as client:
        url = example.address("api")
        answer = client.post(f"{url}/letters", content="dear reader")
        assert answer.status_code == 202
        example.wait_for("delivered: dear reader")
        assert example.end() == 0, example.lines
    assert in_order(example.lines, "api: stopping", "api: stopped", "worker: stopping")


def test_the_server_for_operators_stops_last() -> None:
    """Both serve; on SIGTERM the public one is over before the other is asked."""
    with running("two_servers.py") as example, httpx.Client(trust_env=False, timeout=30) as client:
        admin = example.address("admin")
        public = example.address("public")
        assert client.get(public).text == "hello\n"
        assert client.get(f"{admin}/requests").json() == {"served": 1}
        assert example.end() == 0, example.lines
    assert in_order(
        example.lines, "admin: ready", "public: ready", "public: stopped", "admin: stopping"
    )
