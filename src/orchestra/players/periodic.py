"""A player that does one thing again and again: every so many seconds, or by the calendar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Literal, get_args

from .._clock import Loop, seconds, wall_time
from .._life import Life
from .._signature import judge
from ..backoff import as_backoff
from ..context import Context
from ..errors import nearest
from ..log import complain, default_logger, in_words
from ..player import PlayerFunc, PlayerLike, as_player, name_of
from ..restart import is_permanent
from ._limit import Limit, Play
from ._ticks import Every, Ticks, schedule

OnError = Literal["fail", "log"]


class PeriodicPlayer:
    """Runs a function, or another player, once every so often; one run at a time.

    The function may be async or plain, and takes the context or nothing. A plain one runs in a thread
    of its own. Ticks that come while a run goes on are skipped, and are not caught up with. When it is
    time to stop, the run in progress finishes; its context tells it.

    - `every`: seconds, or a `timedelta`, from the start of one run to that of the next. They stay on
      a grid that begins at the start, however long a run takes.
    - `cron`: a cron expression instead, such as `"*/5 * * * *"`, or a name such as `"@daily"`; with
      six fields, the first are seconds. It goes by the clock on the wall in `timezone`, a name or a
      `tzinfo`; UTC without one.
    - `jitter`: up to so many seconds, drawn anew, are added to each tick.
    - `at_start`: the first run is at the start, and not at the first tick.
    - `timeout`: seconds that one run may take. Then its context is done and it is cancelled, and it
      has failed with a `TimeoutError`. One that goes on even so, as a thread may, is abandoned, and
      as long as it goes on, ticks are skipped.
    - `on_error`: with `"fail"`, a run that fails is a failure of this player; with `"log"` it is
      logged and counted, and the next tick comes, unless it was a `PermanentError`.
    - `backoff`: the delays of restarts after a failure.

    The status shows `next_run` and `last_run`, how many `runs` there were since the start, how many
    ticks were `skipped`; with `on_error="log"` also the number of `errors` and the last one, and with
    `timeout` the `zombies`: abandoned runs that still go on.

    Raises `ValueError` or `TypeError` at once for what makes no sense, and `ModuleNotFoundError` for
    `cron` without the library cronsim (`pip install 'orchestra-players[cron]'`).

    >>> async def clean_up():
    ...     print("clean")
    >>> conductor = Conductor({"cleaner": PeriodicPlayer(clean_up, every=60)})
    """

    kind = "periodic"
    signals_ready = True

    def __init__(
        self,
        f: PlayerLike,
        every: float | timedelta | None = None,
        *,
        cron: str | None = None,
        jitter: float = 0.0,
        at_start: bool = False,
        timeout: float | None = None,
        on_error: OnError = "fail",
        timezone: tzinfo | str | None = None,
        backoff: Iterable[float] | None = None,
    ) -> None:
        if on_error not in get_args(OnError):
            known = get_args(OnError)
            raise ValueError(f"on_error={on_error!r} is unknown. {nearest(str(on_error), known)}")
        self._run = _once(f)
        self._name = name_of(f)
        self._when = schedule(every, cron, timezone)
        self._jitter = seconds("jitter", jitter)
        if isinstance(self._when, Every) and self._jitter > self._when.seconds:
            raise ValueError(f"jitter={jitter!r} is more than every={every!r}")
        if timeout is not None and not seconds("timeout", timeout):
            raise ValueError(f"timeout={timeout!r} leaves no time for a run")
        self._limit = None if timeout is None else Limit(self._run, float(timeout))
        self._at_start = at_start
        self._fails = on_error == "fail"
        self._backoff = None if backoff is None else as_backoff(backoff)

    @property
    def __name__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"PeriodicPlayer({self._name}, {self._when})"

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows."""
        return {
            "when": str(self._when),
            "jitter": self._jitter,
            "at_start": self._at_start,
            "timeout": None if self._limit is None else self._limit.seconds,
            "on_error": "fail" if self._fails else "log",
        }

    async def play(self, ctx: Context) -> None:
        """Run it at each tick, until `ctx` is done."""
        loop = ctx.bind()
        course = _Course(self, ctx, loop, self._when.begin(loop, at_once=self._at_start))
        while await course.until_due():
            await course.run()


class _Course:
    """One play of a periodic player, and what its status tells of it."""

    def __init__(self, player: PeriodicPlayer, ctx: Context, loop: Loop, ticks: Ticks) -> None:
        self._player, self._ctx, self._loop, self._ticks = player, ctx, loop, ticks
        self._runs = self._skipped = self._errors = 0
        self._more: dict[str, object] = {}
        seat = ctx.seat
        self._logger = seat.keeper.logger if isinstance(seat, Life) else default_logger()

    async def until_due(self) -> bool:
        """Wait for the next tick and its jitter; False if it is time to stop before."""
        ticks, jitter = self._ticks, _drawn(self._player._jitter)
        while (left := ticks.due_in()) > 0:
            self._tell(left + jitter)
            if not await self._ctx.sleep(min(left, ticks.patience)):
                return False
            self._skipped += ticks.review()
        ticks.take()
        if jitter and not self._ctx.done():
            self._tell(jitter)
            await self._ctx.sleep(jitter)
        return not self._ctx.done()

    async def run(self) -> None:
        """One run, unless an earlier one can't be ended; and the ticks that pass meanwhile."""
        limit = self._player._limit
        if limit is not None and limit.left(self._ctx.path):
            self._skipped += 1
        else:
            self._runs += 1
            self._more["last_run"] = self._clock(0.0)
            self._tell(self._ticks.due_in())
            try:
                await self._play(limit)
            except Exception as error:
                if self._player._fails or is_permanent(error):
                    raise
                self._errors += 1
                self._more["last_error"] = in_words(error)
                self._complain("a run failed", error)
        self._skipped += self._ticks.skip()

    async def _play(self, limit: Limit | None) -> None:
        if limit is None:
            await self._player._run(self._ctx)
        else:
            await limit.play(self._ctx, partial(self._complain, "a run failed after its time"))

    def _complain(self, what: str, error: Exception) -> None:
        path = self._ctx.path
        complain(self._logger, f"{path or self._player.__name__}: {what}", error, path=path)

    def _tell(self, next_run_in: float) -> None:
        counts = {"runs": self._runs, "skipped": self._skipped}
        if not self._player._fails:
            counts["errors"] = self._errors
        if (limit := self._player._limit) is not None:
            counts["zombies"] = limit.left(self._ctx.path)
        self._ctx.ready(next_run=self._clock(next_run_in), **counts, **self._more)

    def _clock(self, ahead: float) -> str:
        """The time of day so many seconds from now, as a person reads it."""
        moment = datetime.fromtimestamp(round(wall_time(self._loop) + ahead), self._ticks.zone)
        return moment.isoformat(sep=" ")


def _drawn(jitter: float) -> float:
    if not jitter:
        return 0.0
    from random import uniform  # when it is needed, since to import it takes a while

    return uniform(0.0, jitter)


def _once(f: PlayerLike) -> Play:
    """What plays it once. One that takes no context is not interrupted at the stop: it finishes."""
    player = as_player(f)
    if not isinstance(player, PlayerFunc):
        return player.play
    function = player._function
    return function if judge(function)[1] else partial(_without_context, function)


async def _without_context(function: Callable[[], Awaitable[object]], _: Context) -> None:
    await function()
