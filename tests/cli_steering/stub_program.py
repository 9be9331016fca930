"""A program that answers as a test says, over a Unix socket: for what real programs rarely do."""

import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Answer = tuple[int, Any]


class StubProgram:
    """Listens at a socket; `answer(method, path, body)` gives a status and what goes back.

    That is a dict, which goes as JSON, bytes, which are all of the answer, or a list of bytes, which go in
    chunks.
    """

    def __init__(self, socket: Path, answer: Callable[[str, str, Any], Answer]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._do(None)

            def do_POST(self) -> None:
                self._do(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _do(self, body: Any) -> None:
                stub.asked.append((self.command, self.path, body))
                status, content = answer(self.command, self.path, body)
                self.close_connection = True
                if isinstance(content, bytes):
                    self.wfile.write(content)
                    return
                self.send_response(status)
                if isinstance(content, list):
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for piece in [*content, b""]:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    return
                data = json.dumps(content).encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def address_string(self) -> str:
                return "somebody"

        self._server = socketserver.ThreadingUnixStreamServer(str(socket), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
