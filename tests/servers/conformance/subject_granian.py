"""Granian, with an ASGI application, in a process of its own."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from far_script import FarApp, Office
from script import Script
from subject_http import HttpSubject

# Opened once and kept, so before the first test.
office = Office()


class Granian(HttpSubject):
    name = "granian"
    kwargs = {"server": "granian"}
    access_logger = "granian.access"
    apart = True
    restarts = 10  # each takes a new process
    lacks = {"tls context": "granian takes files, and a context does not give its key away"}
    cannot = {"reload_tls": "granian reads the files when it starts: restart it"}

    def app(self, script: Script) -> Any:
        return FarApp(office, script)

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        def kill_children() -> None:
            # As a fault in its native code does.
            for task in Path("/proc/self/task").iterdir():
                for pid in (task / "children").read_text().split():
                    if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGSEGV)

        return kill_children
