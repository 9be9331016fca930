"""The requests that an aiohttp server is busy with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import WSCloseCode, web

from .. import _stack
from ..errors import OrchestraError
from .contained import Contained, contained, outcome
from .patience import Patience

EVENT_STREAM: Final = "text/event-stream"
GOODBYE: Final = b"the server stops"

Handling = asyncio.Task[Any]


class Requests:
    """Each request from its handler to the end of its answer, whether its client is still there or not."""

    def __init__(self) -> None:
        self.draining = False  # its answers tell the clients to use another connection
        self._over = False
        self._in_flight: dict[Handling, web.BaseRequest] = {}
        self._streams: dict[Handling, web.StreamResponse] = {}
        self._told: set[Handling] = set()  # that their stream is to end
        self._leftovers: set[asyncio.Task[Any]] = set()  # read a body that nobody wanted to its end
        self._closing: set[Contained] = set()

    def __bool__(self) -> bool:
        return bool(self._in_flight or self._closing or self._leftovers)

    def watch(self, server: web.Server) -> None:
        """Know the requests of this server, from now on."""
        inner = server.request_handler

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            task: Any = asyncio.current_task()
            self._in_flight[task] = request
            task.add_done_callback(self._done)
            try:
                response = await inner(request)
            except asyncio.CancelledError:
                stream = self._streams.get(task)
                if stream is None or task not in self._told or self._over:
                    raise
                task.uncancel()
                response = stream  # which is brought to its end, as if the handler had returned it
            except web.HTTPException as answer:
                self._is_last(request, answer)
                raise
            except Exception:
                raise
            except BaseException as error:
                # Out of this task it would end the loop, and all that runs in it.
                raise OrchestraError(f"the handler raised {type(error).__name__}") from error
            self._is_last(request, response)
            return response

        server.request_handler = handle

    def _is_last(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        # Unless its client has sent more in advance.
        more = getattr(request.protocol, "_messages", ())
        if self.draining and not more and isinstance(response, web.StreamResponse):
            response.force_close()

    def _done(self, task: Handling) -> None:
        request = self._in_flight.pop(task)
        self._streams.pop(task, None)
        self._told.discard(task)
        connection: asyncio.Task[Any] | None = request.task
        if not request.content.is_eof() and connection is not None and not connection.done():
            self._leftovers.add(connection)
            connection.add_done_callback(self._leftovers.discard)

    # Websockets, and server-sent events

    @staticmethod
    def is_stream(response: web.StreamResponse) -> bool:
        """Whether this is an answer that may go on for as long as the client likes."""
        return isinstance(response, web.WebSocketResponse) or response.content_type == EVENT_STREAM

    def streams(self, response: web.StreamResponse) -> None:
        """The request that is handled in the current task has such an answer."""
        task: Any = asyncio.current_task()
        if task in self._in_flight:
            self._streams[task] = response

    def end_streams(self, patience: Patience, latest: float) -> None:
        """Close the websockets, and end the events that have not come to their end by then."""
        late = asyncio.get_running_loop().time() >= latest
        for task, response in list(self._streams.items()):
            if task in self._told:
                continue
            if isinstance(response, web.WebSocketResponse):
                # A handler that does not wait for its client may be about to answer.
                if getattr(response, "_waiting", True) or patience.is_over(task):
                    self._told.add(task)
                    self._close(task, response)
            elif late:
                self._told.add(task)
                task.cancel()

    def _close(self, task: Handling, socket: web.WebSocketResponse) -> None:
        closing = contained(
            lambda: socket.close(code=WSCloseCode.GOING_AWAY, message=GOODBYE), "closes a websocket"
        )
        self._closing.add(closing)

        def done(closing: Contained) -> None:
            self._closing.discard(closing)
            if isinstance(outcome(closing), RuntimeError):
                self._told.discard(task)  # it was not open yet

        closing.add_done_callback(done)

    # Seeing, and ending

    def by_connection(self) -> dict[Any, web.BaseRequest]:
        """The requests in flight, by the connection that each came by."""
        return {request.protocol: request for request in self._in_flight.values()}

    def where(self) -> Iterable[str]:
        """Where each of them is."""
        return [_stack.of_task(task) for task in self._in_flight if not task.done()]

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        """All that is at work."""
        return [*self._in_flight, *self._leftovers, *self._closing]

    def forget_leftovers(self) -> None:
        """Read no more of what nobody wants."""
        for task in list(self._leftovers):
            task.cancel()

    def cancel(self) -> None:
        """Cancel all that is at work."""
        self._over = True
        for task in self.tasks():
            task.cancel()
