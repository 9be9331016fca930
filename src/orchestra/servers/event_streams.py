"""Server-sent events over ASGI, and how they come to a proper end."""

from __future__ import annotations

from asyncio import CancelledError, Task, current_task, get_running_loop
from typing import Any, Final

EVENT_STREAM: Final = b"text/event-stream"


class EventStreams:
    """An ASGI application whose event streams can be ended.

    A request in flight is waited for during a stop; an event stream is not, since it has no end of its
    own, and its client is made to connect again. `end` tells each handler that its client has gone (by
    `http.disconnect`), `press` cancels those that have not ended by that. Either way the answer is brought
    to its end for the client, as a complete one.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = get_running_loop()
        self._answers: set[_Answer] = set()
        self.ending = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        # What is done here and by the answer is done for each request, so it is next to nothing.
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # With its loop, the task is found in a third of the time on Python 3.11.
        answer = _Answer(self, receive, send, current_task(self._loop))
        self._answers.add(answer)
        try:
            await self._app(scope, answer.receive, answer.send)
        except CancelledError:
            if not answer.was_pressed():
                raise
        finally:
            self._answers.discard(answer)
        if answer.told and not answer.is_complete():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def end(self) -> None:
        """Tell the handlers of all event streams, those still to come as well, that it is over."""
        self.ending = True
        for answer in list(self._answers):
            answer.tell()

    def press(self) -> None:
        """Cancel the handlers of those that go on all the same; each once."""
        for answer in list(self._answers):
            answer.press()


class _Answer:
    """What a handler receives and sends."""

    # Of the class until something happens, since most answers never need them.
    told = False
    _started_with: Any = None
    _last: Any = None
    _receiver: Task[Any] | None = None
    # How many cancellations there had been before ours.
    _before_told: int | None = None
    _before_pressed: int | None = None

    def __init__(
        self, streams: EventStreams, receive: Any, send: Any, task: Task[Any] | None
    ) -> None:
        self._streams = streams
        self._receive = receive
        self._send = send
        self._task = task

    async def receive(self) -> Any:
        if self.told:
            return {"type": "http.disconnect"}
        self._receiver = current_task()
        try:
            return await self._receive()
        except CancelledError:
            if not _is_ours(self._receiver, self._before_told):
                raise
            return {"type": "http.disconnect"}
        finally:
            self._receiver = None

    def send(self, message: Any) -> Any:
        self._last = message
        if self._started_with is None:
            self._started_with = message
            if self._streams.ending:
                self.tell()
        # Has to be awaited; to do so here as well would be one coroutine more a message.
        return self._send(message)

    def tell(self) -> None:
        """Let the handler of an event stream know that it is over."""
        if not self.told and _is_event_stream(self._started_with):
            self.told = True
            if self._receiver is not None:
                self._before_told = self._receiver.cancelling()
                self._receiver.cancel()

    def press(self) -> None:
        """Cancel a handler that has been told, and goes on."""
        if self.told and self._before_pressed is None and self._task is not None:
            self._before_pressed = self._task.cancelling()
            self._task.cancel()

    def was_pressed(self) -> bool:
        """Whether a cancellation of the handler is that of `press`."""
        return _is_ours(self._task, self._before_pressed)

    def is_complete(self) -> bool:
        """Whether the handler has sent its last part."""
        last = self._last
        return last["type"] == "http.response.body" and not last.get("more_body", False)


def _is_ours(task: Task[Any] | None, before: int | None) -> bool:
    """Whether the cancellation of a task is ours alone, and taken back.

    That of somebody else, who means the handler, goes on its way.
    """
    return task is not None and before is not None and task.uncancel() <= before


def _is_event_stream(start: Any) -> bool:
    headers = () if start is None else start.get("headers", ())
    return any(
        name.lower() == b"content-type" and value.lower().startswith(EVENT_STREAM)
        for name, value in headers
    )
