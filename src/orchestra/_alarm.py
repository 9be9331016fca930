"""A timer for something that may be gone before its time is over."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from ._clock import Loop
from ._waiter import in_loop


class Alarm:
    """Calls `ring` with `owner` at the moment `when`, in the loop, if anybody still holds it.

    With the owner the timer goes too, so that one made for each piece of work leaves no trace.
    """

    __slots__ = ("_loop", "_owner", "_ring", "_timer")

    def __init__(self, loop: Loop, when: float, owner: Any, ring: Callable[[Any], object]) -> None:
        self._loop, self._ring = loop, ring
        self._timer: asyncio.TimerHandle | None = None
        self._owner = weakref.ref(owner, self._drop)
        in_loop(loop, self._set, when)

    def _set(self, when: float) -> None:
        if self._owner() is not None:
            self._timer = self._loop.call_at(when, self._over)

    def _over(self) -> None:
        owner = self._owner()
        if owner is not None:
            self._ring(owner)

    def _drop(self, _: object) -> None:
        # The last one to hold the owner may have been in any thread.
        if self._timer is not None:
            in_loop(self._loop, self._timer.cancel)
