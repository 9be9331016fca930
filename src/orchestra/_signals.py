"""Signals: what each means for a performance, and two ways to hear of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from enum import IntEnum
from types import FrameType
from typing import Any, Final

from ._root import Root
from ._waiter import call_soon_threadsafe


class Stage(IntEnum):
    """How far the end of a performance has come; a signal takes it one stage further."""

    PLAYING = 0
    DRAINING = 1
    STOPPING = 2
    CUT_OFF = 3
    FORCED = 4


def next_stage(stage: Stage, *, drains: bool) -> Stage:
    """The stage that one more signal leads to.

    >>> next_stage(Stage.PLAYING, drains=False).name
    'STOPPING'
    """
    if stage is Stage.PLAYING and not drains:
        return Stage.STOPPING
    return Stage(min(stage + 1, Stage.FORCED))


class Steps:
    """What to do with a performance at each signal; called by one thread, from anywhere."""

    def __init__(self, root: Root, drain_delay: float) -> None:
        self._root = root
        self._drain_delay = drain_delay
        self.stage = Stage.PLAYING

    def take(self, signum: int) -> Stage:
        """Take the next step; the stage that it leads to."""
        root, reason = self._root, signal.Signals(signum).name
        self.stage = next_stage(self.stage, drains=self._drain_delay > 0)
        if self.stage is Stage.DRAINING:
            root.performance.drain()
            delay = self._drain_delay
            call_soon_threadsafe(root.loop, root.loop.call_later, delay, root.stop, reason)
        elif self.stage is Stage.STOPPING:
            root.stop(reason)
        elif self.stage is Stage.CUT_OFF:
            call_soon_threadsafe(root.loop, root.cut_off)
        return self.stage


class Handlers:
    """The handlers of some signals, as long as this is entered; those found before come back."""

    def __init__(self, signals: Iterable[int], handle: Callable[[int], None]) -> None:
        self._signals = [_checked(signum) for signum in signals]
        self._handle = handle
        self._found: dict[int, Any] = {}
        self._pid = os.getpid()

    def __enter__(self) -> Handlers:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals reach the main thread only: use `playing` in other threads")
        for signum in self._signals:
            self._found[signum] = signal.signal(signum, self._on_signal)
        _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self in _entered:
            _entered.remove(self)
        for signum, found in self._found.items():
            # None is a handler that was not made by Python, and that it can't put back.
            signal.signal(signum, signal.SIG_DFL if found is None else found)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._handle(signum)


_entered: Final[list[Handlers]] = []


def _forget_in_child() -> None:
    # What a forked child gets is not meant for its parent's players.
    for handlers in reversed(_entered):
        handlers.__exit__()
    if _entered:
        signal.set_wakeup_fd(-1)
    _entered.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _checked(signum: Any) -> signal.Signals:
    try:
        return signal.Signals(signum)
    except ValueError:
        raise ValueError(f"{signum!r} is no signal of this system") from None


class Mailbox:
    """Where signals come in for a thread, also while the main thread is busy or stuck in C.

    Each signal is told twice: at once by the interpreter's wakeup fd, and by our handler, as soon as
    the main thread gets to it. The fd may be somebody else's by then, and the handler may never
    run, so whichever has told more of them is right.
    """

    _HANDLED: Final = 0x80  # marks what the handler has told

    def __init__(self, signals: Iterable[int]) -> None:
        self._signals = {int(signum) for signum in signals}
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._by_fd = 0
        self._by_handler = 0
        self._told = 0
        self._found = -1

    def open(self) -> None:
        """Take the wakeup fd; in the main thread."""
        self._found = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Give the wakeup fd back, if it has not been taken from us; in the main thread."""
        now = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(self._found if now == self._writer.fileno() else now)
        self._reader.close()
        self._writer.close()

    def post(self, signum: int = 0) -> None:
        """Tell of a signal from its handler; or, with 0, just wake up who reads."""
        with contextlib.suppress(OSError):
            self._writer.send(bytes([signum | self._HANDLED if signum else 0]))

    def read(self, timeout: float | None) -> list[int]:
        """The signals that have come since the last time, after at most `timeout` seconds."""
        self._reader.settimeout(timeout)
        try:
            codes = self._reader.recv(4096)
        except (TimeoutError, BlockingIOError):
            return []
        signals = []
        for code in codes:
            signum = code & ~self._HANDLED
            if signum in self._signals:
                if code & self._HANDLED:
                    self._by_handler += 1
                else:
                    self._by_fd += 1
                if max(self._by_fd, self._by_handler) > self._told:
                    self._told += 1
                    signals.append(signum)
            elif signum:
                self._pass_on(signum)
        return signals

    def _pass_on(self, signum: int) -> None:
        # To whoever had the fd before, such as a loop with handlers of its own.
        if self._found >= 0:
            with contextlib.suppress(OSError):
                os.write(self._found, bytes([signum]))


class Heard:
    """Signals for a performance in a loop that is not ours: handled when the loop gets to it."""

    def __init__(self, root: Root, signals: Iterable[int], drain_delay: float) -> None:
        self._steps = Steps(root, drain_delay)
        self._loop = asyncio.get_running_loop()
        self._handlers = Handlers(signals, self._hear)

    def __enter__(self) -> Heard:
        self._handlers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.__exit__()

    def _hear(self, signum: int) -> None:
        call_soon_threadsafe(self._loop, self._steps.take, signum)
