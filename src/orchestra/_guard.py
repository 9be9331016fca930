"""The guard of a process that plays: it hears the signals, and sees to it that the process ends."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from ._root import Root
from ._signals import Handlers, Mailbox, Stage, Steps
from ._waiter import call_soon_threadsafe
from .errors import StopTimeoutError

PATIENCE: Final = 1.0
"""Seconds that a loop has to give a sign of life, once all of it should be over."""


class Guard:
    """A thread beside the loop: what it does works also while the loop is blocked."""

    def __init__(self, signals: Collection[int], drain_delay: float) -> None:
        self._drain_delay = drain_delay
        self._mailbox = Mailbox(signals)
        self._handlers = Handlers(signals, self._mailbox.post)
        self._thread = threading.Thread(target=self._watch, name="orchestra guard", daemon=True)
        self._root: Root | None = None
        self._steps: Steps | None = None
        self._first: int | None = None
        self._limit: float | None = None
        self._closed = False

    def __enter__(self) -> Guard:
        try:
            self._handlers.__enter__()
        except BaseException:
            self._mailbox.close()
            raise
        self._mailbox.open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._mailbox.post()
        self._thread.join()
        self._handlers.__exit__()
        self._mailbox.close()

    def attach(self, root: Root) -> None:
        """What the signals are for, from now on; those that came before count as well."""
        root.performance.on_stop = self._on_stop
        self._steps = Steps(root, self._drain_delay)
        self._root = root
        self._mailbox.post()

    def _on_stop(self, deadline: float) -> None:
        if self._root is not None:
            self._set_limit(deadline - self._root.loop.time())
            self._mailbox.post()

    def _set_limit(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        self._limit = limit if self._limit is None else min(self._limit, limit)

    # In the thread

    def _watch(self) -> None:
        waiting: list[int] = []
        while not self._closed:
            limit = self._limit
            waiting += self._mailbox.read(
                None if limit is None else max(0.001, limit - time.monotonic())
            )
            if self._steps is not None:
                for signum in waiting:
                    self._take_step(self._steps, signum)
                waiting = []
            if limit is not None and time.monotonic() >= limit and not self._closed:
                self._check_loop()

    def _take_step(self, steps: Steps, signum: int) -> None:
        if self._first is None:
            self._first = signum
        stage = steps.take(signum)
        if stage is Stage.FORCED:
            self._force(128 + signum, "one signal more than it takes to cut everything off")
        root = self._root
        if root is not None and stage is Stage.STOPPING:
            self._set_limit(root.timeout + root.grace)
        elif root is not None and stage is Stage.CUT_OFF:
            self._set_limit(root.grace)

    def _check_loop(self) -> None:
        """The time is over: is the loop still at work on it, or is it blocked?"""
        root = self._root
        if root is None:
            return
        alive = threading.Event()
        call_soon_threadsafe(root.loop, alive.set)
        if not alive.wait(PATIENCE) and not self._closed:
            code = 1 if self._first is None else 128 + self._first
            self._force(code, "the loop is blocked, and the time to stop is over")
        self._limit = time.monotonic() + PATIENCE

    def _force(self, code: int, why: str) -> None:
        with contextlib.suppress(Exception):
            _say(f"orchestra: the process ends with {code}: {why}")
            if self._root is not None and not self._root.life.over:
                say_where(dict(self._root.life.leaves()))
            faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
        _exit(code)


def print_stuck(error: StopTimeoutError) -> None:
    """Print to standard error who did not stop in time, and where each was."""
    _say(f"orchestra: {error}")
    say_where(error.stuck)


def say_where(places: Mapping[str, str]) -> None:
    """Print to standard error where some players are."""
    for path, where in places.items():
        _say(f"  {path or 'conductor'}")
        for line in where.splitlines():
            _say(f"    {line}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _exit(code: int) -> None:
    """End the process at once, with what has been printed."""
    # In a thread, since whoever is stuck may hold the stream's lock.
    flusher = threading.Thread(target=_flush, daemon=True)
    flusher.start()
    flusher.join(PATIENCE / 2)
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


class Watcher:
    """Ends the process with 1 where threads would keep it from ending after its main thread."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())
        self._main_is_over = threading.Event()

    def threads(self) -> list[threading.Thread]:
        """Those that were started since, and that the interpreter would wait for."""
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._before and not thread.daemon and thread.is_alive()
        ]

    def watch(self) -> None:
        """Wait for the main thread's end, one second more, and end the process."""
        # Not `main_thread().join()`: the interpreter first waits for threads of pools, in functions
        # that are registered this way, the last one first.
        _register_at_end(self._main_is_over.set)
        threading.Thread(target=self._end, name="orchestra watcher", daemon=True).start()

    def _end(self) -> None:
        self._main_is_over.wait()
        time.sleep(PATIENCE)
        _say("orchestra: the process ends with 1, since threads still run after its end:")
        for thread in self.threads():
            _say(f"  {thread.name}")
        faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
        _exit(1)


def _register_at_end(function: Callable[[], Any]) -> None:
    register: Callable[[Callable[[], Any]], None] = threading._register_atexit  # type: ignore[attr-defined]
    register(function)


def join_all(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Wait for some threads, for some seconds in all."""
    limit = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
