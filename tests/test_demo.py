"""The demo as a user sees it: a process that serves, is stopped by a signal, and tells how that went."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest


class Demo:
    """A demo in a process of its own, whose output the test reads line by line."""

    def __init__(self, file: Path, **environment: str) -> None:
        self.file = file
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestra.demo"],
            env=os.environ | {"DEMO_DB": str(file)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_for(self, wanted: str) -> str:
        """Read until there is a line with this in it."""
        for line in self._read():
            if wanted in line:
                return line
        raise AssertionError(f"it ended without {wanted!r}:\n{self.output}")

    def address(self) -> str:
        """Where it serves, once all of it does."""
        address = self.wait_for("serving at").split()[-1]
        self.wait_for("conductor: ready")
        return address

    def send(self, signum: int) -> None:
        self._process.send_signal(signum)

    def end(self) -> int:
        """Read to the end; the exit code."""
        for _ in self._read():
            pass
        return self._process.wait()

    def _read(self) -> Iterator[str]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            self.lines.append(line.rstrip("\n"))
            yield self.lines[-1]

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def number(self, fact: str) -> int:
        """A number of the account at the end."""
        found = re.search(rf"^  {fact} +(\d+)$", self.output, re.MULTILINE)
        assert found, self.output
        return int(found[1])

    def rows(self) -> dict[int, str | None]:
        """The rows in the file, by another reader than the demo's own."""
        with closing(sqlite3.connect(self.file)) as db:
            return dict(db.execute("SELECT id, result FROM jobs"))


class Load:
    """Clients in threads that send jobs until nobody answers, and keep the numbers they were given."""

    def __init__(self, address: str, clients: int = 4) -> None:
        self.receipts: list[int] = []
        self.well_under_way = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(address,)) for _ in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, address: str) -> None:
        with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
            try:
                while True:
                    answer = client.post("/jobs", content="a job")
                    if answer.status_code == 202:
                        self.receipts.append(answer.json()["id"])
                    if len(self.receipts) >= 20:
                        self.well_under_way.set()
            except httpx.TransportError:
                self.well_under_way.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.sqlite"


def test_by_itself(file: Path) -> None:
    """With DEMO_SECONDS it sends itself jobs and then SIGTERM, loses none of them, and exits with 0."""
    with Demo(file, DEMO_SECONDS="2") as demo:
        assert demo.end() == 0, demo.output
        rows = demo.rows()
        assert demo.number("jobs accepted") == demo.number("rows written") == len(rows) > 0
        assert demo.number("requests under way at SIGTERM") > 0
        assert "Nothing that was accepted is lost." in demo.output
        assert re.search(r"^Stopped in \d+\.\d+ s$", demo.output, re.MULTILINE)
        assert "conductor: stopping: SIGTERM" in demo.output
        assert "Traceback" not in demo.output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_under_load(file: Path, signum: signal.Signals) -> None:
    """What clients were told to be accepted is written, though the signal comes between their requests."""
    with Demo(file) as demo:
        load = Load(demo.address())
        load.well_under_way.wait()
        demo.send(signum)
        code = demo.end()
        load.join()
        assert code == 0, demo.output
        assert len(load.receipts) >= 20
        assert set(load.receipts) <= set(demo.rows())
        assert f"conductor: stopping: {signum.name}" in demo.output


def test_it_can_be_watched(file: Path) -> None:
    """The address of the page is printed, with which the players are seen, the last to stop last."""
    with Demo(file) as demo:
        demo.address()
        page = demo.output.partition("watch it    ")[2].splitlines()[0]
        base, _, token = page.partition("/#token=")
        bearer = {"authorization": f"Bearer {token}"}
        assert "<title>" in httpx.get(base, trust_env=False).text
        found = httpx.get(f"{base}/api/players", headers=bearer, trust_env=False).json()
        rows = {row["path"]: row for row in found["players"]}
        assert {"jobs.worker", "web", "primes", "clock", "status"} <= set(rows)
        demo.send(signal.SIGINT)
        assert demo.end() == 0, demo.output
        assert demo.output.index("jobs.store: stopped") < demo.output.index("status: stopped")


