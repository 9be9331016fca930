"""The requests that an aiohttp server is busy with.

Nothing is noted for a request that is neither a websocket nor a stream of events: what is in progress is
seen by looking at the connections.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp import WSCloseCode, web

from .. import _stack
from ..errors import OrchestraError
from .contained import Contained, contained, outcome
from .patience import Patience
from .transports import unsent

EVENT_STREAM: Final = "text/event-stream"
GOODBYE: Final = b"the server stops"
UNTAKEN: Final = "in an answer that the client does not take"

Task = asyncio.Task[Any]


class Requests:
    """Each request from its handler to the end of its answer, whether its client is still there or not."""

    def __init__(self) -> None:
        self.draining = False  # answers tell their clients to use another connection
        self._over = False
        self._server: web.Server | None = None
        self._orphans: dict[web.RequestHandler, Task] = {}  # whose client has gone
        self._streams: dict[Task, web.StreamResponse] = {}
        self._told: set[Task] = set()  # that their stream is to end
        self._closing: set[Contained] = set()

    def watch(self, server: web.Server) -> None:
        """Know the requests of this server, from now on."""
        self._server = server
        inner, made, lost = server.request_handler, server.connection_made, server.connection_lost

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                response = await inner(request)
            except asyncio.CancelledError:
                stream = self._ended_stream()
                if stream is None:
                    raise
                response = stream  # to be brought to its end, as if the handler had returned it
            except web.HTTPException as answer:
                self._is_last(request, answer)
                raise
            except Exception:
                raise
            except BaseException as error:
                # Out of this task it would end the loop, and all that runs in it.
                raise OrchestraError(f"the handler raised {type(error).__name__}") from error
            if self.draining:
                self._is_last(request, response)
            return response

        def connection_made(connection: web.RequestHandler, transport: asyncio.Transport) -> None:
            made(connection, transport)
            if self._over:
                # On some loops a TLS handshake can't be aborted, and ends in a connection.
                transport.abort()

        def connection_lost(
            connection: web.RequestHandler, error: BaseException | None = None
        ) -> None:
            task = connection._task_handler
            if task is not None and not task.done():
                # The connection forgets it now.
                self._orphans[connection] = task
                task.add_done_callback(lambda _: self._orphans.pop(connection))
            lost(connection, error)

        changed: Any = server
        changed.request_handler = handle
        changed.connection_made, changed.connection_lost = connection_made, connection_lost
        changed.request_factory = _noticing(changed.request_factory, self._begins)

    def _is_last(self, request: web.BaseRequest, response: Any) -> None:
        # Unless its client has sent more in advance.
        more = getattr(request.protocol, "_messages", ())
        if self.draining and not more and isinstance(response, web.StreamResponse):
            response.force_close()

    # Seeing off

    def end_streams(self, patience: Patience) -> None:
        """Close websockets, and end streams of events, each once."""
        for task, response in list(self._streams.items()):
            socket = response if isinstance(response, web.WebSocketResponse) else None
            # A handler that does not wait for its client may be about to answer, or to end by itself.
            waits = socket is not None and getattr(socket, "_waiting", True)
            if task in self._told or not (waits or patience.is_over(task)):
                continue
            self._told.add(task)
            if socket is None:
                task.cancel()
            else:
                self._close(task, socket)

    def see_off(self, patience: Patience, linger: Patience) -> bool:
        """See to each connection once, to be called again until none is left; whether that is so."""
        for connection, transport in self._connections():
            self._see_off(connection, transport, patience, linger)
        return not self._connections() and not self._closing

    def _see_off(
        self, connection: Any, transport: asyncio.Transport, patience: Patience, linger: Patience
    ) -> None:
        task = self._task_of(connection)
        if connection._request_in_progress:
            body: Any = getattr(connection._current_request, "content", None)
            if _waits_for(body) and patience.is_over(body, body.total_bytes):
                connection.force_close()
        elif _is_idle(connection):
            # One that has connected a moment ago may have its request on the way, and any its next one.
            if (linger if connection._request_count else patience).is_over(connection):
                connection.force_close()
        elif task is not None and patience.is_over(task):
            task.cancel()  # it still reads a body that nobody has wanted
        if transport.is_closing():
            patience.hurry(transport)

    # Websockets, and server-sent events

    def _begins(self, response: web.StreamResponse) -> None:
        """The request that is handled in the current task has an answer that may go on for ever."""
        task: Any = asyncio.current_task()
        if task not in self._streams:
            task.add_done_callback(self._forget)
        self._streams[task] = response

    def _forget(self, task: Task) -> None:
        self._streams.pop(task, None)
        self._told.discard(task)

    def _ended_stream(self) -> web.StreamResponse | None:
        """The stream of the current task, if that has been cancelled to end it; None otherwise."""
        task: Any = asyncio.current_task()
        if task not in self._told or self._over:
            return None
        task.uncancel()
        return self._streams.get(task)

    def _close(self, task: Task, socket: web.WebSocketResponse) -> None:
        closing = contained(
            lambda: socket.close(code=WSCloseCode.GOING_AWAY, message=GOODBYE), "closes a websocket"
        )
        self._closing.add(closing)

        def done(closing: Contained) -> None:
            self._closing.discard(closing)
            if isinstance(outcome(closing), RuntimeError):
                self._told.discard(task)  # it was not open yet

        closing.add_done_callback(done)

    # Seeing, and cutting off

    def where(self) -> Iterable[str]:
        """Where each of them is."""
        found = []
        for connection, transport in self._connections():
            task = self._task_of(connection)
            if task is not None and (connection._request_in_progress or connection._messages):
                found.append(_stack.of_task(task))
            elif unsent(transport):
                found.append(UNTAKEN)
        return found

    def cut(self) -> None:
        """Abort all connections, and cancel all that is at work."""
        self._over = True
        for _, transport in self._connections():
            transport.abort()
        for task in self.tasks():
            task.cancel()

    def tasks(self) -> Iterable[Task]:
        """All that is at work."""
        found = [self._task_of(connection) for connection, _ in self._connections()]
        return [task for task in (*found, *self._closing) if task is not None]

    def _connections(self) -> list[tuple[web.RequestHandler, asyncio.Transport]]:
        """Those that are open, or whose handler goes on, with their transports."""
        return [] if self._server is None else list(self._server._connections.items())

    def _task_of(self, connection: web.RequestHandler) -> Task | None:
        task = connection._task_handler or self._orphans.get(connection)
        return None if task is None or task.done() else task


def _noticing(make: Callable[..., web.Request], begins: Callable[[Any], None]) -> Any:
    """What makes requests, such that streams are heard of before they begin."""
    # All of this is done for each request, so it is written for speed.
    ordinary, prepare_hook = web.Response, web.Request._prepare_hook

    class Request(web.Request):
        def _prepare_hook(self, response: web.StreamResponse) -> Any:
            if type(response) is not ordinary and _is_stream(response):
                begins(response)
            return prepare_hook(self, response)

    return functools.partial(make, _cls=Request)


def _is_stream(response: web.StreamResponse) -> bool:
    """Whether it may go on for as long as its client likes."""
    return isinstance(response, web.WebSocketResponse) or response.content_type == EVENT_STREAM


def _is_idle(connection: Any) -> bool:
    """Whether it waits for a request; one that has just come is not in its handler yet."""
    waiter = connection._waiter
    return waiter is not None and not waiter.done() and not connection._messages


def _waits_for(body: Any) -> bool:
    """Whether a handler reads a body of which there is more to come."""
    return body is not None and not body.is_eof() and getattr(body, "_waiter", body) is not None
