"""Plays a program in a process of its own, for the tests of signals and of what it prints."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

PATIENCE = 50.0
PROGRAMS = Path(__file__).parent / "processes" / "programs"


class Running:
    """A process, and what it has printed; the test waits for lines of it, never for a time."""

    def __init__(
        self,
        command: Sequence[str],
        env: dict[str, str],
        *,
        cwd: Path | None = None,
        stderr: Any = None,
    ) -> None:
        self.lines: list[str] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors if stderr is None else stderr,
            text=True,
            # A group of its own gets what a terminal's Ctrl-C sends to all in it.
            start_new_session=True,
        )
        # One that hangs is to say where, before the test's own time is over.
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
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.communicate()
        self._errors.close()

    def read(self) -> str:
        """The next line that it prints; raises `AssertionError` if there is none."""
        line = self._out.readline()
        if not line:
            code = self._process.wait()
            raise AssertionError(f"it has ended with {code}:\n{self.text}\n{self.errors}")
        self.lines.append(self.plain(line.rstrip("\n")))
        return self.lines[-1]

    def plain(self, text: str) -> str:
        """What counts of what it has printed."""
        return text

    def send(self, signum: int) -> None:
        """Send a signal to this process alone."""
        self._process.send_signal(signum)

    def send_to_group(self, signum: int) -> None:
        """Send a signal to the process and its children, as a terminal does."""
        os.killpg(self._process.pid, signum)

    def say(self, line: str) -> None:
        """Give it a line to read."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def stop_reading(self) -> None:
        """Close our end of its standard output, as a terminal does that is gone."""
        self._out.close()

    def ended(self, within: float) -> bool:
        """Whether it has ended, or does so in this time."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, *signals: int) -> int:
        """Send these signals and wait for its end: the exit code, or minus the signal that killed it."""
        for signum in signals:
            self.send(signum)
        if not self._out.closed:
            self.lines += self.plain(self._out.read()).splitlines()
        return self._process.wait()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.lines)

    @property
    def errors(self) -> str:
        """What it has printed to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


class Program(Running):
    """A small program of tests/processes/programs."""

    def __init__(self, name: str, *args: object, stderr: Any = None) -> None:
        # As most programs are started, so that what is printed stays in a buffer for a while.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        command = [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, args)]
        super().__init__(command, env, stderr=stderr)

    def wait_for(self, *wanted: str) -> None:
        """Read what it prints until it has printed these lines, in any order."""
        missing = set(wanted)
        while missing:
            missing.discard(self.read())
