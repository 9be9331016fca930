"""Signals: what each means for a performance, and two ways to hear of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
import threading
from collections import Counter
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
        self.root = root
        self._drain_delay = drain_delay
        self.stage = Stage.PLAYING

    def take(self, signum: int) -> Stage:
        """Take the next step; the stage that it leads to."""
        root, delay, reason = self.root, self._drain_delay, name_of_signal(signum)
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
    """The signals, each once; or the error about what is none, or does not exist here."""
    if isinstance(signals, str) or not isinstance(signals, Iterable):
        raise TypeError(f"signals are given as in (signal.SIGTERM, signal.SIGINT), not {signals!r}")
    found = list(signals)
    for signum in found:
        is_number = isinstance(signum, int) and not isinstance(signum, bool)
        if not is_number or signum not in signal.valid_signals():
            raise ValueError(f"{signum!r} is no signal of this system: one is signal.SIGTERM")
    return tuple(dict.fromkeys(found))


class Handlers:
    """The handlers of some signals, as long as this is entered; those found before come back.

    Several may be entered at a time, and left in any order: each of them hears of a signal.
    """

    def __init__(self, signals: Iterable[int], handle: Callable[[int], None]) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals reach the main thread only: use `playing` in other threads")
        self._signals = check_signals(signals)
        self._handle = handle
        self._found: dict[int, Any] = {}
        self._shared: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        _entered.append(self)
        try:
            for signum in self._signals:
                self._found[signum] = signal.signal(signum, self._on_signal)
        except OSError as error:
            name = name_of_signal(self._signals[len(self._found)])
            self.__exit__()
            raise ValueError(f"{name} can't be handled: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self in _entered:  # and not in the child, which has put them back already
            _entered.remove(self)
            others = [one for one in _entered if isinstance(one, Handlers)]
            for signum, found in self._found.items():
                later = [one for one in others if one._found.get(signum) == self._on_signal]
                if later:
                    later[0]._found[signum] = found
                else:
                    # None is a handler that was not made by Python, and that it can't put back.
                    signal.signal(signum, signal.SIG_DFL if found is None else found)
            self._found.clear()
            if not any(one._shared is self._shared for one in others):
                for name in _LOOP_METHODS if self._shared is not None else ():
                    vars(self._shared).pop(name, None)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._handle(signum)
        earlier = self._found.get(signum)
        if callable(earlier) and isinstance(getattr(earlier, "__self__", None), Handlers):
            earlier(signum, frame)

    def share(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], object] = bool) -> None:
        """Whoever asks this loop for the same signals gets them as well, and not alone.

        `changed` is called when somebody has asked it for a signal, whichever.
        """
        self._shared = loop
        for name in _LOOP_METHODS:
            setattr(loop, name, self._sharing(getattr(loop, name), changed))

    def _sharing(self, ask: Callable[..., Any], changed: Callable[[], object]) -> Any:
        @functools.wraps(ask)
        def sharing(signum: int, *args: Any) -> Any:
            result = ask(signum, *args)
            if signum in self._found:
                # The loop goes by the wakeup fd. Our handler is called beside that.
                signal.signal(signum, self._on_signal)
            changed()
            return result

        return sharing


_LOOP_METHODS: Final = ("add_signal_handler", "remove_signal_handler")


class Mailbox:
    """Where signals come in for a thread, also while the main thread is busy or stuck in C.

    Each signal is told twice: at once by the interpreter's wakeup fd, and by our handler, as soon as
    the main thread gets to it. The fd or the handler may be somebody else's by then, and a handler
    may never run, so whichever has told more of them is right.
    """

    _HANDLED: Final = 0x80  # marks what the handler has told

    def __init__(self, signals: Iterable[int]) -> None:
        self._signals = frozenset(signals)
        # For each signal by itself, since another may overtake it on one of the two ways.
        self._by_fd: Counter[int] = Counter()
        self._by_handler: Counter[int] = Counter()
        self._told: Counter[int] = Counter()
        self._found = -1  # who had the wakeup fd before, and gets it back
        self._owner = -1  # a duplicate of what has taken it from us since, such as a loop's
        self._reader: socket.socket
        self._writer: socket.socket

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._found = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self in _entered:
            _entered.remove(self)
            now = signal.set_wakeup_fd(-1)
            # Whoever has taken it from us keeps it, unless he has let go of it.
            mine = now in (-1, self._writer.fileno())
            with contextlib.suppress(ValueError, OSError):  # it may have been closed meanwhile
                signal.set_wakeup_fd(self._found if mine else now)
            self._forget_owner()
            self._reader.close()
            self._writer.close()

    def take_back(self) -> None:
        """Take the wakeup fd again from whoever took it; he is told all that comes."""
        mine = self._writer.fileno()
        owner = signal.set_wakeup_fd(mine, warn_on_full_buffer=False)
        if owner != mine:
            self._forget_owner()
            with contextlib.suppress(OSError):  # there may be none
                # A duplicate, since the number may soon be that of another file.
                self._owner = os.dup(owner)

    def _forget_owner(self) -> None:
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1

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
        return [code & ~self._HANDLED for code in codes if self._is_news(code)]

    def _is_news(self, code: int) -> bool:
        signum, by_handler = code & ~self._HANDLED, code & self._HANDLED
        if signum and not by_handler:
            self._pass_on(signum)
        if signum not in self._signals:
            return False
        heard = self._by_handler if by_handler else self._by_fd
        heard[signum] += 1
        news = heard[signum] > self._told[signum]
        self._told[signum] += news
        return news

    def _pass_on(self, signum: int) -> None:
        others = self._found if signum not in self._signals else -1
        fd = self._owner if self._owner >= 0 else others
        if fd >= 0:
            handler = signal.getsignal(signum)
            # A loop whose own handler tells it as well would take what comes later for another one.
            knows = isinstance(getattr(handler, "__self__", None), asyncio.AbstractEventLoop)
            with contextlib.suppress(OSError):
                os.write(fd, bytes([0 if knows else signum]))


_entered: Final[list[Handlers | Mailbox]] = []


def _forget_in_child() -> None:
    # What a forked child gets is not meant for its parent's players. It has the same socket, too.
    for one in _entered[::-1]:
        one.__exit__()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_in_child)


class Heard:
    """Signals for a performance in a loop that is not ours: handled when the loop gets to it."""

    def __init__(self, root: Root, signals: Iterable[int], drain_delay: float) -> None:
        self._steps = Steps(root, drain_delay)
        self._loop = asyncio.get_running_loop()
        self._handlers = Handlers(signals, self._hear)

    def __enter__(self) -> Self:
        self._handlers.__enter__()
        self._handlers.share(self._loop)
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.__exit__()

    def _hear(self, signum: int) -> None:
        call_soon_threadsafe(self._loop, self._steps.take, signum)
