"""The example programs with web frameworks, played as programs."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.real_time


@contextmanager
def playing(*command: str) -> Iterator[tuple[subprocess.Popen[str], str, IO[str]]]:
    """A program, the address where it serves, and what it says from then on."""
    program = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PORT": "0"},
    )
    assert program.stdout is not None
    with program:
        try:
            said = ""
            for line in program.stdout:
                said += line
                found = re.search(r"ready .*addresses=(http\S+)", line)
                if found is not None:
                    break
            else:
                pytest.fail(f"it is never ready:\n{said}")
            yield program, found[1], program.stdout
        finally:
            if program.poll() is None:
                program.kill()


def stopped(program: subprocess.Popen[str], output: IO[str]) -> str:
    """Ask it to stop, and give the rest of what it said."""
    program.send_signal(signal.SIGTERM)
    rest = output.read()
    assert program.wait() == 0, rest
    assert "Traceback" not in rest
    return rest


@pytest.mark.parametrize(
    ("name", "key"),
    [("flask_app", "temperature"), ("django_asgi", "ticks"), ("django_wsgi", "ticks")],
)
def test_an_application_with_something_next_to_it(name: str, key: str) -> None:
    """It answers from what plays next to it, and ends well when it is asked to."""
    with playing(str(EXAMPLES / f"{name}.py")) as (program, url, output):
        answer = httpx.get(url, timeout=20)
        assert answer.status_code == 200
        assert key in answer.json()
        assert "stopped" in stopped(program, output)


def test_fastapi_with_workers() -> None:
    """What requests have put into the queue before the stop is delivered."""
    with playing(str(EXAMPLES / "fastapi_workers.py")) as (program, url, output):
        for number in range(20):
            letter = {"to": "ada", "text": str(number)}
            assert httpx.post(url + "/letters", json=letter, timeout=20).status_code == 202
        assert "20 letters delivered, 0 lost" in stopped(program, output)


def test_they_are_short() -> None:
    """An example fits on a screen."""
    for example in EXAMPLES.glob("*.py"):
        length = len(example.read_text().splitlines())
        assert length < 60, example.name


STUCK = """
import logging, threading
from orchestra import Conductor, ServerPlayer, run

def app(environ, start_response):
    print("entered", flush=True)
    threading.Event().wait()

logging.basicConfig(level=logging.INFO)
run(Conductor({"web": ServerPlayer(app, port=0, shutdown_timeout=0.2)}))
"""


def test_a_handler_that_hangs_does_not_hold_the_end_of_the_program() -> None:
    """A thread can't be cut off; the program ends all the same, says where it was, and fails."""
    with playing("-c", STUCK) as (program, url, output):
        host, _, port = url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while "entered" not in output.readline():
                pass
            program.send_signal(signal.SIGTERM)
            rest = output.read()
            assert program.wait() == 1
    assert "1 request was cut off" in rest
    assert "in app" in rest
