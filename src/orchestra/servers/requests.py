"""The requests that an ASGI application handles, for servers that do not tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from .. import _stack
from ..errors import OrchestraError
from .contained import Contained, contained

Message = dict[str, Any]

RESTART: Final = 1012
"""What a websocket is closed with: the service restarts, come back."""

_WHY: Final = "service restart"


class Requests:
    """An ASGI application that knows which requests it handles at this moment.

    `see_off` ends what would never end by itself. Websockets get a close frame, streams of events
    their end; to the application it looks as if the client had left.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._open: set[_Request] = set()
        self._seeing_off = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        made = _Websocket if scope["type"] == "websocket" else _Http
        request = made(receive, send)
        self._open.add(request)
        try:
            if self._seeing_off:
                request.see_off()
            await request.handled_by(self._app, scope)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            # Out of a task, a SystemExit would end the loop and all that runs in it.
            raise OrchestraError(f"a handler raised {type(error).__name__}") from error
        finally:
            self._open.discard(request)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks of the handlers."""
        return [request.task for request in self._open]

    def where(self) -> list[str]:
        """Where each of them is."""
        return [_stack.of_task(request.task) for request in self._open]

    def see_off(self) -> None:
        """End the websockets and the streams of events, those that come later too."""
        self._seeing_off = True
        for request in list(self._open):
            request.see_off()

    def give_up_silent(self, patience: float) -> None:
        """Tell those that their client has left who owes a part of its request for so many seconds."""
        for request in list(self._open):
            if request.waits_for_more_than(patience):
                request.end()

    def cancel(self) -> None:
        """Cancel the handlers."""
        for request in list(self._open):
            request.task.cancel()


class _Request:
    """One request, between its server and the application."""

    gone: Message

    def __init__(self, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self._receive = receive
        self._send = send
        self._loop = task.get_loop()
        self._receiver: asyncio.Task[Any] | None = None  # who waits for a message
        self._interrupted = False
        self._heard = self._loop.time()
        self._more = True  # of its body is to come
        self._ended = False

    async def handled_by(self, app: Any, scope: Any) -> None:
        try:
            await app(scope, self.receive, self.send)
        except _Ended:
            pass

    async def receive(self) -> Message:
        if self._ended:
            return await self._goodbye()
        self._receiver = asyncio.current_task()
        try:
            message: Message = await self._receive()
        except asyncio.CancelledError:
            # Ours, and nobody else's.
            if not self._interrupted or self._receiver is None or self._receiver.uncancel():
                raise
            return await self._goodbye()
        finally:
            self._receiver = None
            self._interrupted = False
        self._heard = self._loop.time()
        self._more = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        raise NotImplementedError

    def see_off(self) -> None:
        raise NotImplementedError

    def waits_for_more_than(self, patience: float) -> bool:
        waits = self._more and self._receiver is not None
        return waits and self._loop.time() - self._heard >= patience

    def end(self) -> None:
        """To the application, its client has left."""
        self._ended = True
        if self._receiver is not None and not self._interrupted:
            self._interrupted = True
            self._receiver.cancel()

    async def _goodbye(self) -> Message:
        return self.gone


class _Ended(ConnectionAbortedError):
    """As the standard has it, for an application that sends to a client that has left."""


class _Http(_Request):
    gone: Message = {"type": "http.disconnect"}

    def __init__(self, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        super().__init__(receive, send)
        self._events = False  # streams them
        self._leaving = False
        self._answered = False

    async def handled_by(self, app: Any, scope: Any) -> None:
        await super().handled_by(app, scope)
        if self._events and self._leaving and not self._answered:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(self, message: Message) -> None:
        if self._answered and self._leaving:
            raise _Ended("the server stops")
        if message["type"] == "http.response.start":
            self._events = _is_of_events(message)
        elif message["type"] == "http.response.body":
            if self._events and self._leaving:
                message = {**message, "more_body": False}
            self._answered = not message.get("more_body", False)
        await self._send(message)
        if self._leaving:
            self.see_off()

    def see_off(self) -> None:
        self._leaving = True
        if self._events:
            self.end()


class _Websocket(_Request):
    gone: Message = {"type": "websocket.disconnect", "code": RESTART, "reason": _WHY}

    def __init__(self, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        super().__init__(receive, send)
        self._more = False
        self._closing: Contained | None = None
        self._closed = False

    async def handled_by(self, app: Any, scope: Any) -> None:
        try:
            await super().handled_by(app, scope)
            await self._goodbye()
        finally:
            if self._closing is not None:
                self._closing.cancel()

    async def send(self, message: Message) -> None:
        if self._ended:
            raise _Ended("the server stops")
        self._closed = self._closed or message["type"] == "websocket.close"
        await self._send(message)

    def see_off(self) -> None:
        if self._ended:
            return
        self.end()
        if not self._closed:
            closing = {"type": "websocket.close", "code": RESTART, "reason": _WHY}
            self._closing = contained(lambda: _awaited(self._send(closing)), "closes a websocket")

    async def _goodbye(self) -> Message:
        if self._closing is not None:
            await asyncio.wait({self._closing})
        return self.gone


async def _awaited(work: Awaitable[object]) -> None:
    await work


def _is_of_events(start: Message) -> bool:
    headers = start.get("headers", ())
    return any(
        bytes(name).lower() == b"content-type" and bytes(value).startswith(b"text/event-stream")
        for name, value in headers
    )
