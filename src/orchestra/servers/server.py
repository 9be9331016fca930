"""A server as a player."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final

from .. import _stack
from .._clock import seconds
from .._returning import is_supervised, may_return, when_gone
from ..backoff import as_backoff
from ..context import Context
from ..errors import OrchestraError, StopTimeoutError
from ..player import name_of
from .adapter import Adapter
from .apps import kind_of_app
from .libraries import library_for
from .listener import Listener
from .place import checked_place
from .tls import check_tls, load_tls

MARGIN: Final = 0.15
"""The share of the time left that is kept back, to cut off in what has not stopped by then."""

MOST_MARGIN: Final = 1.0
"""And no more than so many seconds of it."""

CUT_WITHIN: Final = 0.5
"""Seconds that handlers have at the most once they have been cancelled, and the application to end."""


class ServerPlayer:
    """Serves an application, for as long as it plays.

    `app` is an ASGI application: an async callable with `(scope, receive, send)`, such as a Starlette
    or FastAPI instance, on uvicorn (`pip install 'orchestra-players[uvicorn]'`).

    - `host`, `port`: a name or an address, IPv4 or IPv6, and a port; with 0, any that is free.
    - `uds`: the path of a Unix socket instead. One that nobody listens on any more is replaced, and
      afterwards it is removed. Its owner and its group may connect.
    - `sockets`: or sockets that have been bound elsewhere. They stay the caller's to close.
    - `reuse_port`: let others listen on the same port as well, who do the same.
    - `tls`: an `ssl.SSLContext`, or `(certfile, keyfile)`, which are read at each start.
    - `shutdown_timeout`: seconds that requests in flight have to finish once it is asked to stop, and
      never more than its context has left, less some for the cut.
    - `backoff`: delays in seconds after which it comes back when it fails; see `PlayerWithBackoff`.
    - `server`: the library that serves, if it shall be another than the usual one: `"uvicorn"`.

    It listens from the start of its first run, before the application starts, until no run can follow:
    clients that connect between two runs wait, and are served by the next. It is ready, with its
    `addresses` in the details, when the application has started. No signal handler is touched, no
    logging configured. Set `start_timeout`, in seconds, on an instance or a subclass to bound the
    start.

    When it is asked to stop, it stops to listen, closes idle connections, and lets requests finish;
    then the application's lifespan ends. What goes on after that is cut off, and `play` raises
    `StopTimeoutError`. Its methods are for the loop's thread; an instance may be made in any.

    Raises at once `TypeError` for what can't be served, `ValueError` for arguments that make no sense,
    and `ModuleNotFoundError` if the library is not installed.

    >>> async def app(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 204})
    ...     await send({"type": "http.response.body"})
    >>> ServerPlayer(app, port=8080)
    ServerPlayer(app, 127.0.0.1:8080)
    """

    kind = "server"
    signals_ready = True
    start_timeout: float | None = None

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        uds: str | os.PathLike[str] | None = None,
        sockets: Iterable[socket.socket] | None = None,
        reuse_port: bool = False,
        tls: ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        shutdown_timeout: float = 10.0,
        backoff: Iterable[float] | None = None,
        server: str | None = None,
    ) -> None:
        kind = kind_of_app(app)
        self._given = app
        self._app = kind.prepared(app)
        self._library = library_for(kind, server)
        self._place = checked_place(host, port, uds, sockets, reuse_port)
        self._tls = check_tls(tls)
        self._shutdown_timeout = seconds("shutdown_timeout", shutdown_timeout)
        self._backoff = None if backoff is None else as_backoff(backoff)
        self._kept: dict[tuple[Any, str], Listener] = {}
        self._library.check_installed()

    def __repr__(self) -> str:
        return f"ServerPlayer({name_of(self._given)}, {self._place})"

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    async def play(self, ctx: Context) -> None:
        """Serve until `ctx` is done, then stop gracefully.

        Raises an `OSError` with the address in it if it can't listen there, what the application
        raises when it starts or ends, `OrchestraError` if the server ends by itself, and
        `StopTimeoutError` if it did not stop in time, which says how many requests were cut off.
        """
        if ctx.done():
            return
        listener = await self._listen(ctx)
        try:
            await self._serve(ctx, listener)
        finally:
            self._keep(ctx, listener)

    # The sockets, from one run to the next

    async def _listen(self, ctx: Context) -> Listener:
        if is_supervised(ctx, self.play):
            kept = self._kept.pop(_key(ctx), None)
            if kept is not None:
                if kept.unwatch is not None:
                    kept.unwatch()
                return kept
        return await self._place.open()

    def _keep(self, ctx: Context, listener: Listener) -> None:
        """Keep the sockets open while another run may follow."""
        if listener.closed or not is_supervised(ctx, self.play):
            listener.close()
            return
        key = _key(ctx)

        def let_go() -> None:
            listener.close()
            if self._kept.get(key) is listener:
                del self._kept[key]

        self._kept[key] = listener
        listener.unwatch = when_gone(ctx, self.play, let_go)

    # One run

    async def _serve(self, ctx: Context, listener: Listener) -> None:
        addresses = listener.addresses("http" if self._tls is None else "https")
        tls = load_tls(self._tls, " and ".join(addresses))
        adapter = self._library.make_adapter(self._app, tls)
        task = asyncio.current_task()
        ctx.locate(lambda: adapter.work().in_words("in progress") or _stack.of_task(task))
        serving = False
        try:
            async with ctx.interrupt():
                await adapter.start(listener.duplicates())
                serving = True
                ctx.ready(addresses=addresses)
                await adapter.wait()
                raise OrchestraError(f"{self._library.name} ended by itself")
            if serving:
                await self._stop(ctx, adapter, listener)
        finally:
            await adapter.abort(_time_to_cut(ctx))

    async def _stop(self, ctx: Context, adapter: Adapter, listener: Listener) -> None:
        if not may_return(ctx, self.play):
            # Or the system would go on taking connections for it that nobody will serve.
            listener.close()
        if await adapter.drain(self._time_to_drain(ctx)):
            return
        path = ctx.path or name_of(self)
        stuck = adapter.work()
        await adapter.abort(_time_to_cut(ctx))
        left = adapter.work()
        raise StopTimeoutError(
            (path,), {path: stuck.in_words("cut off")}, (path,) if left.requests else ()
        )

    def _time_to_drain(self, ctx: Context) -> float:
        left = _left(ctx)
        return min(self._shutdown_timeout, left - min(MOST_MARGIN, left * MARGIN))


def _left(ctx: Context) -> float:
    left = ctx.remaining()
    return float("inf") if left is None else left


def _time_to_cut(ctx: Context) -> float:
    # Less than there is, so that whoever has set the limit sees it end by itself.
    return min(CUT_WITHIN, _left(ctx) * 0.6)


def _key(ctx: Context) -> tuple[Any, str]:
    return ctx.performance, ctx.path
