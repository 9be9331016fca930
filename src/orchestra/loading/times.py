"""How long a program has to stop, where its file does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .._order import Order, befores_of
from .spec import PlayerSpec, ProgramSpec

USUAL: Final = 9.0
"""Seconds that a group has to stop, if none of its players needs more."""

_MARGIN: Final = 1.2
"""What a group has more than its players: the share that is kept back to cut them off."""


def time_to_stop(group: PlayerSpec | ProgramSpec) -> float:
    """Seconds that a program, a group, or the copies of a command have to stop.

    What the file says; otherwise enough for the `stop = { timeout = ... }` of each below, one after
    the other where they stop in order, and 9 at the least.

    >>> time_to_stop(ProgramSpec(players={"db": PlayerSpec("db", stop_timeout=50.0)}))
    60.0
    """
    return max(USUAL, needed(group)) if group.timeout is None else group.timeout


def needed(group: PlayerSpec | ProgramSpec) -> float:
    """Seconds that those below need to stop by what is said of them; 0 if nothing is."""
    if isinstance(group, PlayerSpec) and group.players is None:
        return round((group.stop_timeout or 0.0) * _MARGIN, 3)
    return round(_in_order(group.players or {}, ordered=group.ordered) * _MARGIN, 3)


def _of_one(player: PlayerSpec) -> float:
    own = player.timeout if player.players is not None else player.stop_timeout
    alone = needed(player) if own is None else own
    # Copies are a group of their own.
    return alone if player.copies is None else alone * _MARGIN


def _in_order(players: Mapping[str, PlayerSpec], *, ordered: bool) -> float:
    """Seconds in which all of them can stop, each after those that come after it."""
    order, last = Order(), None
    after = {name: dict.fromkeys(one.after, "ready") for name, one in players.items()}
    befores = {}
    for name in players:
        befores[name] = befores_of(name, after, last)  # type: ignore[arg-type]
        order.add(name, befores[name])
        last = name if ordered else None
    depths = order.depths(players)
    most, rows = 0.0, dict.fromkeys(players, 0.0)
    for name in sorted(players, key=lambda one: depths[one]):
        own = _of_one(players[name])
        rows[name] = own + max((rows[one] for one in befores[name]), default=0.0)
        # The first to stop gets an equal share of the time, whatever the others need.
        most = max(most, rows[name], own * depths[name])
    return most
