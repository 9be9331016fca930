"""The connections of a hypercorn server, each of which it stops by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.asyncio.worker_context import WorkerContext

from .contained import Contained, contained, outcome
from .transports import unsent

Serve = Callable[["Connection"], Awaitable[None]]


class Connection(asyncio.StreamReaderProtocol):
    """One connection: where hypercorn reads and writes, and how it is told to end."""

    def __init__(
        self, serve: Serve, connections: set[Connection], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.reader = asyncio.StreamReader(loop=loop)
        self.writer: Any = None
        # One for each, since setting it closes a connection even if its first request is on the way.
        self.context = WorkerContext(None)
        self.requests = 0
        self._serve = serve
        self._all = connections
        self._loop_of = loop
        self._heard = loop.time()
        self._closing: float | None = None  # since when it has nothing left to send
        self._retired = False
        self.task: Contained | None = None
        super().__init__(self.reader, self._begin, loop)

    def data_received(self, data: bytes) -> None:
        """Note that the client was heard."""
        self._heard = self._loop_of.time()
        super().data_received(data)

    @property
    def transport(self) -> Any:
        """The transport, from the moment there is one."""
        return self.writer.transport

    def see_off(self, patience: float) -> Awaitable[None] | None:
        """Look if it can go; gives what is to be awaited to let it.

        A client that has just connected, or owes the goodbye that TLS asks for, is waited for as
        long as it is not silent for `patience` seconds.
        """
        now = self._loop_of.time()
        if self.transport.is_closing():
            if unsent(self.transport):
                self._closing = None
            elif self._closing is None:
                self._closing = now
            elif now - self._closing >= patience:
                self.transport.abort()
        elif not self._retired and (self.requests or now - self._heard >= patience):
            self._retired = True
            return self.context.terminated.set()
        return None

    @property
    def untaken(self) -> bool:
        """Whether it has been answered in full, and the client has not taken the answer."""
        return bool(self.transport.is_closing() and unsent(self.transport))

    def abort(self) -> None:
        """Cut it off."""
        self.transport.abort()
        if self.task is not None:
            self.task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._all.add(self)
        self.task = contained(lambda: self._serve(self), "hypercorn serves a connection")
        self.task.add_done_callback(self._end)

    def _end(self, task: Contained) -> None:
        self._all.discard(self)
        self.transport.abort()
        error = outcome(task)
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._loop_of.call_exception_handler(
                {"message": "hypercorn failed to serve a connection", "exception": error}
            )
