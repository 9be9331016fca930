"""Functions that build a `grpc.aio.Server`.

A server of gRPC binds and listens by itself, serves once in its life, and keeps its port for good if it
is never started. Its graceful stop waits for clients that are silent, so it is led through it here.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
import weakref
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, Final

import grpc
import grpc.aio

from .. import _stack
from ..errors import OrchestraError
from .adapter import Options, Work
from .contained import Contained, all_done, contained
from .factories import build
from .grpc_entrance import Entrance, entrance_at
from .grpc_handlers import contain_exits
from .patience import LONGEST, LONGEST_PAUSE
from .sockets import close_all
from .tls import Certificate

LINGER: Final = 0.1
"""Seconds in which gRPC takes up the connections that were made before it is asked to stop."""

_NEVER: Final = 1e6
"""Seconds that gRPC gets for a stop that is led from here."""

_built_before: weakref.WeakSet[Any] = weakref.WeakSet()


class GrpcAdapter:
    """One run of a gRPC server; see `Adapter`."""

    def __init__(self, app: Callable[..., Any], options: Options) -> None:
        self._app = app
        self._options = options
        self._sockets: Sequence[socket] = ()
        self._entrances: list[Entrance] = []
        self._server: Any = None
        self._started = False
        self._ended: Contained | None = None  # once gRPC has ended, by whatever
        self._loop: asyncio.Task[Any] | None = None  # in which gRPC takes up what comes in
        self._requested: list[asyncio.Task[Any]] = []
        self._stopping: Contained | None = None
        self._aborted = False

    async def start(self, sockets: Sequence[socket]) -> None:
        """Build the server, then accept connections."""
        self._sockets = sockets
        self._entrances = [entrance_at(sock, self._options.uds_mode) for sock in sockets]
        self._server = server = await self._built()
        bind = self._bind(server)
        for entrance in self._entrances:
            entrance.join(bind)
        self._started = True
        await server.start()
        self._loop = _loop_of(server)
        if self._loop is not None:
            self._loop.add_done_callback(self._on_end)
        # Never cancelled while it waits: that would break the server's stop.
        self._ended = contained(server.wait_for_termination, "grpc")
        for entrance in self._entrances:
            await entrance.open(self._options.tls)

    async def wait(self) -> None:
        """Until the server ends by itself."""
        waiting = {task for task in (self._ended, self._loop) if task is not None}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self._loop is not None and self._loop.done():
            if self._loop.cancelled():
                raise OrchestraError("somebody has cancelled the task in which gRPC takes requests")
            failure = self._loop.exception()
            if failure is not None:
                raise OrchestraError("gRPC has failed") from failure

    def _on_end(self, loop: asyncio.Task[Any]) -> None:
        # gRPC's core writes into what these hold when it stops, whether they live or not.
        self._requested = _tasks_in("AioServer._request_call")
        for task in _tasks_in("AioServer.shutdown"):
            # If its loop has failed, it begins to stop, raises the same there, and looks at it no more.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        begin = time.monotonic()
        patience = min(LONGEST, timeout / 4)
        for entrance in self._entrances:
            entrance.take_back()
        await asyncio.sleep(min(LINGER, timeout / 4))
        for entrance in self._entrances:
            entrance.close()
        stop = self._stop(_NEVER)
        pause = 0.001
        while not stop.done():
            passed = time.monotonic() - begin
            busy = [task for task in _calls_of(self._server) if not _is_silent(task)]
            if not busy and passed >= patience:
                break
            if passed >= timeout:
                return False
            await asyncio.wait({stop}, timeout=min(pause, timeout - passed))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        # Whoever is left has sent nothing for a while.
        deadline = asyncio.get_running_loop().time() + timeout - (time.monotonic() - begin)
        return await all_done([stop if stop.done() else self._stop(None)], deadline)

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._aborted:
            return
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            if self._server is not None:
                await all_done([self._stop(None)], deadline - timeout / 2)
                calls = _calls_of(self._server)
                for call in calls:
                    call.cancel()
                await all_done(calls, deadline)
            self._aborted = True
        finally:
            for entrance in self._entrances:
                entrance.take_back()
                entrance.close()
            close_all(self._sockets)
            if self._aborted:
                self._let_go()

    def work(self) -> Work:
        """The calls in progress."""
        return Work(tuple(map(_place_of, _calls_of(self._server))))

    def _let_go(self) -> None:
        """Keep nothing of gRPC's alive: its threads end with the last of its objects."""
        if self._ended is not None:
            self._ended.cancel()
        if not _calls_of(self._server):
            self._server = self._ended = self._loop = self._stopping = None
            self._requested = []

    async def _built(self) -> Any:
        addresses = self._options.addresses
        server = build(self._app, addresses[0].rpartition("//")[2] if addresses else "")
        if inspect.isawaitable(server):
            server = await server
        if not isinstance(server, grpc.aio.Server):
            hint = ": use grpc.aio.server()" if isinstance(server, grpc.Server) else ""
            raise TypeError(f"the function has built {server!r}, which is no grpc.aio.Server{hint}")
        if server in _built_before:
            # To play one again would end the process with a fault in gRPC's memory.
            raise TypeError(
                f"the function has built {server!r} once before: each run needs a new one"
            )
        _built_before.add(server)
        contain_exits(server)
        return server

    def _bind(self, server: Any) -> Callable[[str], object]:
        if self._options.certificate is None:
            return server.add_insecure_port  # type: ignore[no-any-return]
        credentials = _credentials(self._options.certificate)
        return lambda address: server.add_secure_port(address, credentials)

    def _stop(self, grace: float | None) -> Contained:
        """Ask gRPC to stop within so many seconds, at once for None; more than once, if need be."""
        if self._stopping is None or grace is None:
            self._stopping = contained(lambda: self._stopped(grace), "grpc stops")
        return self._stopping

    async def _stopped(self, grace: float | None) -> None:
        if not self._started:
            # Only what has been started gives its ports back.
            self._started = True
            await self._server.start()
        try:
            await self._server.stop(grace)
        except BaseException:
            if self._loop is None or not self._loop.done():
                raise
            # It waits for its own loop, and was told what that one has come to. Once is enough.
            await self._server.stop(grace)


