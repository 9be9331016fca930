"""The standard library's `http.server`, in threads."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from script import Script
from subject_http import HttpSubject


class Socketserver(HttpSubject):
    name = "socketserver"
    access_logger = "orchestra.access"
    lacks: ClassVar[dict[str, str]] = {
        "websockets": "`http.server` knows no websockets",
        "event streams": "a handler in a thread does not hear of the stop",
    }
    cannot: ClassVar[dict[str, str]] = {
        "cancelled": "a thread can't be cancelled: its socket is shut down, and it is named",
    }
    untried: ClassVar[set[str]] = {"cancelled"}

    def app(self, script: Script) -> Any:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                text = script.answer_sync(self.path.strip("/")).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        class Server(ThreadingHTTPServer):
            def server_close(self) -> None:
                super().server_close()
                script.end()

        def make(address: Any) -> Server:
            script.start_sync()
            # Nobody can end a thread, so it ends by itself once it has hung for long enough.
            end = time.monotonic() + 1.5
            while script.hangs and time.monotonic() < end:
                time.sleep(0.002)
            return Server(address, Handler)

        return make

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        crashing = threading.Event()

        def service_actions(self: ThreadingHTTPServer) -> None:
            if crashing.is_set():
                raise RuntimeError("the loop of the server is broken")

        monkeypatch.setattr(ThreadingHTTPServer, "service_actions", service_actions)
        return crashing.set
