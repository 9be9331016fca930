"""How long to wait before each restart: any iterable of seconds, and two that are made for it."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ._clock import as_number, seconds

RESET_AFTER = 60.0
"""Seconds of being ready after which plain iterables of delays begin anew."""


@dataclass(frozen=True)
class ExponentialBackoff:
    """Delays that grow by `multiplier` from `initial` up to `max_delay` seconds.

    Each is drawn evenly from `d * (1 - jitter)` to `d * (1 + jitter)`, and never above `max_delay`.
    `max_restarts` limits the restarts in any `per` seconds; without `per`, in one series. The series
    starts anew after a run that was ready for `reset_after` seconds. An instance may be shared by
    any number of players and threads, and gives the delays from the first on at each iteration.

    Raises `ValueError` at once for a number that makes no sense.

    >>> list(ExponentialBackoff(1, multiplier=2, max_delay=5, jitter=0, max_restarts=4))
    [1.0, 2.0, 4.0, 5.0]
    """

    initial: float = 0.5
    multiplier: float = 1.5
    max_delay: float = 60.0
    jitter: float = 0.5
    max_restarts: int | None = None
    per: float | None = None
    reset_after: float = RESET_AFTER

    def __post_init__(self) -> None:
        seconds("initial", self.initial)
        seconds("max_delay", self.max_delay)
        if not 1 <= as_number(self.multiplier) < math.inf:
            raise ValueError(f"multiplier must be a number of at least 1, not {self.multiplier!r}")
        _check_limits(self.jitter, self.max_restarts, self.per, self.reset_after)

    def __iter__(self) -> Iterator[float]:
        most, multiplier = float(self.max_delay), float(self.multiplier)
        delay = min(float(self.initial), most)
        for _ in _times(self.max_restarts, self.per):
            yield _spread(delay, float(self.jitter), most)
            delay = min(delay * multiplier, most)


@dataclass(frozen=True)
class ConstantBackoff:
    """The same delay before each restart, in seconds, drawn from `delay * (1 ± jitter)`.

    The other arguments are those of `ExponentialBackoff`.

    >>> list(ConstantBackoff(2, max_restarts=3))
    [2.0, 2.0, 2.0]
    """

    delay: float
    jitter: float = 0.0
    max_restarts: int | None = None
    per: float | None = None
    reset_after: float = RESET_AFTER

    def __post_init__(self) -> None:
        seconds("delay", self.delay)
        _check_limits(self.jitter, self.max_restarts, self.per, self.reset_after)

    def __iter__(self) -> Iterator[float]:
        for _ in _times(self.max_restarts, self.per):
            yield _spread(float(self.delay), float(self.jitter), sys.float_info.max)


def as_backoff(given: object) -> Iterable[float]:
    """The iterable of delays that `given` stands for.

    Raises `TypeError` for what is no backoff, and `ValueError` for a list with a delay that is none.
    """
    if _is_tenacity_wait(given):
        return _TenacityWait(given)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(
            f"a backoff is an iterable of delays in seconds, such as [1, 5, 30], "
            f"itertools.repeat(0) or ExponentialBackoff(), not {given!r}"
        )
    if isinstance(given, (list, tuple)):
        for delay in given:
            check_delay(delay)
    return given


def check_delay(delay: Any) -> float:
    """A delay that came out of a backoff, or the `ValueError` that says why it is none."""
    number = as_number(delay)
    if not 0 <= number < math.inf:
        raise ValueError(f"a backoff gives delays of at least 0 seconds, not {delay!r}")
    return number


class _TenacityWait:
    """One of tenacity's `wait_*` objects, which are asked with a state instead of iterated."""

    def __init__(self, wait: Any) -> None:
        self._wait = wait

    def __iter__(self) -> Iterator[float]:
        return (float(self._wait(_tenacity_state(attempt))) for attempt in itertools.count(1))


def _tenacity_state(attempt: int) -> Any:
    return SimpleNamespace(
        attempt_number=attempt,
        idle_for=0.0,
        seconds_since_start=0.0,
        outcome=None,
        next_action=None,
    )


def _is_tenacity_wait(given: object) -> bool:
    # By name, so that tenacity is never imported for the sake of those who do not use it.
    return any(
        (base.__module__, base.__name__) == ("tenacity.wait", "wait_base")
        for base in type(given).__mro__
    )


def _times(max_restarts: int | None, per: float | None) -> Iterator[int]:
    # With a window, it is the window's length that limits, and whoever restarts has the clock for it.
    number = 0
    while max_restarts is None or per is not None or number < max_restarts:
        yield number
        number += 1


def _spread(delay: float, jitter: float, most: float) -> float:
    if not jitter:
        return delay
    from random import uniform  # at the first jitter, since to import it takes a while

    return uniform(delay * (1 - jitter), min(delay * (1 + jitter), most))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_limits(
    jitter: float, max_restarts: int | None, per: float | None, reset_after: float
) -> None:
    if not 0 <= as_number(jitter) <= 1:
        raise ValueError(f"jitter must be a number from 0 to 1, not {jitter!r}")
    if max_restarts is not None and not (_is_count(max_restarts) and max_restarts >= 0):
        raise ValueError(
            f"max_restarts must be a whole number, 0 or more, or None, not {max_restarts!r}"
        )
    if per is not None:
        if not seconds("per", per):
            raise ValueError(f"per={per!r} is a window that nothing falls into")
        if max_restarts is None:
            raise ValueError(f"per={per!r} is the window for max_restarts, which is missing")
    seconds("reset_after", reset_after, infinite=True)