def _credentials(certificate: Certificate) -> grpc.ServerCredentials:
    """What gRPC serves with; it asks for what the files hold at each handshake."""

    def newest() -> Any:
        return grpc.ssl_server_certificate_configuration([(certificate.key, certificate.chain)])

    return grpc.dynamic_ssl_server_credentials(newest(), newest)


def _loop_of(server: Any) -> asyncio.Task[Any] | None:
    """The task in which gRPC takes up what comes in; it has no name for it."""
    return next((one for one in _behind(server._server) if isinstance(one, asyncio.Task)), None)


def _calls_of(server: Any) -> list[asyncio.Task[Any]]:
    """The tasks in which this server's calls are handled; it does not tell of them by itself."""
    core = getattr(server, "_server", None)
    if core is None:
        return []
    return [task for task in _tasks_in("_handle_exceptions") if _belongs_to(core, task.get_coro())]


def _tasks_in(name: str) -> list[asyncio.Task[Any]]:
    tasks = asyncio.all_tasks()
    return [task for task in tasks if getattr(task.get_coro(), "__qualname__", "") == name]


def _belongs_to(core: Any, coroutine: Any) -> bool:
    variables = (value for scope in _behind(coroutine) for value in _behind(scope))
    return any(core is one for value in variables for one in _behind(value))


def _behind(thing: Any) -> list[Any]:
    return gc.get_referents(thing)


def _place_of(task: asyncio.Task[Any]) -> str:
    """Where a call is: in the handler's own code, where it has come to that."""
    places = _stack.of_task(task).splitlines()
    return "\n".join(place for place in places if ".pyx" not in place) or places[-1]


def _is_silent(task: asyncio.Task[Any]) -> bool:
    """Whether the client has not sent all of its request yet, and no handler has begun."""
    place = _place_of(task)
    return ".pyx" in place and "_receive_message" in place
