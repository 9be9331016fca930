"""The requests that an ASGI application handles, for servers that do not tell of them."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from .. import _stack
from ..errors import OrchestraError
from .contained import Contained, contained
from .event_streams import EventStreams

Message = dict[str, Any]

RESTART: Final = 1012
"""What a websocket is closed with: the service restarts, come back."""


class Requests:
    """An ASGI application that knows which requests it handles at this moment.

    `see_off` ends what has no end of its own: websockets get a close frame, event streams their end. To
    the application it looks as if the client had left.
    """

    def __init__(self, app: Any) -> None:
        self._streams = EventStreams(app)
        self._loop = asyncio.get_running_loop()
        self._open: set[_Request] = set()
        self._seeing_off = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        request = (_Websocket if scope["type"] == "websocket" else _Request)(task, receive, send)
        self._open.add(request)
        if self._seeing_off:
            request.see_off()
        try:
            await self._streams(scope, request.receive, request.send)
        except _Ended:
            pass
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            # Out of a task, a SystemExit would end the loop and all that runs in it.
            raise OrchestraError(f"a handler raised {type(error).__name__}") from error
        finally:
            self._open.discard(request)
            if request.closing is not None:
                await request.close(request.closing)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks of the handlers."""
        return [request.task for request in self._open]

    def where(self) -> list[str]:
        """Where each handler is."""
        return [_stack.of_task(task) for task in self.tasks]

    def see_off(self) -> None:
        """End the websockets and the event streams, those that come later as well."""
        self._seeing_off = True
        self._streams.end()
        for request in list(self._open):
            request.see_off()

    async def seen_off(self, timeout: float) -> None:
        """Until the close frames have been sent, for so many seconds at the most."""
        closing = [request.closing for request in self._open if request.closing is not None]
        if closing:
            await asyncio.wait(closing, timeout=timeout)

    def press(self, patience: float) -> None:
        """End what goes on all the same: event streams, and requests whose client is silent.

        That is a client who owes the rest of its request for so many seconds.
        """
        self._streams.press()
        for request in list(self._open):
            if request.waits_for_more_than(patience):
                request.end()

    def cancel(self) -> None:
        """Cancel the handlers."""
        for task in self.tasks:
            task.cancel()


class _Ended(ConnectionAbortedError):
    """As the standard has it, for an application that sends to a client that has left."""


class _Request:
    """One request, between its server and the application."""

    gone: ClassVar[Message] = {"type": "http.disconnect"}

    # Of the class until something happens, since most requests never need them.
    closing: Contained | None = None  # a websocket
    _receiver: asyncio.Task[Any] | None = None  # who waits for a message
    _before = 0  # cancellations that it has had already
    _interrupted = False
    _heard = 0.0  # when its client was heard, or waited for
    _more = True  # of its body is to come
    _ended = False

    def __init__(self, task: asyncio.Task[Any], receive: Any, send: Any) -> None:
        self.task = task
        self.send = send
        self._receive = receive

    async def receive(self) -> Message:
        if self._ended:
            return self.gone
        receiver = self._receiver = asyncio.current_task()
        assert receiver is not None
        self._before = receiver.cancelling()
        self._heard = self._heard or self._now()
        try:
            message: Message = await self._receive()
        except asyncio.CancelledError:
            # That of somebody else, who meant the handler, goes on its way.
            if not self._interrupted or receiver.uncancel() > self._before:
                raise
            return self.gone
        finally:
            self._receiver = None
        self._heard = self._now()
        self._more = message.get("more_body", False)
        return message

    def see_off(self) -> None:
        """Nothing to do: it has an end of its own."""

    def waits_for_more_than(self, patience: float) -> bool:
        waits = self._more and self._receiver is not None
        return waits and self._now() - self._heard >= patience

    def end(self) -> None:
        """To the application, its client has left."""
        self._ended = True
        if self._receiver is not None and not self._interrupted:
            self._interrupted = True
            self._receiver.cancel()

    async def close(self, closing: Contained) -> None:
        """After its handler: the server takes the end of that for the end of the connection."""
        try:
            await asyncio.wait({closing})
        finally:
            closing.cancel()

    def _now(self) -> float:
        return self.task.get_loop().time()


class _Websocket(_Request):
    gone: ClassVar[Message] = {
        "type": "websocket.disconnect",
        "code": RESTART,
        "reason": "service restart",
    }

    def __init__(self, task: asyncio.Task[Any], receive: Any, send: Any) -> None:
        super().__init__(task, receive, self._pass)
        self._send = send
        self._closed = False

    async def _pass(self, message: Message) -> None:
        if self._ended:
            raise _Ended("the server stops")
        self._closed = self._closed or message["type"] == "websocket.close"
        await self._send(message)

    def see_off(self) -> None:
        if self._ended or self._closed:
            return
        self.end()
        self.closing = contained(self._say_goodbye, "closes a websocket")

    async def _say_goodbye(self) -> None:
        await self._send({**self.gone, "type": "websocket.close"})

    def waits_for_more_than(self, patience: float) -> bool:
        return False
