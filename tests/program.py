"""Plays a small program of tests/processes/programs in a process of its own, for the tests of signals."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

PATIENCE = 50.0
PROGRAMS = Path(__file__).parent / "processes" / "programs"


class Program:
    """A program, and what it has printed; the test waits for lines of it, never for a time."""

    def __init__(self, name: str, *args: object, stderr: Any = None) -> None:
        self.lines: list[str] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        # As most programs are started, so that what is printed stays in a buffer for a while.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        env["PYTHONFAULTHANDLER"] = "1"
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors if stderr is None else stderr,
            text=True,
            env=env,
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

    def wait_for(self, *wanted: str) -> None:
        """Read what it prints until it has printed these lines, in any order."""
        missing = set(wanted)
        while missing:
            line = self._out.readline()
            if not line:
                raise AssertionError(
                    f"the program ended with {self._process.wait()} without having printed "
                    f"{missing}\n{self.lines}\n{self.errors}"
                )
            self.lines.append(line.rstrip("\n"))
            missing.discard(self.lines[-1])

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

    def end(self) -> int:
        """Wait for its end: the exit code, or the negative number of the signal that killed it."""
        if not self._out.closed:
            self.lines += self._out.read().splitlines()
        return self._process.wait()

    @property
    def errors(self) -> str:
        """What it has printed to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout
