"""The thread of one `socketserver`: it builds the server, serves, and closes it."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from socketserver import BaseServer
from typing import Any, Final

from ..log import report
from .adapter import Options
from .calls import unbound
from .factories import build
from .socketserver_connection import Connection
from .socketserver_manners import have_manners, told_where

_TICK: Final = 0.5
"""Seconds between two `service_actions`, as the standard library has it."""


class _Leave(BaseException):
    """Ends `serve_forever`, whatever that has become in a subclass, where it can be ended."""


class ServingThread:
    """Builds a server in a thread, has it serve at a socket of ours, and closes it in the end.

    All but `_run` and what it calls is for the loop's thread.
    """

    def __init__(self, factory: Callable[..., Any], sock: socket.socket, options: Options) -> None:
        self._factory = factory
        self._sock = sock
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._built: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._failure: BaseException | None = None
        self._server: Any = None
        self._connections: dict[int, Connection] = {}
        self._lock = threading.Lock()  # around what accepts, and what closes the socket
        self._may_serve, self._may_close = threading.Event(), threading.Event()
        self._serving = False
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(
            target=self._context.run,
            args=(self._run,),
            name=f"orchestra server {' '.join(options.addresses)}",
            daemon=True,
        )

    # For the loop

    async def start(self) -> None:
        """Until the server has been built; raises what that raised. May be cancelled."""
        self._thread.start()
        await asyncio.shield(self._built)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def serve(self) -> None:
        """Begin to accept."""
        self._may_serve.set()

    def stop_accepting(self) -> None:
        """Accept nothing any more; what has been accepted goes on."""
        if self._stopping:
            return
        self._stopping = True
        try:
            self._wake.send(b"\0")
        except OSError:
            pass  # it has ended
        self._may_serve.set()
        with self._lock:
            self._sock.close()

    def close(self) -> None:
        """Let it close the server, and end."""
        self._may_close.set()

    def connections(self) -> list[Connection]:
        """Those that are open."""
        return list(self._connections.values())

    def is_idle(self) -> bool:
        """Whether it serves no more, and no request is in progress."""
        return not self._serving and not self._connections

    def is_in_between(self) -> bool:
        """Whether it builds or closes its server right now."""
        return not self.ended.done() and not self._serving and not self._connections

    @property
    def ident(self) -> int | None:
        """The thread."""
        return self._thread.ident

    def take_failure(self) -> BaseException | None:
        """What it has raised, once."""
        failure, self._failure = self._failure, None
        return failure

    # In the thread

    def _run(self) -> None:
        try:
            self._server = server = self._open()
            try:
                self._tell(self._built)
                self._may_serve.wait()
                self._serve(server)
                self._may_close.wait()
            finally:
                server.server_close()
        except _Leave:
            pass
        except BaseException as error:
            self._failure = error
        finally:
            self._serving = False
            with self._lock:
                self._sock.close()
            self._wake.close()
            self._woken.close()
            self._tell(self._built)
            self._tell(self.ended)

    def _tell(self, future: asyncio.Future[None]) -> None:
        def tell() -> None:
            if not future.done():
                future.set_result(None)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            pass  # the loop has been closed, nobody waits

    def _serve(self, server: Any) -> None:
        with selectors.DefaultSelector() as both:
            # Readable when a client comes, and when this is to end.
            with self._lock:
                if self._stopping:
                    return
                both.register(self._sock, selectors.EVENT_READ)
            both.register(self._woken, selectors.EVENT_READ)
            if hasattr(both, "fileno"):
                server.fileno = both.fileno
            self._serving = True
            try:
                server.serve_forever(_TICK)
            except _Leave:
                pass
            finally:
                self._serving = False

    def _open(self) -> Any:
        server = _built_at_a_loss(self._factory, self._sock.family)
        try:
            _check(server)
            self._adopt(server)
        except BaseException:
            if isinstance(server, BaseServer):
                server.server_close()
            raise
        return server

    def _adopt(self, server: Any) -> None:
        """Have the server serve at our socket, and tell of each connection."""
        server.socket.close()
        with self._lock:
            if self._stopping:
                raise _Leave
            self._sock.setblocking(False)
            told_where(server, self._sock, self._options)
        server.socket = self._sock
        have_manners(server, self._options.access_log, lambda: self._stopping)
        # Threads of its own are waited for here, and not by it.
        server.daemon_threads, server.block_on_close = True, False
        finish, shut, act = server.finish_request, server.shutdown_request, server.service_actions

        def get_request() -> tuple[Any, Any]:
            return self._accept()

        def finish_request(request: Any, client_address: Any) -> None:
            connection = self._connections[id(request)]
            connection.thread = threading.get_ident()
            try:
                if connection.shake_hands():
                    self._context.copy().run(finish, request, client_address)
            except Exception:
                raise
            except BaseException as error:
                # Such as a SystemExit: the end of this request, and not of the server.
                report(f"a request from {client_address} has failed", error)

        def shutdown_request(request: Any) -> None:
            connection = self._connections.get(id(request))
            try:
                if connection is not None:
                    connection.say_goodbye()
                shut(request)
            finally:
                self._connections.pop(id(request), None)

        def service_actions() -> None:
            act()
            if self._stopping:
                raise _Leave

        server.get_request, server.finish_request = get_request, finish_request
        server.shutdown_request, server.service_actions = shutdown_request, service_actions

    def _accept(self) -> tuple[Any, Any]:
        with self._lock:
            if self._stopping:
                raise BlockingIOError
            accepted, address = self._sock.accept()
        try:
            connection = Connection(accepted, self._options.tls)
        except BaseException:
            accepted.close()
            raise
        self._connections[id(connection.sock)] = connection
        # Those who look at it expect a host and a port.
        is_path = not isinstance(address, tuple)
        return connection.sock, ("", 0) if is_path else address


def _check(server: Any) -> None:
    """`TypeError` for what has been built and can't be served."""
    listening = getattr(server, "socket", None)
    if not isinstance(server, BaseServer) or not isinstance(listening, socket.socket):
        raise TypeError(
            f"the function has built {server!r}, which is no socketserver.BaseServer with a socket"
        )
    if listening.type != socket.SOCK_STREAM:
        raise TypeError(f"{server!r} takes datagrams, and not connections")
    if hasattr(server, "collect_children"):
        raise TypeError(
            f"{server!r} forks a process for each request, in a program with threads: "
            "use socketserver.ThreadingMixIn instead of ForkingMixIn"
        )


def _built_at_a_loss(factory: Callable[..., Any], family: int) -> Any:
    """What the function builds at an address that nobody asked for, and that it will not serve.

    It is one of the family that its class is made for, which has to be found out by trying where it
    does not show.
    """
    families = [getattr(unbound(factory), "address_family", None), family, socket.AF_INET]
    families += [socket.AF_INET6, getattr(socket, "AF_UNIX", None)]
    rest = [one for one in dict.fromkeys(families) if one is not None]
    while True:
        try:
            return _built_in(factory, rest.pop(0))
        except (TypeError, socket.gaierror) as error:
            if not rest or not _is_about_the_address(error):
                raise
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise OSError(
                errno.EADDRINUSE,
                "the function binds a port by itself, on which somebody listens; let it take the "
                "address, as in `lambda address: ThreadingHTTPServer(address, Handler)`",
            ) from error


def _built_in(factory: Callable[..., Any], family: int) -> Any:
    if family == socket.AF_INET:
        return build(factory, ("127.0.0.1", 0))
    if family == socket.AF_INET6:
        return build(factory, ("::1", 0))
    with tempfile.TemporaryDirectory() as folder:
        return build(factory, os.fspath(Path(folder, "socket")))


def _is_about_the_address(error: BaseException) -> bool:
    """Whether it comes from the binding, and not from the function itself."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and at.tb_frame.f_code.co_name == "server_bind"
