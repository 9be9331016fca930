"""What a status does not say of a player: whom it waits for, and how many copies it is."""

from __future__ import annotations

from typing import Any, Final

from .._snapshot import below
from ..performance import Performance
from ..status import State

NOTHING: Final[dict[str, Any]] = {"waits_for": [], "copies": None}
"""What is told of a player that waits for nobody, and is no group of copies."""


def reasons(performance: Performance) -> dict[str, dict[str, Any]]:
    """By path, of those of whom there is something to tell.

    `waits_for` are the paths of those that a waiting player waits for, and `copies` is the number of
    copies of what can be scaled, else None.
    """
    found: dict[str, dict[str, Any]] = {}
    for keeper in performance.supervisors():
        for life in list(keeper.lives.values()):
            waiting = life.state is State.WAITING
            names = keeper.waits_for(life.name) if waiting else []
            waits_for = [keeper.lives[name].path for name in names if name in keeper.lives]
            copies = len(below(life)) if callable(getattr(life.player, "scale", None)) else None
            if waits_for or copies is not None:
                found[life.path] = {"waits_for": waits_for, "copies": copies}
    return found
