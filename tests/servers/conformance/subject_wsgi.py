"""Uvicorn, with a WSGI application."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from script import Script
from subject_http import HttpSubject
from subject_uvicorn import Uvicorn

NO_LIFESPAN = "WSGI knows no start and no end of an application"


class Wsgi(HttpSubject):
    name = "WSGI"
    access_logger = "uvicorn.access"
    lacks = {
        "failing start": NO_LIFESPAN,
        "hanging start": NO_LIFESPAN,
        "lifespan": NO_LIFESPAN,
        "websockets": "WSGI knows no websockets",
    }
    cannot = {"cancelled": "a thread can't be cancelled: it is left behind, and named"}

    def app(self, script: Script) -> Any:
        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            path = environ["PATH_INFO"].strip("/")
            if path == "events":
                start_response("200 OK", [("Content-Type", "text/event-stream")])
                return _events(script)
            text = script.answer_sync(path)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [text.encode()]

        return app

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        return Uvicorn().crash(monkeypatch)


def _events(script: Script) -> Iterable[bytes]:
    import time

    try:
        while True:
            yield b"data: 1\n\n"
            script.entered.set()
            time.sleep(0.02)
    finally:
        script.gone.set()
