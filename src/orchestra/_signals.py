"""Signals: what each means for a performance, and two ways to hear of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from enum import IntEnum
from types import FrameType
from typing import Any, Final, Self

from ._root import Root
from ._waiter import call_soon_threadsafe


class Stage(IntEnum):
    """How far the end of a performance has come; a signal takes it further."""

    PLAYING = 0
    DRAINING = 1
    STOPPING = 2
    CUT_OFF = 3
    FORCED = 4


def next_stage(stage: Stage, *, drains: bool = False, stopping: bool = False) -> Stage:
    """The stage that one more signal leads to.

    `drains`: the first signal begins a delay. `stopping`: all have been asked to stop already, at
    the end of that delay, or for another reason.

    >>> next_stage(Stage.PLAYING).name
    'STOPPING'
    """
    if stage is Stage.PLAYING:
        return Stage.DRAINING if drains and not stopping else Stage.STOPPING
    if stage is Stage.DRAINING and stopping:
        return Stage.CUT_OFF
    return Stage(min(stage + 1, Stage.FORCED))


class Steps:
    """What to do with a performance at each signal; called by one thread, whichever it is."""

    def __init__(self, root: Root, drain_delay: float) -> None:
        self._root = root
        self._drain_delay = drain_delay
        self.stage = Stage.PLAYING

    def take(self, signum: int) -> Stage:
        """Take the next step; the stage that it leads to."""
        root, delay, reason = self._root, self._drain_delay, name_of_signal(signum)
        self.stage = next_stage(self.stage, drains=delay > 0, stopping=root.stopping)
        if self.stage is Stage.DRAINING:
            root.performance.drain()
            call_soon_threadsafe(root.loop, root.loop.call_later, delay, root.stop, reason)
        elif self.stage is Stage.STOPPING:
            root.stop(reason)
        elif self.stage is Stage.CUT_OFF:
            call_soon_threadsafe(root.loop, root.cut_off)
        return self.stage


def name_of_signal(signum: int) -> str:
    """A signal as it is called, such as `SIGTERM`; those for real time have no names."""
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def check_signals(signals: Iterable[Any]) -> tuple[int, ...]:
    """The signals, each once; or the `ValueError` about one that does not exist here."""
    found = dict.fromkeys(signals)
    for signum in found:
        if signum not in signal.valid_signals():
            raise ValueError(f"{signum!r} is no signal of this system")
    return tuple(found)


class Handlers:
    """The handlers of some signals, as long as this is entered; those found before come back."""

    def __init__(self, signals: Iterable[int], handle: Callable[[int], None]) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals reach the main thread only: use `playing` in other threads")
        self._signals = check_signals(signals)
        self._handle = handle
        self._found: dict[int, Any] = {}

    def __enter__(self) -> Self:
        _entered.append(self)
        try:
            for signum in self._signals:
                self._found[signum] = signal.signal(signum, self._on_signal)
        except OSError as error:
            self.__exit__()
            name = name_of_signal(self._signals[len(self._found)])
            raise ValueError(f"{name} can't be handled: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self in _entered:  # and not in the child, which has put them back already
            _entered.remove(self)
            for signum, found in self._found.items():
                # None is a handler that was not made by Python, and that it can't put back.
                signal.signal(signum, signal.SIG_DFL if found is None else found)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._handle(signum)

    @contextlib.contextmanager
    def shared(self, loop: asyncio.AbstractEventLoop) -> Any:
        """A player that asks this loop for the same signals gets them as well, and not alone."""
        for name in ("add_signal_handler", "remove_signal_handler"):
            setattr(loop, name, self._sharing(getattr(loop, name)))
