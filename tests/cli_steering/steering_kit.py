"""Plays the program of these tests, and runs `orchestra` against it, each in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 45.0


class Said(NamedTuple):
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Place:
    """A folder with the sockets of programs, and what is played from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o700)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TERM": "xterm"}
        for name in ("NO_COLOR", "_ORCHESTRA_COMPLETE"):
            self.env.pop(name, None)

    def orchestra(self, *args: str, given: str | None = None, **env: str) -> Said:
        """Run `orchestra` with these arguments to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestra", *args],
            cwd=self.folder,
            env={**self.env, **env},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def begin(self, *args: str) -> "subprocess.Popen[str]":
        """Run `orchestra` with these arguments, and go on meanwhile."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestra", *args],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Played:
    """A program in a process of its own, until this is left."""

    def __init__(self, place: Place, *command: str) -> None:
        self._log = (place.folder / "log").open("a+")
        self.process = subprocess.Popen(
            command,
            cwd=place.folder,
            env=place.env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._sockets = place.folder / "orchestra"

    def __enter__(self) -> Self:
        end = time.monotonic() + PATIENCE
        while not any(map(listens, self._sockets.glob(f"*-{self.process.pid}.sock"))):
            if self.process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                raise AssertionError(self._log.read())
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self._log.close()


def listens(path: Path) -> bool:
    """Whether somebody listens at this socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


def shop(place: Place, name: str = "shop", *more: str) -> Played:
    """The program of these tests."""
    return Played(place, sys.executable, str(PROGRAMS / "shop.py"), name, *more)
