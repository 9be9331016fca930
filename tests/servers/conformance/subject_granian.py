"""Granian, with an ASGI application."""

from collections.abc import Callable
from typing import Any

import pytest
from subject import Script
from subject_http import HttpSubject, asgi_app


class Granian(HttpSubject):
    name = "granian"
    kwargs = {"server": "granian"}
    access_logger = "granian.access"
    lacks = {"tls context": "granian takes files, and a context does not give its key away"}
    cannot = {"reload_tls": "granian reads the files when it starts: restart it"}

    def app(self, script: Script) -> Any:
        return asgi_app(script)

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        import os

        from granian._granian import SocketHolder

        from orchestra.servers import granian_adapter

        fds: list[int] = []

        def holder(fd: int, *args: Any) -> SocketHolder:
            fds.append(fd)
            return SocketHolder(fd, *args)

        monkeypatch.setattr(granian_adapter, "SocketHolder", holder)
        # A thread that panics closes what it holds.
        return lambda: os.close(fds[0])
