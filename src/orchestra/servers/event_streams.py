"""Server-sent events over ASGI, and how they come to a proper end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

EVENT_STREAM: Final = b"text/event-stream"


class EventStreams:
    """An ASGI application, and the event streams in it that are open at the moment.

    A request in flight is waited for during a stop; an event stream is not, since it has no end of its
    own, and its client is made to connect again. `end` tells each handler that its client has gone (by
    `http.disconnect`), `press` cancels those that have not ended by that. Either way the answer is brought
    to its end for the client, as a complete one.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._open: set[_Answer] = set()
        self._ending = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(self, receive, send)
        try:
            await self._app(scope, answer.receive, answer.send)
        except asyncio.CancelledError:
            if not answer.was_pressed():
                raise
        finally:
            self._open.discard(answer)
        if answer.told and not answer.complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def opened(self, answer: _Answer) -> None:
        """An answer has turned out to be an event stream."""
        self._open.add(answer)
        if self._ending:
            answer.tell()

    def end(self) -> None:
        """Tell the handlers of all event streams, those still to come as well, that it is over."""
        self._ending = True
        for answer in list(self._open):
            answer.tell()

    def press(self) -> None:
        """Cancel the handlers that go on all the same; each once."""
        for answer in list(self._open):
            answer.press()


class _Answer:
    """What a handler receives and sends."""

    __slots__ = (
        "_before",
        "_interrupted",
        "_pressed",
        "_receive",
        "_receiver",
        "_send",
        "_streams",
        "_task",
        "complete",
        "told",
    )

    def __init__(self, streams: EventStreams, receive: Any, send: Any) -> None:
        self._streams = streams
        self._receive = receive
        self._send = send
        self._task = asyncio.current_task()
        self._receiver: asyncio.Task[Any] | None = None
        self._before = 0  # cancellations that it has had already
        self._interrupted = False
        self._pressed: int | None = None
        self.told = False
        self.complete = False

    async def receive(self) -> Any:
        if self.told:
            return {"type": "http.disconnect"}
        receiver = self._receiver = asyncio.current_task()
        assert receiver is not None
        self._before = receiver.cancelling()
        try:
            return await self._receive()
        except asyncio.CancelledError:
            # That of somebody else, who meant the handler, goes on its way.
            if not self._interrupted or receiver.uncancel() > self._before:
                raise
            return {"type": "http.disconnect"}
        finally:
            self._receiver = None

    def send(self, message: Any) -> Any:
        # The one that the server gives has to be awaited; to do so here as well would cost each request.
        if message["type"] == "http.response.start":
            if _is_event_stream(message):
                self._streams.opened(self)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True
        return self._send(message)

    def tell(self) -> None:
        if not self.told:
            self.told = True
            if self._receiver is not None:
                self._interrupted = True
                self._receiver.cancel()

    def press(self) -> None:
        if self._pressed is None and self._task is not None:
            self._pressed = self._task.cancelling()
            self._task.cancel()

    def was_pressed(self) -> bool:
        """Whether a cancellation is ours, and nobody else's."""
        return (
            self._pressed is not None
            and self._task is not None
            and self._task.uncancel() <= self._pressed
        )


def _is_event_stream(message: Any) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(EVENT_STREAM)
        for name, value in message.get("headers", ())
    )
