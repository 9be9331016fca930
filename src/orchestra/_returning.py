"""Whether a player may be played once more: what decides if its sockets stay open.

The context does not tell. It is done for a restart as well as for good; a group that stops because one
of its players failed may come back whole; and after a failure only the life knows whether its backoff
has one more delay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._life import Life
from .context import Context


def life_of(ctx: Context, play: Callable[..., Any]) -> Life | None:
    """The life whose run this is, if a supervisor calls `play`; None if somebody else does.

    Whoever calls it by himself asks for one run, and nobody would tell when the last is over.
    """
    seat: Any = ctx.seat
    if isinstance(seat, Life) and seat.ctx is ctx and getattr(seat.player, "play", None) == play:
        return seat
    return None


def returning(life: Life) -> Life | None:
    """The life that may bring this one back: itself, or that of a group around it; None if none may."""
    while True:
        if _comes_back(life):
            return life
        keeper: Any = life.keeper
        if (life.stopping or life.over) and not keeper.stopping:
            return (
                None  # it alone ends, as one that is removed does, and its group goes on without it
            )
        above = getattr(keeper, "seat", None)
        if not isinstance(above, Life):
            return None
        life = above


def _comes_back(life: Life) -> bool:
    if life.stopping or life.over:
        return False
    return life.again or _has_delays(life.terms.backoff)


def _has_delays(backoff: Callable[[], Any] | None) -> bool:
    if backoff is None:
        return False
    try:
        delays = backoff()
    except Exception:
        return False  # its supervisor will come to the same end, and tell
    # Conductors have the method, with or without a backoff. Anything else can't be asked without
    # using up what it holds.
    return delays != () if isinstance(delays, tuple) else True


def when_gone(life: Life, tell: Callable[[], None]) -> Callable[[], None] | None:
    """Call `tell` once the player can't be played again, at once if that is so; gives what ends this."""
    holder = returning(life)
    if holder is None:
        tell()
        return None
    return _Watch(holder, tell).end


class _Watch:
    """Looks at one life after the other, from the inside outwards, until none may come back."""

    def __init__(self, life: Life, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._begin(life)

    def _begin(self, life: Life) -> None:
        self._life = life
        life.watchers = [*(life.watchers or ()), self._look]

    def _look(self, life: Life) -> None:
        if life.over:
            self.end()
            holder = returning(life)
            if holder is None:
                self._tell()
            else:
                self._begin(holder)

    def end(self) -> None:
        watchers = [one for one in self._life.watchers or () if one != self._look]
        self._life.watchers = watchers or None
