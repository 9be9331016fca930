"""Who else plays in the tree of a player: so that it can be the last, and need not be alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import Any, Final, Self

from .._life import Life
from .._snapshot import below
from ..context import Context
from ..events import Abandoned, Event, Failed, Skipped, Stopped
from ..performance import Performance

LOOK_AGAIN: Final = 0.25
"""Seconds after which it is looked again how much time there is."""


class Company:
    """The others in the tree of the player that this context belongs to.

    >>> async def play(ctx):
    ...     with Company(ctx, ctx.performance) as company:
    ...         await company.until_alone()
    """

    def __init__(self, ctx: Context, performance: Performance) -> None:
        self._performance = performance
        self._changed = asyncio.Event()
        seat = ctx.seat
        self._above = list(_upwards(seat)) if isinstance(seat, Life) else []

    def __enter__(self) -> Self:
        self._unsubscribe = self._performance.subscribe(self._on_event)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._unsubscribe()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (Stopped, Failed, Skipped, Abandoned)):
            self._changed.set()

    async def until_alone(self) -> None:
        """Until all others have ended, and no group has a reason to go on without them."""
        while not self.is_alone():
            await self._until_changed()

    async def until_last(self, left: Callable[[], float]) -> None:
        """Until all others have ended that are stopping too, and do not wait for this one to end.

        No longer than there are seconds left; of that, others may take some away.
        """
        while not self.is_last() and (patience := left()) > 0:
            await self._until_changed(min(patience, LOOK_AGAIN))

    async def _until_changed(self, patience: float | None = None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def is_alone(self) -> bool:
        """Whether all others have ended, there were some, and no group goes on without players."""
        if any(_goes_on(life.keeper) for life in self._above):
            return False
        found = False
        for other in self._others(len(self._above)):
            if not other.over:
                return False
            found = True
        return found

    def is_last(self) -> bool:
        """Whether none of those that are asked to stop together with this is left."""
        stopping = [depth for depth, life in enumerate(self._above, 1) if life.keeper.stopping]
        # In the uppermost group that stops, or in none, if it was this one alone that was asked.
        levels = max(stopping, default=0)
        return all(other.over for other in self._others(levels, with_waiting=False))

    def _others(self, levels: int, *, with_waiting: bool = True) -> Iterator[Life]:
        """The others on this and the levels above; those that wait for this one to end, or not."""
        for life in self._above[:levels]:
            waiting = () if with_waiting else _waiting_for(life)
            for other in life.keeper.lives.values():
                if other is not life and other.name not in waiting:
                    yield from _without_company(other)


def _without_company(life: Life) -> Iterator[Life]:
    """A player; where one is that only waits for others as well, those beside that one."""
    groups: list[Any] = life.groups or []
    stays = any(_goes_on(group) and not group.stopping for group in groups)
    if stays or not _has_company(life):
        yield life
        return
    for one in below(life):
        yield from _without_company(one)


def _has_company(life: Life) -> bool:
    """Whether it is one that only waits for others, or such a one plays in it."""
    return not life.over and (life.terms.lingers or any(map(_has_company, below(life))))


def _upwards(life: Life | None) -> Iterator[Any]:
    while life is not None:
        yield life
        life = life.keeper.above


def _goes_on(keeper: Any) -> bool:
    goes_on = getattr(keeper, "goes_on_without", None)
    return goes_on is not None and bool(goes_on())


def _waiting_for(life: Any) -> Collection[str]:
    waiting = getattr(life.keeper, "waiting_for", None)
    return () if waiting is None else waiting(life.name)
