"""An observer that takes its time, out of the way of the loop."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Final

from ..events import Event, Observer
from ..log import report, shown

BACKLOG: Final = 10_000
"""Events that wait at the most; the oldest are dropped for newer ones."""

LINGER: Final = 0.1
"""Seconds that the thread stays for the next event: to start one takes longer than most events do."""


class BackgroundObserver:
    """Calls another observer in a thread of its own, so that one that blocks holds up nobody.

    At most 10,000 events wait. Then the oldest are dropped, `dropped` counts them, and an error is
    logged. The thread is a daemon, and goes a moment after the last event: what has not been delivered
    when the program ends is lost, unless `wait` is called. What the observer raises is logged. Safe to
    use from any thread.

    >>> slow = BackgroundObserver(print)
    """

    def __init__(self, observer: Observer) -> None:
        if not callable(observer):
            raise TypeError(f"an observer is a function that takes an event, not {observer!r}")
        self._observer = observer
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._busy = False  # there are events, or one is being delivered
        self._staffed = False  # there is a thread
        self._untold = 0
        self.dropped = 0

    def __call__(self, event: Event) -> None:
        """Have an event delivered; returns at once."""
        with self._changed:
            if len(self._events) == BACKLOG:
                self._events.popleft()
                self.dropped += 1
                self._untold += 1
            self._events.append(event)
            if self._busy:
                return
            self._busy = True
            if self._staffed:
                self._changed.notify_all()
                return
            self._staffed = True
        self._start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all is delivered, at most `timeout` seconds: whether it is. It blocks."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, timeout)
            return not self._busy and not self._events

    def _start(self) -> None:
        name = f"observer {shown(self._observer)}"
        try:
            threading.Thread(target=self._deliver, name=name, daemon=True).start()
        except RuntimeError:  # no more threads; the next event tries again
            with self._changed:
                self._busy = self._staffed = False
            raise

    def _deliver(self) -> None:
        while True:
            with self._changed:
                if not self._events and not self._more_comes():
                    return
                event = self._events.popleft()
                untold, self._untold = self._untold, 0
            if untold:
                who = shown(self._observer)
                logging.getLogger("orchestra").error(
                    "the observer %s is too slow, it missed %d events", who, untold
                )
            try:
                self._observer(event)
            except BaseException as error:
                what = f"{type(event).__name__} of {event.path!r}"
                report(f"the observer {shown(self._observer)} failed with {what}", error)

    def _more_comes(self) -> bool:
        """Wait a moment for the next event, with the lock held; if there is none, the thread goes."""
        self._busy = False
        self._changed.notify_all()
        self._staffed = self._changed.wait_for(lambda: self._busy, LINGER)
        return self._staffed
