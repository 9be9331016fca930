"""When a periodic player is due: on a fixed grid of seconds, or by the calendar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Protocol

from .._clock import Loop, as_number, wall_time
from .._duration import duration
from ..errors import nearest

PATIENCE: Final = 60.0
"""Seconds after which the clock on the wall is looked at again, since somebody may have set it."""

JUMP: Final = 3 * 3600.0
"""Seconds that the clock on the wall may be set by while ticks stay what they are, as with cron.

Set forwards by less, one run is late instead of missed; set back by less, none comes twice.
"""

MOST_SKIPPED: Final = 10_000
"""How many ticks are counted at a time. A clock that was never set may be wrong by decades."""


NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""What cron calls some of its expressions."""


class Ticks(Protocol):
    """The ticks of one play, one after the other."""

    patience: float
    zone: tzinfo

    def due_in(self) -> float:
        """Seconds until the next tick; 0 or less when it is due."""
        ...

    def take(self) -> None:
        """The next tick has its run: on to the one after it."""

    def skip(self) -> int:
        """Pass over the ticks that are over by now; how many there were."""
        ...

    def review(self) -> int:
        """Look at the clock again; how many ticks it was set past."""
        ...


class Grid:
    """Every so many seconds from the start on, by the loop's clock, however long the runs take."""

    patience = math.inf
    zone: tzinfo = UTC

    def __init__(self, loop: Loop, every: float, first: int) -> None:
        self._loop, self._every, self._number = loop, every, first
        self._start = loop.time()

    def due_in(self) -> float:
        return self._start + self._number * self._every - self._loop.time()

    def take(self) -> None:
        self._number += 1

    def skip(self) -> int:
        # A tick that is due right now is not over yet, give or take a rounding.
        number = math.ceil((self._loop.time() - self._start) / self._every - 1e-9)
        skipped = max(0, number - self._number)
        self._number += skipped
        return skipped

    def review(self) -> int:
        return 0


class Calendar:
    """By a cron expression and the clock on the wall, which may be set forwards and back."""

    patience = PATIENCE

    def __init__(self, loop: Loop, cron: Cron, *, at_once: bool) -> None:
        self._loop, self._cron, self.zone = loop, cron, cron.zone
        self._seen = self._due = self._now()
        self._ticks = cron.after(self._seen)
        if not at_once:
            self.take()

    def _now(self) -> float:
        return wall_time(self._loop)

    def due_in(self) -> float:
        return self._due - self._now()

    def take(self) -> None:
        self._seen = self._due
        self._due = next(self._ticks)

    def skip(self) -> int:
        return self._skip_before(self._now())

    def review(self) -> int:
        now = self._now()
        if now < self._seen - JUMP:
            self._begin_at(now)
        # Of the others only the first has its run: once that is over, it skips the rest.
        return self._skip_before(now - JUMP)

    def _begin_at(self, moment: float) -> None:
        self._ticks, self._due = self._cron.after(moment), moment
        self.take()

    def _skip_before(self, moment: float) -> int:
        skipped = 0
        while self._due < moment:
            if skipped == MOST_SKIPPED:
                self._begin_at(moment)
                break
            self.take()
            skipped += 1
        return skipped


@dataclass(frozen=True)
class Every:
    """Every so many seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"every {duration(self.seconds)}"

    def begin(self, loop: Loop, *, at_once: bool) -> Ticks:
        """The ticks from now on; `at_once`, the first of them is now."""
        return Grid(loop, self.seconds, 0 if at_once else 1)


@dataclass(frozen=True)
class Cron:
    """By a cron expression, and the clock on the wall in a time zone."""

    expression: str
    zone: tzinfo

    def __post_init__(self) -> None:
        try:
            if next(self.after(0.0), None) is None:
                raise ValueError("a day that never comes")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "cron= needs the library cronsim: pip install 'orchestra-players[cron]'",
                name=error.name,
            ) from error
        except Exception as error:  # its own, and those that it has for what is no text
            raise ValueError(
                f"cron={self.expression!r} is no cron expression ({_what_is_wrong(self, error)}): "
                "minute, hour, day of the month, month and day of the week, as in '*/5 * * * *', "
                "or a name such as '@daily'"
            ) from error

    def __str__(self) -> str:
        return f"cron {self.expression!r}"

    def after(self, moment: float) -> Iterator[float]:
        """The ticks after a moment; all in seconds since 1970."""
        from cronsim import CronSim

        fields = NICKNAMES.get(self.expression, self.expression)
        for tick in CronSim(fields, datetime.fromtimestamp(moment, self.zone)):
            # In the hour that comes twice, what is at a fixed time of day belongs to the first.
            if (then := tick.timestamp()) > moment:
                yield then

    def begin(self, loop: Loop, *, at_once: bool) -> Ticks:
        """The ticks from now on; `at_once`, the first of them is now."""
        return Calendar(loop, self, at_once=at_once)


def _what_is_wrong(cron: Cron, error: Exception) -> str:
    given: object = cron.expression
    if not isinstance(given, str):
        return "it has to be a string"
    return nearest(given, NICKNAMES).rstrip(".") if given.startswith("@") else str(error)


def schedule(every: Any, cron: Any, timezone: Any) -> Every | Cron:
    """What a user has said about when; `ValueError` for what makes no sense."""
    if (every is None) == (cron is None):
        given = "neither" if every is None else f"every={every!r} and cron={cron!r}"
        raise ValueError(f"exactly one of every= and cron= is needed, not {given}")
    if cron is not None:
        return Cron(cron, _zone(timezone))
    if timezone is not None:
        raise ValueError(f"timezone={timezone!r} is for cron=, and has no meaning for every=")
    number = every.total_seconds() if isinstance(every, timedelta) else as_number(every)
    if 0 < number < math.inf:
        return Every(number)
    raise ValueError(f"every must be a number of seconds above 0, or a timedelta, not {every!r}")


def _zone(given: Any) -> tzinfo:
    if given is None:
        return UTC
    if isinstance(given, tzinfo):
        return given
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(given)
    except Exception as error:  # a different one for each way in which a name may be wrong
        known = nearest(str(given), available_timezones())
        raise ValueError(f"timezone={given!r} is unknown. {known}") from error
