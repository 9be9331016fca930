"""What follows when a run of a player has ended: one decision, apart from the loop that acts on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final

from .backoff import RESET_AFTER, as_backoff, check_delay
from .errors import ConductorError, PermanentError


class Verdict(Enum):
    """What follows, where it is not a number of seconds to wait before the next run."""

    END = "the player has ended, and its group takes note"
    FAIL = "the player has failed, and its group stops"
    IGNORE = "the player has failed while it was stopping: its group is told, and stops already"


def decide(
    error: Exception | None,
    *,
    asked: bool,
    always: bool,
    draw: Callable[[], float | None],
) -> float | Verdict:
    """Decide what follows a run that raised `error`, or None where it ended well.

    `asked`: it was asked to stop. `always`: it comes back also after it ended well. `draw` gives
    the seconds until the next run, or None where no restart is left; it is called only if one is due.

    >>> decide(OSError(), asked=False, always=False, draw=lambda: 0.5)
    0.5
    >>> decide(None, asked=False, always=False, draw=lambda: 0.5).name
    'END'
    """
    if error is None:
        delay = draw() if always and not asked else None
        return Verdict.END if delay is None else delay
    if asked:
        return Verdict.IGNORE
    delay = None if is_permanent(error) else draw()
    return Verdict.FAIL if delay is None else delay


def is_permanent(error: BaseException) -> bool:
    """Whether a restart is ruled out: it is a `PermanentError`, or a group with one in it."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_permanent(one) for one in error.exceptions)
    return isinstance(error, PermanentError)


HURRY: Final = 0.0001
"""Seconds that restarts without a delay may keep the loop from its other work."""

HURRIED_RESTARTS: Final = 16
"""How many of them there may be at the most, also where time stands still."""


class Series:
    """The restarts of one player since it last was healthy, and the delays that are left for it."""

    __slots__ = (
        "_backoff",
        "_delays",
        "_gave_way_at",
        "_hurried",
        "_limit",
        "_per",
        "_reset_after",
        "_times",
        "delay",
        "length",
        "settling",
    )

    def __init__(self, backoff: Callable[[], Iterable[float]] | None) -> None:
        self._backoff = backoff
        self._delays: Iterator[float] | None = None
        self._reset_after = RESET_AFTER
        self._limit: int | None = None
        self._per: float | None = None
        self._times: deque[float] = deque()
        self._gave_way_at = 0.0
        self.delay = 0.0
        self.length = 0
        self._hurried = 0  # restarts without a turn of the loop in between
        self.settling = False  # whether a look at the player's readiness is under way

    def draw(self, now: float, healthy_for: float) -> float | None:
        """Seconds until the next run, after one that was ready for `healthy_for`; None: give up."""
        if self._backoff is None:
            return None
        if self._delays is None or healthy_for >= self._reset_after:
            self._begin(self._backoff())
        if self._per is not None and not self._in_window(now, self._per):
            return None
        drawn = next(self._delays, _EXHAUSTED)  # type: ignore[arg-type]
        if drawn is _EXHAUSTED:
            return None
        self.delay = check_delay(drawn)
        self.length += 1
        return self.delay

    def gives_way(self, now: float) -> bool:
        """Whether restarts without a delay have kept the loop from its other work long enough."""
        self._hurried += 1
        if self._hurried < HURRIED_RESTARTS and now - self._gave_way_at < HURRY:
            return False
        self._hurried, self._gave_way_at = 0, now
        return True

    def _begin(self, given: Any) -> None:
        backoff = as_backoff(() if given is None else given)
        self._delays = iter(backoff)
        self.length = 0
        self._reset_after = getattr(backoff, "reset_after", RESET_AFTER)
        self._per = getattr(backoff, "per", None)
        self._limit = getattr(backoff, "max_restarts", None)

    def _in_window(self, now: float, per: float) -> bool:
        # The window looks back over the series before this one as well.
        while self._times and self._times[0] <= now - per:
            self._times.popleft()
        if self._limit is not None and len(self._times) >= self._limit:
            return False
        self._times.append(now)
        return True


_EXHAUSTED: Final = object()


def note_restarts(error: Exception, count: int) -> None:
    """Note on an error, or on all that a conductor had, how many restarts did not mend it."""
    for one in error.exceptions if isinstance(error, ConductorError) else (error,):
        if count:
            note_of(one, f"after {count} restart" + "s" * (count != 1))


def note_whose(error: Exception, path: str) -> None:
    """Note on an error which player raised it."""
    note_of(error, f"raised by player {path!r}")


def note_of(error: Exception, note: str) -> None:
    """Add a note to an exception, once; one that does not take notes is left as it is."""
    try:
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    except Exception:
        pass
