"""Runs `orchestra` in a process of its own, as a terminal would, and reads what it prints."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

PATIENCE = 50.0


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The usual one, with a runtime directory of the test's own."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    unwanted = ("NO_COLOR", "PYTHONUNBUFFERED", "PORT", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**env, "XDG_RUNTIME_DIR": str(runtime), "TERM": "xterm", **more}


class Said(NamedTuple):
    """What `orchestra` has printed, and its exit code."""

    code: int
    out: str
    err: str


def orchestra(folder: Path, *args: str, **env: str) -> Said:
    """Run it to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestra", *args],
        cwd=folder,
        env=environment(folder, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Said(done.returncode, unpadded(done.stdout), done.stderr)


def unpadded(text: str) -> str:
    """Text without the spaces that only align it."""
    return re.sub("(?<=[^ \n]) +", " ", text)


def on_a_terminal(folder: Path, *args: str, **env: str) -> "tuple[subprocess.Popen[bytes], int]":
    """Run it on a terminal of its own; with our end of that."""
    ours, theirs = pty.openpty()
    # The first process of a session that opens a terminal is the one that hears of its end.
    command = ["/bin/sh", "-c", 'exec "$@" <"$0" >"$0"', os.ttyname(theirs)]
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "orchestra", *args],
        cwd=folder,
        env=environment(folder, **env),
        stdin=theirs,  # so that it is open at any time
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


class Play:
    """`orchestra play` while it plays; the test waits for what it prints, never for a time."""

    def __init__(self, folder: Path, *args: str, control: bool = False, **env: str) -> None:
        self.lines: list[str] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        more = () if control else ("--no-control",)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestra", "play", *args, *more],
            cwd=folder,
            env=environment(folder, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._patience = threading.Timer(PATIENCE, self.send, [signal.SIGABRT])
        self._patience.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patience.cancel()
        self._patience.join()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def until(self, wanted: str) -> str:
        """Read what it prints until a line has this in it; that line."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(unpadded(line.rstrip("\n")))
            if wanted in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"{wanted!r} has not come:\n{self.text}\n{self.errors}")

    def send(self, signum: int) -> None:
        """Send it a signal, and no other process."""
        self._process.send_signal(signum)

    def ended(self, within: float) -> bool:
        """Whether it has ended, or does so in this time."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop_reading(self) -> None:
        """Close our end of its output, as a terminal does that is gone."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def end(self, *signals: int) -> int:
        """Send these signals, and wait for its end: the exit code."""
        for signum in signals:
            self.send(signum)
        stdout = self._process.stdout
        if stdout is not None and not stdout.closed:
            self.lines += unpadded(stdout.read()).splitlines()
        return self._process.wait()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.lines)

    @property
    def data(self) -> list[dict[str, Any]]:
        """The same, where it is JSON."""
        return [json.loads(line) for line in self.lines]

    @property
    def errors(self) -> str:
        """What it has printed to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()
