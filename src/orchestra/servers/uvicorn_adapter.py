"""ASGI applications on uvicorn.

Uvicorn's protocols, its state and its ticking loop are used as they are; its start and its stop are
done here. `Server.serve` would take the signals, leave by `sys.exit`, log what the application raises
and go on serving when it is cancelled; `Server.shutdown` waits for clients without a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from socket import socket
from typing import Any

import uvicorn

from .. import _stack
from ..errors import OrchestraError
from .adapter import Options, Work
from .contained import Contained, all_done, contained, outcome, turns
from .forwarded import forwarded
from .lifespan import Lifespan
from .patience import LONGEST, until
from .requests import CLOSE, Requests
from .sockets import BACKLOG, close_all
from .transports import abort_clients, stop_accepting
from .uvicorn_connections import Farewell, untaken


class UvicornAdapter:
    """One run of an ASGI application on uvicorn; see `Adapter`."""

    def __init__(self, app: Any, options: Options) -> None:
        self._config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=options.access_log,
            proxy_headers=False,
            workers=1,
            backlog=BACKLOG,
        )
        self._requests = Requests(forwarded(app, self._config.forwarded_allow_ips))
        self._config.app = self._requests.handle
        self._tls = options.tls
        self._server = uvicorn.Server(self._config)
        self._state = self._server.server_state
        self._lifespan = Lifespan(app)
        self._sockets: Sequence[socket] = ()
        self._opening: Contained | None = None
        self._ticking: Contained | None = None
        self._over = False
        self._aborted = False
        self._cut_short = False  # in its abort, which is then called once more

    async def start(self, sockets: Sequence[socket]) -> None:
        """Start the application, then accept connections."""
        self._sockets = sockets
        self._config.load()
        self._config.ssl = self._tls
        self._config.http_protocol_class = self._refusing(self._config.http_protocol_class)
        await self._lifespan.start()
        self._server.lifespan = self._config.lifespan_class(self._config)
        self._server.lifespan.state = self._lifespan.state
        # In a task of its own, because a cancellation in its midst would leave a server behind that
        # accepts and that nobody knows.
        self._opening = contained(lambda: self._server.startup(list(sockets)), "uvicorn opens")
        await asyncio.wait({self._opening})
        _raise(outcome(self._opening))
        self._ticking = contained(self._server.main_loop, "uvicorn")

    async def wait(self) -> None:
        """Until the server or the application fails."""
        ticking = self._ticking
        while ticking is not None and not ticking.done():
            # First, since it may have failed before anybody waited.
            self._lifespan.raise_failure()
            tasks = {task for task in (ticking, self._lifespan.task) if task is not None}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._lifespan.raise_failure()
        if ticking is not None:
            _raise(outcome(ticking))

    async def drain(self, timeout: float) -> bool:
        """Stop gracefully; True if that is done within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._say_goodbye()
        await self._stop_listening()
        patience = min(LONGEST, timeout / 4)
        farewell = Farewell(self._state.connections, patience)
        self._requests.end_streams()
        pressing = loop.call_later(patience, self._requests.press_streams)

        def look() -> bool:
            farewell.look()
            return not self._state.connections and not self._state.tasks

        try:
            if not await until(look, deadline):
                return False
        finally:
            pressing.cancel()
        return await self._lifespan.stop(max(0.0, deadline - loop.time()))

    def _say_goodbye(self) -> None:
        """Have each answer to come tell its client to use another connection next time."""
        # Those of the state are made anew from those of the config, each second.
        self._config.encoded_headers = [*self._config.encoded_headers, CLOSE]
        self._state.default_headers = [*self._state.default_headers, CLOSE]

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._aborted:
            return
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            stop_accepting(self._sockets)
            self._cut()
            own = [task for task in (self._opening, self._ticking) if task is not None]
            await all_done(own, deadline)
            await self._stop_listening()
            self._cut()
            await all_done(self._state.tasks, deadline - timeout / 2)
            left = deadline - asyncio.get_running_loop().time()
            await self._lifespan.cut_short(max(0.0, left))
            self._aborted = True
        except asyncio.CancelledError:
            if self._cut_short:
                self._lifespan.cancel()
            self._cut_short = True
            raise
        finally:
            self._close()
            self._cut()

    def work(self) -> Work:
        """The requests in flight, and the application's start or end."""
        waiting = ["in an answer that the client does not take"] * untaken(self._state.connections)
        return Work((*self._where(), *waiting), self._lifespan.where())

    def _where(self) -> list[str]:
        """Where each handler is."""
        return [_stack.of_task(task) for task in self._state.tasks if not task.done()]

    def _refusing(self, protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
        """The protocol, that serves nobody any more once the run is over.

        On some loops a TLS handshake can't be aborted, and ends in a connection when its client
        pleases.
        """
        adapter = self

        class Refusing(protocol):  # type: ignore[valid-type, misc]
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                if adapter._over:
                    transport.abort()  # type: ignore[attr-defined]

        return Refusing

    async def _stop_listening(self) -> None:
        stop_accepting(self._sockets)
        # What has been accepted gets its connection in these turns, and what has been sent is read.
        await turns(3)
        self._close()

    def _close(self) -> None:
        for server in getattr(self._server, "servers", ()):
            server.close()
        close_all(self._sockets)

    def _cut(self) -> None:
        self._over = True
        if self._ticking is not None:
            self._ticking.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        for server in getattr(self._server, "servers", ()):
            abort_clients(server)
        for task in list(self._state.tasks):
            task.cancel()


def _raise(failure: BaseException | None) -> None:
    if isinstance(failure, SystemExit):
        raise OrchestraError("uvicorn gave up, its log says why") from failure
    if failure is not None:
        raise failure
