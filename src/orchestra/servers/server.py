"""A server as a player."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from .. import _stack
from .._clock import seconds
from .._returning import is_supervised, may_return, when_gone
from ..backoff import as_backoff
from ..context import Context
from ..errors import OrchestraError, StopTimeoutError
from ..player import name_of
from .adapter import Adapter, Options
from .apart import play_apart
from .apps import kind_named
from .by_name import to_send
from .checks import check_library, check_picklable, checked_bool
from .factories import Built
from .libraries import Library, library_for, library_of
from .listener import Listener
from .loan import Loan
from .place import Place, checked_place
from .tls import Certificate, check_tls

MARGIN: Final = 0.15
"""The share of the time left that is kept back, to cut off in what has not stopped by then."""

MOST_MARGIN: Final = 1.0
"""And no more than so many seconds of it."""

CUT_WITHIN: Final = 0.5
"""Seconds that handlers have at the most once they have been cancelled, and the application to end."""


class ServerPlayer:
    """Serves an application, for as long as it plays.

    `app` is one of these; the extra in brackets brings what serves it, as in
    `pip install 'orchestra-players[uvicorn]'`:

    - an ASGI application, such as a Starlette or FastAPI instance (`[uvicorn]`; `[hypercorn]` or
      `[granian]` on request);
    - a WSGI application, such as a Flask instance (`[wsgi]`);
    - an `aiohttp.web.Application` (`[aiohttp]`);
    - a websockets handler, that is an async function with `(websocket)` (`[websockets]`);
    - a client-connected callback as of `asyncio.start_server`, with `(reader, writer)`;
    - a function that builds a `grpc.aio.Server` (`[grpc]`), or a `socketserver.BaseServer`, and takes
      nothing, or the address. Without a return annotation, its first run shows what it builds.

    - `host`, `port`: a name or an address, IPv4 or IPv6, and a port; with 0, any that is free.
    - `uds`: the path of a Unix socket instead. One that nobody listens on any more is replaced, and
      afterwards it is removed. `uds_mode` is its mode: its owner and its group may connect.
    - `sockets`: or sockets that have been bound elsewhere, or numbers of file descriptors, which stay
      the caller's to close; or `"systemd"` for those that systemd has passed, `"systemd:name"` for
      those under this FileDescriptorName.
    - `reuse_port`: let others listen on the same port as well, who do the same.
    - `tls`: an `ssl.SSLContext`, or `(certfile, keyfile)`, which are read at each start and by
      `reload_tls`.
    - `access_log`: whether requests are logged, through the library's standard logger.
    - `shutdown_timeout`: seconds that requests in flight have to finish once it is asked to stop, and
      never more than its context has left, less some for the cut.
    - `backoff`: delays in seconds after which it comes back when it fails; see `PlayerWithBackoff`.
    - `server`: the library that serves, if it shall be another than the usual one, or the kind of the
      application where that can't be recognised: `"hypercorn"`, `"wsgi"`, `"grpc"`. `"granian"`
      serves in a process of its own, where the application is found by its name in its module.

    It listens from the start of its first run, before the application starts, until no run can follow:
    clients that connect between two runs wait, and are served by the next. It is ready, with its
    `addresses` in the details, when the application has started. No signal handler is touched, no
    logging configured. Set `start_timeout`, in seconds, on an instance or a subclass to bound the
    start.

    When it is asked to stop, it stops listening, closes idle connections, and lets requests finish;
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
        uds_mode: int = 0o660,
        sockets: Iterable[socket.socket | int] | str | None = None,
        reuse_port: bool = False,
        tls: ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        access_log: bool = True,
        shutdown_timeout: float = 10.0,
        backoff: Iterable[float] | None = None,
        server: str | None = None,
    ) -> None:
        kind, self._library = library_for(app, server)
        self._given = app
        self._app = kind.prepared(app)
        self._place = checked_place(host, port, uds, uds_mode, sockets, reuse_port)
        self._tls = check_tls(tls)
        self._access_log = checked_bool("access_log", access_log)
        self._shutdown_timeout = seconds("shutdown_timeout", shutdown_timeout)
        self._backoff = None if backoff is None else as_backoff(backoff)
        self._kept: dict[tuple[Any, str], Listener] = {}
        self._in_use: list[Certificate] = []
        self._loan = Loan()
        self._borrowed = False  # what it listens on, from the process that has opened it
        if self._library is not None:
            self._check(self._library)

    def __repr__(self) -> str:
        return f"ServerPlayer({name_of(self._given)}, {self._place})"

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows."""
        return {
            "place": str(self._place),
            "library": None if self._library is None else self._library.name,
            "tls": self._tls is not None,
            "shutdown_timeout": self._shutdown_timeout,
        }

    def reload_tls(self) -> None:
        """Read the files of `tls` again: new connections get what is in them now, the others go on.

        Raises an `OSError` with the files in it if they can't be used; what was in use stays in use then.
        Raises `ValueError` if `tls` is no pair of files, or if the library can't renew them: granian. They
        are read at each start in any case.

        >>> secure = ServerPlayer(app, port=8443, tls=("cert.pem", "key.pem"))
        >>> try:
        ...     secure.reload_tls()
        ... except OSError as error:
        ...     print(error.strerror)
        can't serve 127.0.0.1:8443 with certificate 'cert.pem' and key 'key.pem': No such file or directory
        """
        if self._library is not None and not self._library.renews_tls:
            raise ValueError(
                f"{self._library.name} reads the files of tls when it starts: restart the player"
            )
        if not isinstance(self._tls, tuple):
            raise ValueError(
                "reload_tls is about tls=(certfile, keyfile), and there is no tls here"
                if self._tls is None
                else "reload_tls is about tls=(certfile, keyfile): load the new certificate into your "
                "ssl.SSLContext with its load_cert_chain, and new connections will get it"
            )
        for certificate in self._in_use or [Certificate(*self._tls, (), str(self._place))]:
            certificate.renew()

    async def play(self, ctx: Context) -> None:
        """Serve until `ctx` is done, then stop gracefully.

        Raises an `OSError` with the address in it if it can't listen there, what the application
        raises when it starts or ends, `OrchestraError` if the server ends by itself, and
        `StopTimeoutError` if it did not stop in time, which says how many requests were cut off.

        >>> async def main():
        ...     async with playing(ServerPlayer(app, port=0)) as performance:
        ...         print(performance.status().state, *performance.status().details)
        >>> asyncio.run(main())
        ready addresses
        """
        if ctx.done():
            return
        library, app = self._decided()
        try:
            listener = await self._listen(ctx, library)
            try:
                if library.apart and not self._borrowed:
                    await self._serve_apart(ctx, listener, library)
                else:
                    await self._serve(ctx, listener, library, app)
            finally:
                self._keep(ctx, listener)
        finally:
            if isinstance(app, Built):
                app.close()

    # Copies in other processes

    async def lend(self) -> tuple[ServerPlayer, list[socket.socket]]:
        """A copy to be pickled and played in another process, and the sockets that it needs there.

        There it takes them by `borrow`. All copies listen on the same sockets, which are opened by the
        first and stay open here until each has been given back, so that clients wait rather than fail
        while a copy comes back. A library that binds by itself gets no sockets: its copies share the
        port by SO_REUSEPORT, and this process holds it.

        Raises `TypeError` if a copy can't be played elsewhere, and an `OSError` as `play` does.

        >>> public = ServerPlayer(app, port=0)
        >>> copy, opened = asyncio.run(public.lend())
        >>> copy, len(opened)
        (ServerPlayer(app, 127.0.0.1:0), 1)
        """
        library = self._library
        if library is None:
            raise TypeError(
                f"{name_of(self._given)} does not say what it builds, which has to be known before "
                "it goes to another process: give server='grpc' or server='socketserver'"
            )
        check_picklable(self._tls)
        if library.binds and self._place.uds is not None:
            raise TypeError(
                f"{library.name} can't share a Unix socket among processes: give a port"
            )
        listener = await self._loan.take(lambda: self._place.open(only_hold=library.binds))
        place = self._place.borrowing(())
        if library.binds:
            return self._copy(place.shared(listener)), []
        return self._copy(place), listener.sockets

    def borrow(self, sockets: Iterable[socket.socket]) -> None:
        """Listen on these, in the process where this copy plays, and whose they are to close.

        >>> copy.borrow(opened)
        """
        self._place = self._place.borrowing(sockets)
        self._borrowed = True

    def give_back(self) -> None:
        """One who has called `lend` has no more use for its sockets; after the last they are closed.

        >>> public.give_back()
        >>> opened[0].fileno()
        -1
        """
        self._loan.give_back()

    def __getstate__(self) -> dict[str, Any]:
        check_picklable(self._tls)
        if self._place.sockets:
            raise TypeError(
                "sockets belong to their process: a ServerPlayer with some can't be pickled"
            )
        kept = {name: each for name, each in vars(self).items() if name not in _OF_ITS_PROCESS}
        return {**kept, "_given": to_send(self._given)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _kept={}, _in_use=[], _loan=Loan())
        library = self._library
        self._app = self._given
        if library is not None:
            self._app = kind_named(library.kind).prepared(self._given)

    def _copy(self, place: Place) -> ServerPlayer:
        made = object.__new__(type(self))
        made.__setstate__(vars(self) | {"_place": place})
        return made

    # Who serves

    def _decided(self) -> tuple[Library, Any]:
        """The library, and what it serves in this run."""
        if self._library is not None:
            return self._library, self._app
        built = Built(self._app)
        try:
            library = library_of(built.first)
            self._check(library)
        except BaseException:
            built.close()
            raise
        self._library = library
        return library, built

    def _check(self, library: Library) -> None:
        check_library(library, self._given, self._place, self._tls)

    # The sockets, from one run to the next

    async def _listen(self, ctx: Context, library: Library) -> Listener:
        if is_supervised(ctx, self.play):
            kept = self._kept.pop(_key(ctx), None)
            if kept is not None:
                if kept.unwatch is not None:
                    kept.unwatch()
                return kept
        return await self._place.open(together=library.binds)

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

    async def _serve(self, ctx: Context, listener: Listener, library: Library, app: Any) -> None:
        options = self._options(library, listener)
        adapter = library.make_adapter(app, options)
        task = asyncio.current_task()
        ctx.locate(lambda: adapter.work().in_words("in progress") or _stack.of_task(task))
        serving = False
        if options.certificate is not None:
            self._in_use.append(options.certificate)
        try:
            async with ctx.interrupt():
                await adapter.start(listener.duplicates())
                serving = True
                ctx.ready(addresses=options.addresses)
                await adapter.wait()
                raise OrchestraError(f"{library.name} ended by itself")
            if serving:
                await self._stop(ctx, adapter, listener)
        finally:
            if options.certificate is not None:
                self._in_use.remove(options.certificate)
            await adapter.abort(_time_to_cut(ctx))

    async def _serve_apart(self, ctx: Context, listener: Listener, library: Library) -> None:
        # A bad certificate is an error before there is a process.
        self._options(library, listener)
        copy = self._copy(self._place.borrowing(()))
        await play_apart(ctx, copy, listener, partial(may_return, ctx, self.play))

    def _options(self, library: Library, listener: Listener) -> Options:
        addresses = listener.addresses(library.schemes[self._tls is not None])
        context, certificate = self._tls, None
        if isinstance(context, tuple):
            certificate = Certificate(*context, library.alpn, " and ".join(addresses))
            context = certificate.context
        return Options(
            addresses=addresses,
            tls=context,
            certificate=certificate,
            access_log=self._access_log,
            shutdown_timeout=self._shutdown_timeout,
            uds_mode=self._place.uds_mode,
        )

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


_OF_ITS_PROCESS: Final = {"_kept", "_in_use", "_loan", "_app"}


def _left(ctx: Context) -> float:
    left = ctx.remaining()
    return float("inf") if left is None else left


def _time_to_cut(ctx: Context) -> float:
    # Less than there is, so that whoever has set the limit sees it end by itself.
    return min(CUT_WITHIN, _left(ctx) * 0.6)


def _key(ctx: Context) -> tuple[Any, str]:
    return ctx.performance, ctx.path
