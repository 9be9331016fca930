"""Runs an example in a process of its own; what it prints goes to a file that the test can watch."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example:
    """An example that plays until it is told to end."""

    def __init__(self, *arguments: object) -> None:
        self.seen = ""  # all that it has printed, once it has ended
        self._printed = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed with this
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=EXAMPLES,
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.seen = self.printed
        self._printed.close()

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return Path(self._printed.name).read_text()

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something holds, and give what it was."""
        end = time.monotonic() + 40
        while not (found := condition()):
            assert self.process.poll() is None, f"it has ended:\n{self.printed}"
            assert time.monotonic() < end, f"it takes too long:\n{self.printed}"
            time.sleep(0.02)
        return found

    def end(self, signum: int | None = None) -> int:
        """Wait for its end, with a signal or without; its exit code."""
        if signum is not None:
            self.process.send_signal(signum)
        code = self.process.wait(30)
        self.seen = self.printed
        return code
