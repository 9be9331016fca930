"""The requests that an ASGI application handles, and how those end that have no end of their own."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from .. import _stack
from ..errors import OrchestraError
from .contained import Contained, contained

Message = dict[str, Any]

RESTART: Final = 1012
"""What a websocket is closed with: the service restarts, come back."""

CLOSE: Final = (b"connection", b"close")

EVENT_STREAM: Final = b"text/event-stream"


class Requests:
    """An ASGI application that knows which requests it handles at this moment.

    A request in flight is waited for during a stop. Event streams and websockets are not, since they have
    no end of their own, and their clients are made to connect again. `end_streams` and `end_websockets` let
    their handlers know, as if the client had left; `press_streams` cancels those that go on all the same.
    Either way the client gets a complete answer, or a close frame.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._open: set[_Request] = set()
        self._websockets_end = False
        self._goodbye = False
        self.loop = asyncio.get_running_loop()
        self.streams_end = False

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        # What is done here and by the request is done for each, so it is next to nothing. With its
        # loop, the task is found in a third of the time on Python 3.11.
        task = asyncio.current_task(self.loop)
        if scope["type"] == "websocket":
            request: _Request = _Websocket(self, task, receive, send)
            if self._websockets_end:
                request.end_websocket()
        else:
            if self._goodbye and scope["http_version"].startswith("1"):
                send = _saying_goodbye(send)
            request = _Request(self, task, receive, send)
        self._open.add(request)
        try:
            await self._app(scope, request.receive, request.send)
        except BaseException as error:
            request.excuse(error)
        finally:
            self._open.discard(request)
            if request.closing is not None:
                await request.close(request.closing)
        if request.ended:
            await request.complete()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks of the handlers."""
        return [request.task for request in self._open]

    def where(self) -> list[str]:
        """Where each handler is."""
        return [_stack.of_task(task) for task in self.tasks]

    def say_goodbye(self) -> None:
        """Tell clients that ask from now on to use another connection next time, over HTTP/1."""
        self._goodbye = True

    def end_streams(self) -> None:
        """End the event streams, those that come later as well."""
        self.streams_end = True
        for request in list(self._open):
            request.end_stream()

    def press_streams(self) -> None:
        """Cancel the handlers of event streams that go on all the same; each once."""
        for request in list(self._open):
            request.press_stream()

    def end_websockets(self) -> None:
        """End the websockets, those that come later as well."""
        self._websockets_end = True
        for request in list(self._open):
            request.end_websocket()

    async def websockets_closed(self, timeout: float) -> None:
        """Until the close frames have been sent, for so many seconds at the most."""
        closing = [request.closing for request in self._open if request.closing is not None]
        if closing:
            await asyncio.wait(closing, timeout=timeout)

    def end_unfinished(self, patience: float) -> None:
        """End requests whose client owes the rest of them, and has been silent for so many seconds."""
        for request in list(self._open):
            if request.waits_for_more_than(patience):
                request.end()

    def cancel(self) -> None:
        """Cancel the handlers."""
        for task in self.tasks:
            task.cancel()


def _saying_goodbye(send: Any) -> Any:
    def send_goodbye(message: Message) -> Any:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
        return send(message)

    return send_goodbye


class _Ended(ConnectionAbortedError):
    """As the standard has it, for an application that sends to a client that has left."""


class _Request:
    """One request, between its server and the application."""

    gone: ClassVar[Message] = {"type": "http.disconnect"}

    __slots__ = (
        "_first",
        "_inbox",
        "_last",
        "_pressed_after",
        "_receive",
        "_requests",
        "_send",
        "closing",
        "ended",
        "task",
    )

    def __init__(
        self, requests: Requests, task: asyncio.Task[Any] | None, receive: Any, send: Any
    ) -> None:
        assert task is not None
        self.task = task
        self.ended = False  # for the application: its client has left
        self.closing: Contained | None = None  # a websocket
        self._requests = requests
        self._receive = receive
        self._send = send
        self._first: Message | None = None
        self._last: Message | None = None
        self._inbox: _Inbox | None = None
        self._pressed_after: int | None = None  # cancellations

    async def receive(self) -> Message:
        if self.ended:
            return self.gone
        inbox = self._inbox
        if inbox is None:
            inbox = self._inbox = _Inbox(self._receive, self._requests.loop)
        message = await inbox.take()
        return self.gone if message is None else message

    def send(self, message: Message) -> Any:
        self._last = message
        if self._first is None:
            if "headers" not in message and message["type"] == "http.response.start":
                # The standard allows a start without them, granian does not.
                self._last = message = {**message, "headers": ()}
            self._first = message
            if self._requests.streams_end:
                self.end_stream()
        # Has to be awaited; to do so here as well would be one coroutine more a message.
        return self._send(message)

    def end(self) -> None:
        """To the application, its client has left."""
        self.ended = True
        if self._inbox is not None:
            self._inbox.interrupt()

    def end_stream(self) -> None:
        if self._is_event_stream():
            self.end()

    def press_stream(self) -> None:
        if self.ended and self._pressed_after is None and self._is_event_stream():
            self._pressed_after = self.task.cancelling()
            self.task.cancel()

    def end_websocket(self) -> None:
        """Nothing to do: it is none."""

    def waits_for_more_than(self, patience: float) -> bool:
        return self._inbox is not None and self._inbox.waits_for_more_than(patience)

    def excuse(self, error: BaseException) -> None:
        """Take what its handler raised for its end, or raise it."""
        if isinstance(error, asyncio.CancelledError):
            after = self._pressed_after
            # That of somebody else, who meant the handler, goes on its way.
            if after is None or self.task.uncancel() > after:
                raise error
        elif isinstance(error, Exception):
            if not isinstance(error, _Ended):
                raise error
        else:
            # Out of a task, a SystemExit would end the loop and all that runs in it.
            raise OrchestraError(f"a handler raised {type(error).__name__}") from error

    async def complete(self) -> None:
        """Bring the answer to its end, for the client of an event stream."""
        last = self._last
        if last is None or not self._is_event_stream():
            return
        if last["type"] != "http.response.body" or last.get("more_body", False):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self, closing: Contained) -> None:
        """After its handler: the server takes the end of that for the end of the connection."""
        try:
            await asyncio.wait({closing})
        finally:
            closing.cancel()

    def _is_event_stream(self) -> bool:
        headers = () if self._first is None else self._first.get("headers", ())
        return any(
            name.lower() == b"content-type" and value.lower().startswith(EVENT_STREAM)
            for name, value in headers
        )


class _Inbox:
    """What the client of a request sends; most handlers never ask."""

    def __init__(self, receive: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._receive = receive
        self._loop = loop
        self._heard = loop.time()  # its client, or waited for
        self._more = True  # of its body is to come
        self._receiver: asyncio.Task[Any] | None = None
        self._interrupted = False

    async def take(self) -> Message | None:
        """The next message; None if the handler was interrupted as it waited for it."""
        receiver = self._receiver = asyncio.current_task()
        assert receiver is not None
        before = receiver.cancelling()
        try:
            message: Message = await self._receive()
        except asyncio.CancelledError:
            # That of somebody else, who meant the handler, goes on its way.
            if not self._interrupted or receiver.uncancel() > before:
                raise
            return None
        finally:
            self._receiver = None
        self._heard = self._loop.time()
        self._more = message.get("more_body", False)
        return message

    def interrupt(self) -> None:
        """Wake a handler that waits, once."""
        if self._receiver is not None and not self._interrupted:
            self._interrupted = True
            self._receiver.cancel()

    def waits_for_more_than(self, patience: float) -> bool:
        """Whether its client has owed the rest of its body for so many seconds."""
        waits = self._more and self._receiver is not None
        return waits and self._loop.time() - self._heard >= patience


class _Websocket(_Request):
    """One websocket. It is ended by a close frame."""

    gone: ClassVar[Message] = {
        "type": "websocket.disconnect",
        "code": RESTART,
        "reason": "service restart",
    }

    __slots__ = ("_closed",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._closed = False

    def send(self, message: Message) -> Any:
        if self.ended:
            raise _Ended("the server stops")
        self._closed = self._closed or message["type"] == "websocket.close"
        return self._send(message)

    def end_websocket(self) -> None:
        if self.ended or self._closed:
            return
        self.end()
        self.closing = contained(self._say_goodbye, "closes a websocket")

    async def _say_goodbye(self) -> None:
        await self._send({**self.gone, "type": "websocket.close"})

    def waits_for_more_than(self, patience: float) -> bool:
        return False
