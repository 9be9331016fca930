"""Runs `orchestra` in a process of its own, as a terminal would, and reads what it prints."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from program import PATIENCE, Running


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


class Play(Running):
    """`orchestra play` while it plays."""

    def __init__(self, folder: Path, *args: str, control: bool = False, **env: str) -> None:
        more = () if control else ("--no-control",)
        command = [sys.executable, "-m", "orchestra", "play", *args, *more]
        super().__init__(command, environment(folder, **env), cwd=folder)

    def plain(self, text: str) -> str:
        """The text without the spaces that only align it."""
        return unpadded(text)

    def until(self, wanted: str) -> str:
        """Read what it prints until a line has this in it; that line."""
        while wanted not in self.read():
            pass
        return self.lines[-1]

    @property
    def data(self) -> list[dict[str, Any]]:
        """What it has printed, where it is JSON."""
        return [json.loads(line) for line in self.lines]
