"""What a `socketserver` is told: where it serves, and that it shall not print."""

from __future__ import annotations

import functools
import http.server
import io
import logging
import socket
import sys
from collections.abc import Callable
from socketserver import BaseServer
from typing import Any

from ..log import report
from .adapter import Options
from .shared_port import host_of

_access = logging.getLogger("orchestra.access")


def told_where(server: Any, sock: socket.socket, options: Options) -> None:
    """Set what a server keeps about its address, for what is served there."""
    name = sock.getsockname()
    server.address_family = sock.family
    server.server_address = name
    if isinstance(server, http.server.HTTPServer):
        is_path = not isinstance(name, tuple)
        host, port = ("localhost", 0) if is_path else (host_of(sock), name[1])
        # As the class has it, but for the question to a name server that may take its time.
        server.server_name, server.server_port = _name_of(host), port
        environ = getattr(server, "base_environ", None)  # of wsgiref
        if isinstance(environ, dict):
            environ.update(SERVER_NAME=server.server_name, SERVER_PORT=str(port))
            if options.tls is not None:
                environ["HTTPS"] = "on"


def _name_of(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "::1") else host


def have_manners(server: Any, access_log: bool, stopping: Callable[[], bool]) -> None:
    """Have errors and requests logged where others would print them to standard error."""
    if type(server).handle_error is BaseServer.handle_error:
        server.handle_error = _handle_error
    server.RequestHandlerClass = _with_manners(server.RequestHandlerClass, access_log, stopping)


def _handle_error(request: Any, client_address: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None and not isinstance(error, ConnectionError):
        report(f"a request from {client_address} has failed", error)


def _with_manners(given: Any, access_log: bool, stopping: Callable[[], bool]) -> Any:
    """The same handler, that logs; what is no class is left as it is."""
    if isinstance(given, functools.partial):
        made = _with_manners(given.func, access_log, stopping)
        return functools.partial(made, *given.args, **given.keywords)
    if not (isinstance(given, type) and issubclass(given, http.server.BaseHTTPRequestHandler)):
        return given
    return type(given.__name__, (given,), _manners(given, access_log, stopping))


def _manners(given: type, access_log: bool, stopping: Callable[[], bool]) -> dict[str, Any]:
    base = http.server.BaseHTTPRequestHandler
    names: dict[str, Any] = {"__module__": given.__module__, "__qualname__": given.__qualname__}

    def log_message(self: Any, format: str, *args: Any) -> None:
        if access_log:
            _access.info("%s - %s", self.address_string(), format % args)

    def log_request(self: Any, *args: Any) -> None:
        # It is logged before it is sent, which would not be true of one that has been cut off.
        if not getattr(self.request, "is_cut", False):
            given.log_request(self, *args)  # type: ignore[attr-defined]

    def end_headers(self: Any) -> None:
        if stopping() and not self.close_connection and self.request_version != "HTTP/0.9":
            self.send_header("Connection", "close")
        given.end_headers(self)  # type: ignore[attr-defined]

    names |= {"end_headers": end_headers, "log_request": log_request}
    if getattr(given, "log_message", None) is base.log_message:
        names["log_message"] = log_message
    if hasattr(given, "get_stderr"):  # of wsgiref, where applications write to as well
        names["get_stderr"] = lambda self: _ToTheLog()
    return names


class _ToTheLog(io.TextIOBase):
    """A stream of text for errors, a record for what is written at once."""

    def write(self, text: str) -> int:
        """Log it."""
        if text.strip():
            logging.getLogger("orchestra").error("%s", text.rstrip())
        return len(text)
