"""The two limits of a run: how long it may take to get ready, and how long it may be silent."""

from __future__ import annotations

from collections.abc import Callable

from ._clock import Loop
from .errors import StartTimeoutError, WatchdogError
from .player import Terms


class Watch:
    """Sees to it that a run gets ready in time, and then that it gives its heartbeats."""

    def __init__(self, loop: Loop, terms: Terms, accuse: Callable[[Exception], None]) -> None:
        self._loop, self._terms, self._accuse = loop, terms, accuse
        self._beat = 0.0
        self._timer = (
            None
            if terms.start_timeout is None
            else loop.call_later(terms.start_timeout, self._check_start)
        )

    def ready(self) -> None:
        """It is ready: from now on, its heartbeats count."""
        self.end()
        self.beat()
        if self._terms.watchdog is not None:
            self._timer = self._loop.call_later(self._terms.watchdog, self._check_heartbeat)

    def beat(self) -> None:
        """It has given a heartbeat; from any thread."""
        self._beat = self._loop.time()

    def end(self) -> None:
        """It has ended, or is to end: that has limits of its own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_start(self) -> None:
        self._accuse(StartTimeoutError(f"not ready within {self._terms.start_timeout:g} seconds"))

    def _check_heartbeat(self) -> None:
        watchdog = self._terms.watchdog or 0.0
        left = self._beat + watchdog - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check_heartbeat)
        else:
            self._accuse(WatchdogError(f"no heartbeat for {watchdog:g} seconds"))
