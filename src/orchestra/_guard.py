"""The guard of a process that plays: it hears the signals, and sees to it that the process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Self

from . import _stack
from ._root import Root
from ._signals import Handlers, Mailbox, Stage, Steps, check_signals
from ._snapshot import leaves
from ._waiter import Woken, call_soon_threadsafe
from .errors import StopTimeoutError

PATIENCE: Final = 1.0
"""Seconds that a loop has to give a sign of life, once all of it should be over."""

GUARD, HELPER = "orchestra guard", "orchestra end"
"""The names of our own threads, which tell nothing about what is stuck."""

MOST_UNHEARD: Final = 3
"""Signals before there is a performance to stop, of which the last one ends the process."""


class Guard:
    """A thread beside the loop: what it does works also while the loop is blocked."""

    def __init__(self, signals: Iterable[int], drain_delay: float) -> None:
        signals = check_signals(signals)
        self._drain_delay = drain_delay
        self._mailbox = Mailbox(signals)
        self._handlers = Handlers(signals, self._mailbox.post)
        self._thread = threading.Thread(target=self._watch, name=GUARD, daemon=True)
        self._steps: Steps | None = None
        self._time_to_stop = 0.0
        self._begun_by: int | None = None  # the signal that began the stop, if one did
        self._limit: float | None = None  # when to see whether the loop still makes progress
        self._closed = False

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            opened.enter_context(self._mailbox)
            opened.enter_context(self._handlers)
            self._thread.start()
            opened.callback(self._end_thread)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _end_thread(self) -> None:
        self._closed = True
        self._mailbox.post()
        self._thread.join()

    def attach(self, root: Root) -> None:
        """What the signals are for, from now on; those that came before count as well."""
        self._time_to_stop = root.timeout + root.grace
        self._handlers.share(root.loop, self._mailbox.take_back)
        # Some loops take the wakeup fd as soon as they run.
        root.loop.call_soon(self._mailbox.take_back)
        root.performance.on_stop = lambda deadline: self.expect_end(deadline - root.loop.time())
        root.context._add(self)
        # The last, since the thread may go on from here.
        self._steps = Steps(root, self._drain_delay)
        self._mailbox.post()

    def end(self, woken: list[Woken]) -> None:
        """The root is asked to stop, perhaps while the loop is blocked; in any thread."""
        self.expect_end(self._time_to_stop)

    def expect_end(self, seconds: float) -> None:
        """From then on the loop is watched: if it is blocked, the process ends."""
        limit = time.monotonic() + seconds
        self._limit = limit if self._limit is None else min(self._limit, limit)
        self._mailbox.post()

    # In the thread

    def _watch(self) -> None:
        waiting: list[int] = []
        while not self._closed:
            limit = self._limit
            left = None if limit is None else max(0.001, limit - time.monotonic())
            waiting += self._mailbox.read(left)
            if self._steps is None:
                if len(waiting) >= MOST_UNHEARD:
                    self._force(128 + waiting[-1], "a third signal came before anything played")
                continue
            for signum in waiting:
                self._take_step(self._steps, signum)
            waiting = []
            if limit is not None and time.monotonic() >= limit:
                self._check_loop(self._steps.root)

    def _take_step(self, steps: Steps, signum: int) -> None:
        root = steps.root
        if steps.stage is Stage.PLAYING and not _is_stopping(root):
            self._begun_by = signum
        stage = steps.take(signum)
        if stage is Stage.DRAINING:
            self.expect_end(self._drain_delay + self._time_to_stop)
        elif stage is Stage.CUT_OFF:
            self.expect_end(root.grace)
        elif stage is Stage.FORCED:
            self._force(128 + signum, "one signal more than it takes to cut everything off")

    def _check_loop(self, root: Root) -> None:
        """The time is over: is the loop still at work on it, or is it blocked?"""
        alive = threading.Event()

        def look() -> None:
            # A group that has stopped may have come back since.
            self._limit = time.monotonic() + PATIENCE if _is_stopping(root) else None
            alive.set()

        call_soon_threadsafe(root.loop, look)
        if not alive.wait(PATIENCE) and not self._closed:
            code = 1 if self._begun_by is None else 128 + self._begun_by
            self._force(code, "the loop is blocked, and the time to stop is over")

    def _force(self, code: int, why: str) -> None:
        def words() -> Iterator[str]:
            yield f"orchestra: the process ends with {code}: {why}"
            if self._steps is not None and not self._steps.root.life.over:
                yield from _places(dict(leaves(self._steps.root.life, lingering=True)))
            yield from _stacks()

        end_process(code, words)


def _is_stopping(root: Root) -> bool:
    groups: Iterable[Any] = root.life.groups or ()
    stopping = any(group.stopping and not group.over for group in groups)
    return stopping or root.stopping or root.life.over


# What is printed to standard error


def print_stuck(failure: Exception) -> None:
    """Print who did not stop in time, if that is part of a failure, and where each was."""
    for error in failure.exceptions if isinstance(failure, ExceptionGroup) else (failure,):
        if isinstance(error, StopTimeoutError):
            _say([f"orchestra: {error}", *_places(error.stuck)])


def _places(places: Mapping[str, str]) -> Iterator[str]:
    for path, where in places.items():
        yield f"  {path or 'conductor'}"
        for line in where.splitlines():
            yield f"    {line}"


def _stacks() -> Iterator[str]:
    # Not by faulthandler, which leaves out all threads after the hundredth.
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    main = threading.main_thread().ident
    for ident in sorted(sys._current_frames(), key=lambda ident: ident != main):
        if names.get(ident) not in (GUARD, HELPER):
            yield from _places({f"thread {names.get(ident, ident)}": _stack.of_thread(ident)})


def _say(lines: Iterable[str]) -> None:
    # At once, since a busy thread makes us wait after each piece. Without a terminal nobody listens.
    if sys.stderr is not None:
        with contextlib.suppress(Exception):
            print("\n".join(lines), file=sys.stderr, flush=True)


# The end


def end_process(code: int, words: Callable[[], Iterable[str]]) -> None:
    """End the process at once, after some last words, and with what it has printed before."""
    _join(_start(_last_steps(words)))
    os._exit(code)


def _last_steps(words: Callable[[], Iterable[str]]) -> list[Callable[[], None]]:
    """Each for a thread of its own: whoever is stuck may hold a lock, or nobody reads any more."""
    return [lambda: _say(words()), _flush_stdout]


def _flush_stdout() -> None:
    with contextlib.suppress(Exception):  # as where there is none
        sys.stdout.flush()


def _start(functions: Iterable[Callable[[], None]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=one, name=HELPER, daemon=True) for one in functions]
    for thread in threads:
        with contextlib.suppress(RuntimeError):  # there may be too many threads already
            thread.start()
    return threads


def _join(threads: Iterable[threading.Thread]) -> None:
    limit = time.monotonic() + PATIENCE
    for thread in threads:
        if thread.is_alive():
            thread.join(max(0.0, limit - time.monotonic()))


class Watcher:
    """Ends the process with 1 where threads would keep it from ending after its main thread."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())
        self._ended = threading.Event()
        self._left: list[threading.Thread] = []

    def watch(self) -> None:
        """If threads are left: wait for the main thread's end, one second more, and end them all."""
        self._left = [
            thread
            for thread in threading.enumerate()
            if thread not in self._before and not thread.daemon
        ]
        if self._left:
            # Not `main_thread().join()`: the interpreter first waits for threads of pools, in
            # functions that are registered this way, the last one first.
            _register_at_end(self._ended.set)
            # All at once, since no thread can be started at the end.
            helpers = _start(self._at_end(step) for step in _last_steps(_last_words))
            _start([self._at_end(lambda: self._exit(helpers))])

    def _at_end(self, step: Callable[[], None]) -> Callable[[], None]:
        def wait() -> None:
            self._ended.wait()
            _join(self._left)
            if any(thread.is_alive() for thread in self._left):
                step()

        return wait

    def _exit(self, helpers: list[threading.Thread]) -> None:
        _join(helpers)
        os._exit(1)


def _last_words() -> Iterator[str]:
    yield "orchestra: the process ends with 1, since threads still run after its end"
    yield from _stacks()


def _register_at_end(function: Callable[[], object]) -> None:
    register: Callable[[Callable[[], object]], None] = threading._register_atexit  # type: ignore[attr-defined]
    register(function)
