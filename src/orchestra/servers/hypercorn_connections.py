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
        self.transport: Any = None
        # One for each, since its end closes a connection even if its first request is on the way.
        self.context = WorkerContext(None)
        self._terminated = _Terminated()
        self.context.terminated = self._terminated
        self.requests = 0
        self._serve = serve
        self._all = connections
        self._loop_of = loop
        self._heard = loop.time()
        self._closing: float | None = None  # since when it has nothing left to send
        self._retired = False
        self._lost = False
        self.task: Contained | None = None
        super().__init__(self.reader, None, loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have hypercorn serve it."""
        super().connection_made(transport)
        self.transport = transport
        self.writer = _Writer(self.transport, self, self.reader, self._loop_of)
        self._all.add(self)
        self.task = contained(lambda: self._serve(self), "hypercorn serves a connection")
        self.task.add_done_callback(self._end)

    def data_received(self, data: bytes) -> None:
        """Note that the client was heard."""
        self._heard = self._loop_of.time()
        super().data_received(data)

    def eof_received(self) -> bool | None:
        """Note that the client has gone, which hypercorn does not before `keep_alive_timeout` is over."""
        self._terminated.event.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that there is no connection any more."""
        self._lost = True
        self._terminated.event.set()
        super().connection_lost(exc)

    def see_off(self, patience: float, *, lingers: bool) -> None:
        """Let it go, if it can; to be called again until it is gone.

        A client that has just connected, or owes the goodbye that TLS asks for, is waited for as
        long as it is not silent for `patience` seconds. While it `lingers`, none is let go: its next
        request may be on its way.
        """
        now = self._loop_of.time()
        if self.transport.is_closing():
            if self.untaken:
                self._closing = None
            elif self._closing is None:
                self._closing = now
            elif now - self._closing >= patience:
                self.transport.abort()
        elif lingers or self._retired:
            pass
        elif self.requests or now - self._heard >= patience:
            self._retired = True
            self._terminated.event.set()

    @property
    def untaken(self) -> bool:
        """Whether it has been answered in full, and the client has not taken the answer."""
        gone = self._lost or not self.transport.is_closing()
        return not gone and unsent(self.transport) > 0

    def abort(self) -> None:
        """Cut it off."""
        self.transport.abort()
        if self.task is not None:
            self.task.cancel()

    def _end(self, task: Contained) -> None:
        self._all.discard(self)
        self.transport.abort()
        error = outcome(task)
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._loop_of.call_exception_handler(
                {"message": "hypercorn failed to serve a connection", "exception": error}
            )


class _Writer(asyncio.StreamWriter):
    """Closes its transport once; closed twice, one with TLS can neither be aborted nor looked into."""

    def close(self) -> None:
        if not self.transport.is_closing():
            super().close()


class _Terminated:
    """An event of hypercorn's kind, that can be set where nothing can be awaited."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def clear(self) -> None:
        self.event.clear()

    async def wait(self) -> None:
        await self.event.wait()

    async def set(self) -> None:
        self.event.set()

    def is_set(self) -> bool:
        return self.event.is_set()
