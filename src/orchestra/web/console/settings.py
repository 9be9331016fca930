"""What a player was made with, as far as it is safe to show: never a value from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from math import isfinite
from typing import Any, Final

from ...backoff import ConstantBackoff, ExponentialBackoff
from ...log import in_words as error_in_words
from ...performance import Performance
from ...player import inner_of, name_of, terms_of

VARIABLES: Final = "variables"
"""What a player tells the names of its environment variables under."""


def settings_of(performance: Performance, path: str) -> tuple[dict[str, Any], list[str]]:
    """What the player at this path was made with, by name, and the names of its environment variables.

    Both are empty for one that plays in another process. Raises `KeyError` for a path that nobody has.
    """
    try:
        player: Any = performance.find(path)[1].player
    except KeyError:
        performance.status().find(path)
        player = None
    if player is None:
        return {}, []
    found = _declared(player) | _of_kind(inner_of(player))
    return found, sorted(found.pop(VARIABLES, ()))


def _declared(player: Any) -> dict[str, Any]:
    terms, inner = terms_of(player), inner_of(player)
    found: dict[str, Any] = {"player": name_of(inner), "class": type(inner).__name__}
    found |= {
        "signals_ready": terms.signals_ready,
        "start_timeout": terms.start_timeout,
        "watchdog": terms.watchdog,
    }
    delays = None if terms.backoff is None else _backoff_of(terms.backoff)
    if delays:
        found["backoff"] = delays
        found["restarts"] = "always" if terms.always else "on failure"
    return found


def _backoff_of(backoff: Callable[[], Iterable[float]]) -> str:
    try:
        return in_words(backoff())
    except Exception as error:  # it is the user's
        return error_in_words(error)


def in_words(backoff: Iterable[float]) -> str:
    """A backoff: what it was made with if it is one of ours or a list, else only what it is.

    >>> in_words([1, 5, 30]), in_words(iter([1])), in_words(())
    ('1, 5, 30', 'list_iterator', '')
    """
    if isinstance(backoff, (list, tuple)):
        return ", ".join(f"{delay:g}" for delay in backoff)
    if isinstance(backoff, (ExponentialBackoff, ConstantBackoff)):
        return repr(backoff)
    return type(backoff).__name__


def _of_kind(player: Any) -> dict[str, Any]:
    """What a player wants to be shown of itself, by a method that those of this library have."""
    tell: Any = getattr(player, "shown_settings", None)
    shown: Any = tell() if callable(tell) else {}
    return {name: plain(value) for name, value in shown.items()}


def plain(value: Any) -> Any:
    """A setting as a value that JSON has; of what is none of the usual values, only its class."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return type(value).__name__
