"""WSGI applications on uvicorn, through a2wsgi.

A handler runs in a thread, and a thread can't be cut off. What can be: it waits for its client no
longer, and nobody waits for it. Its request counts as cut, and the thread is named if it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import WSGIResponder

from .adapter import Options
from .threads import Threads
from .uvicorn_adapter import UvicornAdapter

THREADS: Final = 40
"""How many requests are handled at a time; as many as Starlette handles in threads."""


class WsgiAdapter(UvicornAdapter):
    """One run of a WSGI application; see `Adapter`."""

    def __init__(self, app: Any, options: Options) -> None:
        self._threads = Threads(THREADS, "wsgi")
        super().__init__(_Bridge(app, self._threads), options)

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        try:
            await super().abort(timeout)
        finally:
            self._threads.close()

    def _where(self) -> list[str]:
        waiting = ["waiting for a thread that is free"] * self._threads.queued
        known = [*self._threads.where(), *waiting]
        return [*known, *super()._where()[len(known) :]]


class _Bridge(WSGIMiddleware):
    """A2wsgi's, on threads of ours."""

    def __init__(self, app: Any, threads: Threads) -> None:
        super().__init__(app)
        # Its own are waited for when the program ends, whatever they do.
        self.executor: Any = threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        await _Responder(self.app, self.executor, self.send_queue_size)(scope, receive, send)


class _Responder(WSGIResponder):
    """A2wsgi's for one request, that leaves no thread waiting when the request is over."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._over = False
        self._waiting: set[asyncio.Task[Any]] = set()  # on behalf of the thread

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def receive_part() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                # A2wsgi would take it for the end of the body.
                raise ConnectionResetError("the client has left in the middle of its request")
            return message

        try:
            await super().__call__(scope, lambda: self._attended(receive_part), send)
        finally:
            self._over = True
            for task in self._waiting:
                task.cancel()

    def send(self, message: Any) -> None:
        """Called in the thread; waits until the client takes it."""
        put = self.send_queue.put
        asyncio.run_coroutine_threadsafe(
            self._attended(lambda: put(message)), loop=self.loop
        ).result()

    def _attended(self, work: Callable[[], Any]) -> Coroutine[Any, Any, Any]:
        """What the thread is about to wait for in the loop; raises if there is nothing to wait for."""
        if self._over:
            raise ConnectionAbortedError("the request was cut off")
        return self._wait_for(work)

    async def _wait_for(self, work: Callable[[], Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            if self._over:
                raise asyncio.CancelledError
            return await work()
        except asyncio.CancelledError:
            raise ConnectionAbortedError("the request was cut off") from None
        finally:
            self._waiting.discard(task)
