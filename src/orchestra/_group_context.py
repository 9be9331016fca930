"""The context that the players of a group have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from ._clock import Loop
from ._waiter import Woken
from .context import Context

NESTED_SHARE: Final = 0.85
"""What a nested group gets of the time that is left, so that it reports before it is cut off."""


class GroupContext(Context):
    """The context of a conductor's players, as one: what they have in common is their time.

    Once it is done, its players have `budget` seconds, and less if less is left above. `members`
    gives the contexts that are done together with it, and `on_end` is called in the loop when it is
    done or its time gets shorter.
    """

    __slots__ = ("_budget", "_members", "_on_end")

    def __init__(
        self,
        parent: Context,
        budget: float,
        members: Callable[[], Iterable[Context]],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__()
        self._budget, self._members, self._on_end = budget, members, on_end
        self._adopted_by(parent)

    @property
    def loop(self) -> Loop:
        """Where it is woken."""
        return cast(Loop, self._loop)

    def grace(self, seconds: float) -> float:
        """Seconds for who was cut off: so many, or what is left above, where that is less."""
        left = None if self._parent is None else self._parent.remaining()
        return seconds if left is None else min(seconds, left * NESTED_SHARE)

    def wake(self) -> None:
        """Its players have been asked, or have less time."""
        self._on_end()

    def _mark(
        self, reason: object, deadline: float, now: float, woken: list[Woken]
    ) -> Sequence[Context] | None:
        left = max(0.0, deadline - now)
        ends = len(woken)
        below = super()._mark(reason, now + min(self._budget, left * NESTED_SHARE), now, woken)
        if below is None:
            return None
        # Before its players wake up, or they would end before they were seen to be asked.
        woken.insert(ends, self)
        return [*below, *self._members()]
