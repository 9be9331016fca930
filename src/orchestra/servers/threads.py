"""Threads for handlers that block."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .. import _stack

Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """An executor whose threads nobody waits for: a handler that hangs does not hold the program's end.

    For `loop.run_in_executor`. Threads are started as they are needed, up to `most`. Thread-safe.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: deque[Job] = deque()
        self._condition = threading.Condition()
        self._idle = 0
        self._started = 0
        self._busy: set[int] = set()
        self._closed = False

    def submit(self, call: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Call this in a thread, as soon as one is free; `RuntimeError` after `close`."""
        future: Future[Any] = Future()
        with self._condition:
            if self._closed:
                raise RuntimeError("these threads have been closed")
            if self._idle <= len(self._jobs) and self._started < self._most:
                name = f"{self._name}-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
                self._started += 1
            self._jobs.append((future, call, args))
            self._condition.notify()
        return future

    @property
    def queued(self) -> int:
        """How many wait for a thread."""
        return len(self._jobs)

    def where(self) -> list[str]:
        """Where each thread is that is at work."""
        with self._condition:
            busy = list(self._busy)
        return [place for place in map(_stack.of_thread, busy) if place]

    def close(self) -> None:
        """Let the threads end, each after what it is at; what waits for one is not called any more."""
        with self._condition:
            self._closed = True
            waiting = [future for future, _, _ in self._jobs]
            self._jobs.clear()
            self._condition.notify_all()
        for future in waiting:
            future.cancel()

    def _work(self) -> None:
        ident = threading.get_ident()
        while (job := self._next()) is not None:
            try:
                _do(*job)
            finally:
                del job
                with self._condition:
                    self._busy.discard(ident)

    def _next(self) -> Job | None:
        with self._condition:
            self._idle += 1
            self._condition.wait_for(lambda: self._jobs or self._closed)
            self._idle -= 1
            if self._closed:
                return None
            self._busy.add(threading.get_ident())
            return self._jobs.popleft()


def _do(future: Future[Any], call: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call(*args)
    except StopIteration as error:
        # A future of asyncio takes none, and would never be done (until Python 3.12).
        future.set_exception(RuntimeError(f"a handler raised {error!r}"))
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
