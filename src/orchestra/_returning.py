"""Whether another run of a player may follow: for players that keep something open from run to run.

The context does not tell. It is done for a restart as well as for good; a group that stops because one
of its players failed may come back whole; and after a failure only the life knows whether its backoff
has one more delay. A player asks with the context of its run and its own `play`, in the loop's thread:

    if not may_return(ctx, self.play):
        close()
    ...
    forget = when_gone(ctx, self.play, close)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._life import Life
from .context import Context

Play = Callable[..., Any]


def is_supervised(ctx: Context, play: Play) -> bool:
    """Whether a supervisor calls `play` with `ctx`, and so may call it again.

    Whoever calls it by himself asks for one run, and nobody would tell when the last is over.
    """
    return _life_of(ctx, play) is not None


def may_return(ctx: Context, play: Play) -> bool:
    """Whether another run may follow this one, its own supervisor's doing or that of a group above."""
    life = _life_of(ctx, play)
    return life is not None and _holder_of(life) is not None


def when_gone(ctx: Context, play: Play, tell: Callable[[], None]) -> Callable[[], None]:
    """Call `tell` once, when no run can follow any more; at once if that is so by now.

    To be asked while the run goes on, also as the last thing in it. Gives a function that ends the
    watch, for the next run to call when it takes over.
    """
    life = _life_of(ctx, play)
    holder = None if life is None else _holder_of(life)
    if holder is None:
        tell()
        return _nothing
    return _Watch(holder, tell).end


def _life_of(ctx: Context, play: Play) -> Life | None:
    seat: Any = ctx.seat
    if isinstance(seat, Life) and seat.ctx is ctx and getattr(seat.player, "play", None) == play:
        return seat
    return None


def _holder_of(life: Life) -> Life | None:
    """The life that may bring this one back: itself, or that of a group around it."""
    above: Life | None = life
    while above is not None:
        life = above
        if _comes_back(life):
            return life
        if (life.stopping or life.over) and not life.keeper.stopping:
            return None  # it alone ends, as one that is removed does, and its group goes on
        above = life.keeper.above
    return None


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
            holder = _holder_of(life)
            if holder is None:
                self._tell()
            else:
                self._begin(holder)

    def end(self) -> None:
        watchers = [one for one in self._life.watchers or () if one != self._look]
        self._life.watchers = watchers or None


def _nothing() -> None:
    """There is no watch to end."""
