"""Servers of the standard library's `socketserver`: `http.server`, `wsgiref`, `xmlrpc`, Prometheus' exporter.

Each serves in a thread of its own, at a socket of ours in the place of that which it has bound. Its own
ways to stop wait for clients without a bound, or for nobody; so it is led through its stop here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any

from .. import _stack
from ..errors import OrchestraError
from ..log import report
from .adapter import Options, Work
from .patience import LONGEST, LONGEST_PAUSE
from .sockets import close_all
from .socketserver_thread import ServingThread


class SocketserverAdapter:
    """One run of a `socketserver.BaseServer`; see `Adapter`. There is one for each socket."""

    def __init__(self, app: Callable[..., Any], options: Options) -> None:
        self._app = app
        self._options = options
        self._sockets: Sequence[socket] = ()
        self._threads: list[ServingThread] = []

    async def start(self, sockets: Sequence[socket]) -> None:
        """Build a server for each of the sockets, then accept connections."""
        self._sockets = sockets
        for sock in sockets:
            thread = ServingThread(self._app, sock, self._options)
            self._threads.append(thread)
            await thread.start()
        for thread in self._threads:
            thread.serve()

    async def wait(self) -> None:
        """Until one of the servers ends."""
        ends = [thread.ended for thread in self._threads]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        self._raise_failure()

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        begin = time.monotonic()
        patience = min(LONGEST, timeout / 4)
        for thread in self._threads:
            thread.stop_accepting()
        pause = 0.001
        while not all(thread.ended.done() for thread in self._threads):
            for thread in self._threads:
                for connection in thread.connections():
                    connection.bid_farewell(patience, time.monotonic() - begin)
                if thread.is_idle():
                    thread.close()
            left = timeout - (time.monotonic() - begin)
            if left <= 0:
                return False
            ends = [thread.ended for thread in self._threads]
            await asyncio.wait(ends, timeout=min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        self._raise_failure()
        return True

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds; a thread that goes on is left behind."""
        deadline = time.monotonic() + timeout
        try:
            for thread in self._threads:
                thread.stop_accepting()
                for connection in thread.connections():
                    connection.cut()
                thread.close()
            pause = 0.001
            while time.monotonic() < deadline:
                if all(one.ended.done() and not one.connections() for one in self._threads):
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
        finally:
            close_all(self._sockets)
            for thread in self._threads:
                failure = thread.take_failure()
                if failure is not None:
                    report("the server failed in its end, after a stop that was cut off", failure)

    def work(self) -> Work:
        """The requests in progress, and the functions that build or close a server."""
        connections = [one for thread in self._threads for one in thread.connections()]
        requests = [_stack.of_thread(one.thread) for one in connections if one.is_busy()]
        steps = [_stack.of_thread(one.ident) for one in self._threads if one.is_in_between()]
        return Work(tuple(requests), "\n".join(steps))

    def _raise_failure(self) -> None:
        for thread in self._threads:
            failure = thread.take_failure()
            if isinstance(failure, Exception):
                raise failure
            if failure is not None:
                raise OrchestraError("the server was ended from within") from failure