def test_it_stops_in_order(file: Path) -> None:
    """The API has stopped before the worker is asked to, and that before the store is."""
    with Demo(file) as demo:
        demo.address()
        demo.send(signal.SIGINT)
        assert demo.end() == 0, demo.output
        steps = [
            "web: stopped",
            "jobs.worker: stopping",
            "jobs.worker: stopped",
            "jobs.store: stopping",
            "jobs.store: stopped",
        ]
        places = [demo.output.index(step) for step in steps]
        assert places == sorted(places)
        for name in ("web", "jobs.worker", "jobs.store", "jobs.flaky"):
            assert re.search(rf"^  {name} +\d+\.\d+ s  [·━]+$", demo.output, re.MULTILINE)


def test_a_second_signal(file: Path) -> None:
    """It cuts everything off, and the demo says honestly which accepted jobs are lost by that."""
    with Demo(file) as demo:
        load = Load(demo.address())
        load.well_under_way.wait()
        demo.send(signal.SIGINT)
        demo.wait_for("jobs.worker: stopping")
        demo.send(signal.SIGINT)
        code = demo.end()
        load.join()
        lost = set(load.receipts) - set(demo.rows())
        told = re.search(r"Lost, although accepted: \[(.*)\]", demo.output)
        # More may be lost than the clients know of, since their last answers may not have come.
        assert lost <= ({int(number) for number in told[1].split(",")} if told else set())
        # Under load the worker may have been done when the second one came.
        if "cut off" in demo.output:
            assert code == (1 if told else 3), demo.output
            assert "Cut off before they had stopped" in demo.output
        else:
            assert code == 0, demo.output


def test_a_stuck_player(file: Path) -> None:
    """STUCK=1 ends all the same, with 3, and the screen ends with who was stuck and at which line."""
    with Demo(file, STUCK="1") as demo:
        demo.address()
        demo.send(signal.SIGINT)
        assert demo.end() == 3, demo.output
        explanation = demo.output[demo.output.index("Cut off before they had stopped") :]
        assert "  stuck\n" in explanation
        assert re.search(r"troubled\.py:\d+ in print_labels: time\.sleep", explanation)
        assert "jobs.worker" not in explanation
        assert "Traceback" not in demo.output


def test_a_port_that_is_taken(file: Path) -> None:
    """It says so, in words and without a traceback, and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Demo(file, DEMO_PORT=port) as demo:
            assert demo.end() == 1
            assert f"can't listen on 127.0.0.1:{port}" in demo.output
            assert "Choose another DEMO_PORT" in demo.output
            assert "Traceback" not in demo.output


def test_a_file_with_rows(file: Path) -> None:
    """A file that was played with before is gone on with: new jobs get new numbers."""
    for expected in (1, 2):
        with Demo(file) as demo:
            answer = httpx.post(f"{demo.address()}/jobs", content="hello", trust_env=False)
            assert answer.json() == {"id": expected}
            demo.send(signal.SIGTERM)
            assert demo.end() == 0, demo.output
            assert demo.rows() == dict.fromkeys(range(1, expected + 1), "HELLO")
            assert demo.number("jobs accepted") == demo.number("rows written") == 1


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DEMO_SECONDS": "soon"}, "DEMO_SECONDS=soon is no time to play"),
        ({"DEMO_PORT": "http"}, "DEMO_PORT=http is no port"),
        ({"DEMO_DB": os.path.join(os.sep, "there", "is", "none")}, "can't hold the rows"),
    ],
)
def test_nonsense_in_the_environment(file: Path, environment: dict[str, str], words: str) -> None:
    """It is said in one line, and the exit code is that of wrong usage."""
    with Demo(file, **environment) as demo:
        assert demo.end() == 2
        (line,) = demo.lines
        assert words in line


def test_an_output_that_nobody_reads(file: Path) -> None:
    """A Ctrl-C that ends the reader of a pipe too does not disturb the stop."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestra.demo"],
        env=os.environ | {"DEMO_DB": str(file)},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    with open(reader) as lines:
        while "conductor: ready" not in lines.readline():
            pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_without_the_extra() -> None:
    """Where a library is missing, it says how to install what the demo needs."""
    code = (
        "import runpy, sys; sys.modules['starlette'] = None; "
        "runpy.run_module('orchestra.demo', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("The demo needs starlette")
    assert line.endswith("pip install 'orchestra-players[demo]'")
