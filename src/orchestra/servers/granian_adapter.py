"""ASGI applications on granian, HTTP/2 included.

Granian's worker serves in threads of its own, and calls the application in the loop. It is used as it
is, on sockets of ours, in a process that has nothing else to do: a fault in its native code would end
any other. Granian's server for programs that have a loop already would bind by itself, show no port,
log what the application raises when it starts, and wait for half-sent requests without a bound: the
worker does not know how to abort a connection. The system does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Final

from granian import _futures, _granian, asgi
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import DEFAULT_ACCESSLOG_FMT

from ..errors import OrchestraError
from .adapter import Options, Work
from .granian_calls import calls
from .granian_connections import Connections
from .lifespan import Lifespan
from .patience import LONGEST, until
from .requests import Requests
from .sockets import BACKLOG, close_all

# Without types, or with wrong ones.
ASGIWorker: Any = _granian.ASGIWorker
SocketHolder: Any = _granian.SocketHolder
_called: Any = asgi._callback_wrapper
_watched: Any = _futures._future_watcher_wrapper

LAST_LOOK: Final = 0.02
"""Seconds in which clients that have just connected say what they want."""

WATCHED_EVERY: Final = 0.5
"""Seconds between two looks if the threads of granian still serve."""

_MOST_CONNECTIONS: Final = 1 << 20
_TLS: Final = "tls1.2"


class GranianAdapter:
    """One run of an ASGI application on granian; see `Adapter`."""

    def __init__(self, app: Any, options: Options) -> None:
        self._options = options
        self._lifespan = Lifespan(app)
        self._requests = Requests(app)
        self._workers: list[_Worker] = []
        self._connections = Connections()
        self._sockets: Sequence[socket.socket] = ()
        self._aborted = False

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Start the application, then accept connections."""
        self._sockets = sockets
        await self._lifespan.start()
        for number, sock in enumerate(sockets, 1):
            self._connections.belong_to(sock)
            self._workers.append(_Worker(number, sock, self._calls(), self._options))

    def _calls(self) -> Any:
        log_format = DEFAULT_ACCESSLOG_FMT if self._options.access_log else None
        return calls(_watched(_called(self._requests.handle, {}, self._lifespan.state, log_format)))

    async def wait(self) -> None:
        """Until the application fails, or the threads of granian do."""
        while True:
            # First, since it may have failed before anybody waited.
            self._lifespan.raise_failure()
            if not all(worker.listens for worker in self._workers):
                raise OrchestraError("granian has ended, its panic is on the standard error")
            pause = asyncio.get_running_loop().create_task(asyncio.sleep(WATCHED_EVERY))
            try:
                tasks: set[asyncio.Task[Any]] = {pause}
                if self._lifespan.task is not None:
                    tasks.add(self._lifespan.task)
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        patience = min(LONGEST, timeout / 4)
        self._requests.say_goodbye()
        self._stop_listening()
        await asyncio.sleep(min(LAST_LOOK, patience))
        # A connection that has just been made would be closed as an idle one.
        await until(lambda: not self._connections.anybody_new(), loop.time() + patience)
        self._requests.end_streams()
        self._requests.end_websockets()
        # A worker that is told to end sends no close frames any more.
        await self._requests.websockets_closed(patience)
        self._end_workers()
        begin = loop.time()

        def look() -> bool:
            if loop.time() - begin >= patience:
                self._requests.press_streams()
                self._requests.end_unfinished(patience)
                if not self._requests:
                    self._connections.cut_those_with_nothing_to_send(patience)
            return self._all_ended()

        if not await until(look, deadline):
            return False
        return await self._lifespan.stop(max(0.0, deadline - loop.time()))

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._aborted:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            self._stop_listening()
            self._cut()
            await self._wait_for_the_end(deadline - timeout / 2)
            await self._lifespan.cut_short(max(0.0, deadline - loop.time()))
            self._aborted = True
        finally:
            self._cut()

    def work(self) -> Work:
        """The requests in flight, and the application's start or end."""
        untaken = 0 if self._requests else self._connections.number_with_something_to_send()
        waiting = ["in an answer that the client does not take"] * untaken
        return Work((*self._requests.where(), *waiting), self._lifespan.where())

    def _stop_listening(self) -> None:
        for worker in self._workers:
            worker.stop_listening()
        close_all(self._sockets)

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.end()

    def _cut(self) -> None:
        self._end_workers()
        self._requests.cancel()
        self._connections.cut()

    def _all_ended(self) -> bool:
        return not self._requests and all(worker.ended.done() for worker in self._workers)

    async def _wait_for_the_end(self, deadline: float) -> None:
        """Wait for the handlers and for granian's threads, and cut what they still accept."""

        def look() -> bool:
            self._connections.cut()
            return self._all_ended()

        await until(look, deadline)


class _Worker:
    """The threads of granian that serve one socket."""

    def __init__(self, number: int, sock: socket.socket, scheduler: Any, options: Options) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._signal = _granian.WorkerSignal()
        self._signal.add_cb(lambda: loop.call_soon_threadsafe(self._set_ended))
        self._told_to_end = False
        uds = self._uds = sock.family not in (socket.AF_INET, socket.AF_INET6)
        # Granian closes it.
        self._fd = sock.dup().detach()
        self._is = _identity(self._fd)
        # Where it is to be told how many may wait, it asks the system to listen once more.
        told = (BACKLOG,) if sys.platform.startswith(("linux", "freebsd")) else ()
        holder = SocketHolder(self._fd, uds, *told)
        worker = ASGIWorker(*_arguments(number, holder, options))
        serve = worker.serve_mtr_uds if uds else worker.serve_mtr
        serve(scheduler, loop, self._signal)

    @property
    def listens(self) -> bool:
        """Whether granian still holds the socket that it was given."""
        return _identity(self._fd) == self._is

    def stop_listening(self) -> None:
        """Have granian accept no more, and go on with what it has accepted.

        It does both or neither, so it gets another socket in the place of the one that it has.
        """
        if self.listens:
            with _where_nobody_connects(self._uds) as nobody_connects:
                nobody_connects.setblocking(False)
                os.dup2(nobody_connects.fileno(), self._fd, inheritable=False)

    def end(self) -> None:
        """Have granian close idle connections and end with the last request."""
        # Once: a signal that has no room waits for granian, which waits for the interpreter to call back.
        if not self._told_to_end:
            self._told_to_end = True
            self._signal.set()

    def _set_ended(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _where_nobody_connects(uds: bool) -> socket.socket:
    # Of the same family: granian may not have looked at it yet, and ends the process if it is of another.
    if not uds:
        return socket.create_server(("127.0.0.1", 0))
    sock = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        sock.bind("")  # the system finds a name, and there is no file
    else:
        with tempfile.TemporaryDirectory() as folder:
            sock.bind(os.path.join(folder, "socket"))
    sock.listen()
    return sock


def _arguments(number: int, holder: Any, options: Options) -> tuple[Any, ...]:
    tls = options.certificate
    files = (None, None) if tls is None else (str(tls.certfile), str(tls.keyfile))
    threads = (1, 1, 1, 30)  # of its own, to block in, for Python, idle for so many seconds
    http = ("auto", HTTP1Settings(), HTTP2Settings(), True)  # and websockets
    https = (tls is not None, *files, None, _TLS, None, [], False)
    return (
        number,
        (None, holder),
        None,
        *threads,
        _MOST_CONNECTIONS,
        *http,
        None,
        *https,
        (None, None),
    )


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
