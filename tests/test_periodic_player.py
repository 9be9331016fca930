"""A player that does one thing again and again."""

import asyncio
import contextvars
import pickle
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from groups import Show, failure, now, play, show, start, stop_timeout, turns
from orchestra import (
    Conductor,
    Context,
    PeriodicPlayer,
    PermanentError,
    PlayerAbortedError,
    PlayerFunc,
    PlayerStatus,
    replicate,
)
from orchestra.testing import FakePlayer, VirtualLoop, ends, hangs, slow_stop
from virtual import until

EVERY_5 = "*/5 * * * *"


class Times:
    """An async function that notes when its runs began, and that takes so long."""

    def __init__(self, *lengths: float, error: BaseException | None = None) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []
        self._lengths = lengths or (0.0,)
        self._error = error

    async def __call__(self) -> None:
        length = self._lengths[min(len(self.began), len(self._lengths) - 1)]
        self.began.append(now())
        await asyncio.sleep(length)
        self.ended.append(now())
        if self._error is not None:
            raise self._error


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def info(self, msg: str, **attrs: object) -> None: ...

    def error(self, msg: str, **attrs: object) -> None:
        self.errors.append((msg, attrs))

    def with_group(self, name: str) -> "Lines":
        return self


def status(playing: Show) -> PlayerStatus:
    return playing.conductor.status().players["job"]


def details(playing: Show) -> dict[str, Any]:
    return dict(status(playing).details)


async def job(player: Any, *, after: float, **terms: Any) -> Show:
    """Play it as the one player of a conductor, until so many seconds are over."""
    return await show(Conductor({"job": player}, **terms), after=after)


# Intervals


@pytest.mark.virtual_time
@pytest.mark.parametrize("every", [60, 60.0, timedelta(minutes=1)])
async def test_it_runs_every_so_often(every: Any) -> None:
    """The first run is after one interval, and the others one interval apart."""
    runs = Times()
    assert await play(PeriodicPlayer(runs, every=every), asked=200) is None
    assert runs.began == [60, 120, 180]


@pytest.mark.virtual_time
async def test_it_may_run_at_the_start() -> None:
    """With `at_start`, the first run is at once, and the grid is the same."""
    runs = Times(7)
    assert await play(PeriodicPlayer(runs, 60, at_start=True), asked=130) is None
    assert runs.began == [0, 60, 120]


@pytest.mark.virtual_time
async def test_the_length_of_a_run_does_not_move_the_next() -> None:
    """Runs begin on a grid: it does not drift."""
    runs = Times(3.3, 0.1, 9.9)
    assert await play(PeriodicPlayer(runs, 10), asked=1000) is None
    assert runs.began == [10 * number for number in range(1, 101)][: len(runs.began)]
    assert len(runs.began) >= 99


@pytest.mark.virtual_time
async def test_it_never_overlaps_itself_and_catches_up_with_nothing() -> None:
    """Ticks that come while a run goes on are skipped and counted; the next tick is the next run."""
    runs = Times(35, 1)
    playing = await job(PeriodicPlayer(runs, 10), after=44)
    assert details(playing)["skipped"] == 0
    await asyncio.sleep(22)
    assert runs.began == [10, 50, 60]
    assert details(playing)["skipped"] == 3
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_run_that_takes_one_interval_skips_nothing() -> None:
    """Where one run ends at the very moment of a tick, the next begins."""
    runs = Times(10)
    playing = await job(PeriodicPlayer(runs, 10), after=45)
    assert runs.began == [10, 20, 30, 40]
    assert details(playing)["skipped"] == 0
    assert await playing.end() is None
    assert runs.began == [10, 20, 30, 40]


@pytest.mark.virtual_time
async def test_no_run_begins_once_it_is_asked_to_stop() -> None:
    """Not even where its tick has come when the run before it ends."""
    runs = Times(20)
    assert await play(PeriodicPlayer(runs, 10), asked=25) is None
    assert (runs.began, runs.ended) == ([10], [30])


@pytest.mark.virtual_time
async def test_jitter_is_added_to_each_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn anew for each, and the grid stays where it is; the status counts it in."""
    drawn = iter([3.0, 0.5, 4.0, 1.0])
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return next(drawn)

    monkeypatch.setattr("random.uniform", uniform)
    runs = Times()
    playing = await job(PeriodicPlayer(runs, 10, jitter=5, at_start=True), after=1)
    assert details(playing)["next_run"] == "2000-01-01 00:00:03+00:00"
    await asyncio.sleep(10)
    assert details(playing)["next_run"] == "2000-01-01 00:00:24+00:00"
    await asyncio.sleep(14)
    assert runs.began == [3, 10.5, 24]
    assert set(asked) == {(0.0, 5.0)}
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_a_stop_in_the_time_of_the_jitter() -> None:
    """Waiting for the jitter ends at once, and there is no run."""
    runs = Times()
    assert await play(PeriodicPlayer(runs, 1000, jitter=1000, at_start=True), asked=0) is None
    assert (runs.began, now()) == ([], 0)


@pytest.mark.virtual_time
async def test_a_stop_while_it_waits() -> None:
    """Nothing goes on between two runs, so it ends at once."""
    runs = Times()
    assert await play(PeriodicPlayer(runs, 60), asked=90) is None
    assert (runs.began, now()) == ([60], 90)


# The calendar


@pytest.mark.virtual_time
async def test_it_runs_by_the_calendar() -> None:
    """A cron expression goes by the clock on the wall."""
    runs = Times()
    playing = await job(PeriodicPlayer(runs, cron="*/5 1 * * *"), after=2 * 3600)
    assert runs.began == pytest.approx([3600 + 300 * number for number in range(12)])
    assert details(playing)["next_run"] == "2000-01-02 01:00:00+00:00"
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_it_runs_by_the_calendar_of_a_place() -> None:
    """Midnight in Kolkata is half past six in the evening elsewhere; the status has its time."""
    runs = Times()
    player = PeriodicPlayer(runs, cron="0 0 * * *", timezone="Asia/Kolkata", at_start=True)
    playing = await job(player, after=86400)
    assert runs.began == pytest.approx([0, 18.5 * 3600])
    assert details(playing)["last_run"] == "2000-01-02 00:00:00+05:30"
    assert details(playing)["next_run"] == "2000-01-03 00:00:00+05:30"
    assert await playing.end() is None


class SetClock(VirtualLoop):
    """A virtual loop whose clock on the wall a test can set."""

    ahead = 0.0

    def wall_time(self) -> float:
        return super().wall_time() + self.ahead


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # 2026-03-28 12:00 UTC: the night has no 02:30, and 23 hours.
        (1774699200, ["2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"]),
        # 2026-10-24 12:00 UTC: the night has 02:30 twice, and 25 hours.
        (1792843200, ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"]),
    ],
)
def test_a_change_of_the_clocks(start: int, expected: list[str]) -> None:
    """Over a change to or from summer time, there is one run a night."""
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SetClock)
        loop.ahead = start - loop.wall_time()

        def note(ctx: Context) -> None: ...

        async def run(ctx: Context) -> None:
            seen.append(details(playing)["last_run"])

        player = PeriodicPlayer(run, cron="30 2 * * *", timezone="Europe/Berlin")
        playing = await job(player, after=0)
        await asyncio.sleep(48 * 3600)
        assert await playing.end() is None

    with asyncio.Runner(loop_factory=SetClock) as runner:
        runner.run(main())
    assert seen == expected


def test_a_clock_that_is_set_is_noticed() -> None:
    """The clock is looked at once a minute: a tick that it was set past comes late, and once."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SetClock)
        runs = Times()
        playing = await job(PeriodicPlayer(runs, cron="0 * * * *"), after=10)
        loop.ahead = 2.5 * 3600
        await asyncio.sleep(100)
        assert runs.began == [60]
        assert details(playing)["skipped"] == 1
        loop.ahead += 86400
        await asyncio.sleep(100)
        # The run was for the last tick but three hours; those long ago and those since are counted.
        assert len(runs.began) == 2
        assert details(playing)["skipped"] == 1 + 23
        loop.ahead = 0
        await asyncio.sleep(3600)
        assert len(runs.began) == 3
        assert await playing.end() is None

    with asyncio.Runner(loop_factory=SetClock) as runner:
        runner.run(main())


# What is run


@pytest.mark.virtual_time
async def test_a_function_may_take_the_context() -> None:
    """It is the player's own context."""
    got: list[Context] = []

    async def run(ctx: Context) -> None:
        got.append(ctx)

    ctx = Context()
    assert await play(PeriodicPlayer(run, 10), asked=15, ctx=ctx) is None
    assert got == [ctx]


@pytest.mark.virtual_time
@pytest.mark.parametrize("explicit", [False, True])
async def test_the_run_in_progress_finishes_at_the_stop(explicit: bool) -> None:
    """Nobody interrupts it, also where it takes no context."""
    runs = Times(5)
    player: Any = PlayerFunc(runs) if explicit else runs
    playing = await job(PeriodicPlayer(player, 10), after=12)
    assert await playing.end() is None
    assert runs.ended == [15]


@pytest.mark.virtual_time
async def test_a_run_can_see_that_it_is_time_to_stop() -> None:
    """A run that watches its context can hurry."""
    player = FakePlayer(slow_stop(2))
    playing = await job(PeriodicPlayer(player, 10), after=12)
    assert await playing.end() is None
    assert (player.asked, player.ended, now()) == (1, 1, 14)


@pytest.mark.virtual_time
async def test_a_run_that_does_not_stop_is_cut_off() -> None:
    """It has the time of its group, and is named with the line that it hangs at."""
    player = FakePlayer(hangs())
    playing = await job(PeriodicPlayer(player, 10), after=12, timeout=2)
    error = stop_timeout(await playing.end())
    assert error.left == ("job",)
    assert "_fake_player.py" in error.stuck["job"].splitlines()[0]
    assert player.cancelled == 1


@pytest.mark.virtual_time
async def test_a_plain_function_runs_in_a_thread_of_its_own() -> None:
    """The thread has the player's name, and the loop goes on meanwhile."""
    threads: list[threading.Thread] = []

    def run(ctx: Context) -> None:
        threads.append(threading.current_thread())
        ctx.wait_sync(25)

    playing = await job(PeriodicPlayer(run, 10), after=36)
    assert [thread.name for thread in threads] == ["job"]
    assert details(playing) | {"next_run": ""} == {
        "next_run": "",
        "last_run": "2000-01-01 00:00:10+00:00",
        "runs": 1,
        "skipped": 2,
    }
    await asyncio.sleep(10)
    assert len(threads) == 2
    assert threads[0] is not threads[1]
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_another_player_is_run_as_well() -> None:
    """A player that ends is played anew at each tick."""
    player = FakePlayer(ends(after=3))
    assert await play(PeriodicPlayer(player, 10), asked=35) is None
    assert player.runs == 3


@pytest.mark.virtual_time
async def test_a_group_is_run_as_well() -> None:
    """A conductor plays below it, and shows in the status while it does."""
    inner = Conductor({"a": FakePlayer(ends(after=3)), "b": FakePlayer(ends(after=5))})
    playing = await job(PeriodicPlayer(inner, 10), after=14)
    assert [(one.path, one.state) for one in status(playing).players] == [
        ("job.a", "stopped"),
        ("job.b", "ready"),
    ]
    await asyncio.sleep(10)
    assert details(playing)["runs"] == 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_contextvars_of_a_run_with_a_timeout() -> None:
    """A run sees what is set around the player, however it is run."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("outside")
    seen: list[str] = []

    async def run() -> None:
        seen.append(variable.get())

    for timeout in (None, 5):
        assert await play(PeriodicPlayer(run, 10, timeout=timeout), asked=15) is None
    assert seen == ["outside"] * 2


# The status


@pytest.mark.virtual_time
async def test_its_status_shows_the_next_run() -> None:
    """What it has done, and when it is due, is in the details and in the line of the status."""
    playing = await job(PeriodicPlayer(Times(), 90), after=1)
    assert details(playing) == {"next_run": "2000-01-01 00:01:30+00:00", "runs": 0, "skipped": 0}
    assert status(playing).ready
    assert status(playing).kind == "periodic"
    await asyncio.sleep(100)
    assert details(playing) == {
        "next_run": "2000-01-01 00:03:00+00:00",
        "last_run": "2000-01-01 00:01:30+00:00",
        "runs": 1,
        "skipped": 0,
    }
    assert "next_run=2000-01-01 00:03:00+00:00" in str(status(playing))
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_new_details_are_no_news() -> None:
    """It gets ready once: that its details change is no event."""
    playing = await job(PeriodicPlayer(Times(), 1), after=100)
    assert details(playing)["runs"] >= 99
    assert playing.kinds("job") == ["Started", "Ready"]
    assert await playing.end() is None


# Failures


@pytest.mark.virtual_time
async def test_a_run_that_fails_is_a_failure() -> None:
    """By default, what a run raises is raised, and the group stops."""
    error = LookupError("boom")
    raised = await failure(Conductor({"job": PeriodicPlayer(Times(error=error), 10)}))
    assert raised.failures == {"job": error}
    assert now() == 10


@pytest.mark.virtual_time
async def test_it_may_come_back() -> None:
    """Its backoff is that of any player; a new start begins a new grid."""
    runs = Times(error=LookupError("boom"))
    player = PeriodicPlayer(runs, 10, backoff=[1, 5])
    await failure(Conductor({"job": player}))
    assert runs.began == [10, 21, 36]
    assert list(PeriodicPlayer(runs, 10).backoff()) == []


@pytest.mark.virtual_time
async def test_a_failure_may_be_logged_and_counted() -> None:
    """With `on_error="log"`, the logger gets it with its traceback, and the next tick comes."""
    lines = Lines()
    error = LookupError("boom")
    runs = Times(error=error)
    playing = await job(PeriodicPlayer(runs, 10, on_error="log"), after=25, logger=lines)
    assert runs.began == [10, 20]
    assert details(playing) | {"next_run": "", "last_run": ""} == {
        "next_run": "",
        "last_run": "",
        "runs": 2,
        "skipped": 0,
        "errors": 2,
        "last_error": "LookupError: boom",
    }
    assert await playing.end() is None
    (message, attrs), _ = lines.errors
    assert message == "job: a run failed: LookupError: boom"
    assert attrs == {"path": "job", "error": error, "exc_info": error}
    assert error.__traceback__ is not None


@pytest.mark.virtual_time
async def test_it_is_logged_under_its_function_where_it_has_no_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Played by itself, it tells the standard logger."""
    runs = Times(error=LookupError("boom"))
    assert await play(PeriodicPlayer(runs, 10, on_error="log"), asked=15) is None
    assert caplog.messages == ["Times: a run failed: LookupError: boom"]


@pytest.mark.virtual_time
async def test_a_logger_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of, and the next tick comes."""

    class Broken(Lines):
        def error(self, msg: str, **attrs: object) -> None:
            raise ValueError("no paper")

    runs = Times(error=LookupError("boom"))
    playing = await job(PeriodicPlayer(runs, 10, on_error="log"), after=25, logger=Broken())
    assert len(runs.began) == 2
    assert "the logger" in caplog.messages[0]
    assert await playing.end() is None


@pytest.mark.virtual_time
@pytest.mark.parametrize("error", [PermanentError("over"), SystemExit(3)])
async def test_what_is_not_only_logged(error: BaseException) -> None:
    """Whoever says that there is no use, or leaves, is heard."""
    player = PeriodicPlayer(Times(error=error), 10, on_error="log")
    raised = (await failure(Conductor({"job": player}))).failures["job"]
    assert isinstance(raised, PermanentError | PlayerAbortedError)


# A limit to the time of a run


@pytest.mark.virtual_time
async def test_a_run_within_its_limit() -> None:
    """It ends as it would without, and what it raises is raised as it is."""
    runs = Times(4.5)
    assert await play(PeriodicPlayer(runs, 10, timeout=5), asked=35) is None
    assert runs.ended == [14.5, 24.5, 34.5]
    error = LookupError("boom")
    raised = await failure(Conductor({"job": PeriodicPlayer(Times(error=error), 10, timeout=5)}))
    assert raised.failures == {"job": error}


@pytest.mark.virtual_time
async def test_a_run_that_takes_too_long() -> None:
    """It is cancelled, and has failed with a `TimeoutError` that says where it was."""
    cancelled: list[bool] = []

    async def run() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    raised = (await failure(Conductor({"job": PeriodicPlayer(run, 10, timeout=5)}))).failures["job"]
    assert isinstance(raised, TimeoutError)
    assert str(raised) == "a run took longer than 5 seconds"
    assert "in run: await asyncio.sleep(1000)" in raised.__notes__[0]
    assert cancelled == [True]
    assert now() == 15


@pytest.mark.virtual_time
async def test_a_run_that_takes_too_long_is_told_by_its_context() -> None:
    """Its context is done, for this reason; the player's own is not."""
    seen: list[Any] = []

    async def run(ctx: Context) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append((ctx.done(), type(ctx.reason), ctx.path))

    runs = PeriodicPlayer(run, 10, timeout=5, on_error="log")
    playing = await job(runs, after=27)
    assert seen == [(True, TimeoutError, "job")] * 2
    assert details(playing)["errors"] == 2
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_what_a_cancelled_run_raises_is_the_cause() -> None:
    """Nothing that it raised is lost."""

    async def run() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            raise LookupError("while cancelled") from None

    raised = (await failure(Conductor({"job": PeriodicPlayer(run, 10, timeout=5)}))).failures["job"]
    assert isinstance(raised, TimeoutError)
    assert isinstance(raised.__cause__, LookupError)


@pytest.mark.virtual_time
async def test_a_thread_that_takes_too_long_is_abandoned() -> None:
    """It can't be ended: as long as it goes on, ticks are skipped, and the status counts it."""
    release = threading.Event()
    began: list[float] = []
    loop = asyncio.get_running_loop()

    def run() -> None:
        began.append(round(loop.time()))
        if len(began) == 1:
            # It waits for the time of the loop, so that this test takes none.
            waits.wait_sync(100)

    waits = Context()
    waits.bind()
    lines = Lines()
    playing = await job(PeriodicPlayer(run, 10, timeout=5, on_error="log"), after=47, logger=lines)
    assert began == [10]
    assert details(playing)["zombies"] == 1
    assert details(playing)["skipped"] == 3
    assert "in run: waits.wait_sync(100)" in lines.errors[0][1]["error"].__notes__[0]
    await asyncio.sleep(80)
    assert began == [10, 120]
    assert details(playing)["zombies"] == 0
    assert await playing.end() is None
    release.set()


@pytest.mark.virtual_time
async def test_an_abandoned_run_keeps_the_next_ones_also_after_a_restart() -> None:
    """It never overlaps itself, whatever has happened in between."""
    began: list[float] = []
    loop = asyncio.get_running_loop()
    waits = Context()
    waits.bind()

    def run() -> None:
        began.append(round(loop.time(), 1))
        if len(began) == 1:
            waits.wait_sync(40)

    playing = await job(PeriodicPlayer(run, 10, timeout=5, backoff=[1]), after=90)
    assert began == [10, 56.5, 66.5, 76.5, 86.5]
    assert status(playing).restarts == 1
    assert details(playing)["skipped"] == 3
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_an_abandoned_run_of_another_path_keeps_nobody() -> None:
    """One player under two names is two."""
    waits = Context()
    waits.bind()
    began: list[str] = []

    def run(ctx: Context) -> None:
        began.append(ctx.path)
        if began == ["0"]:
            waits.wait_sync(40)

    replicas = replicate(PeriodicPlayer(run, 10, timeout=5, on_error="log"), 1)
    playing = await show(replicas, after=17)
    await replicas.scale(2)
    await asyncio.sleep(15)
    assert began == ["0", "1"]
    await asyncio.sleep(60)
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_what_an_abandoned_run_raises_is_logged() -> None:
    """It comes too late to be the failure of anything, and is not lost."""
    waits = Context()
    waits.bind()

    def run() -> None:
        waits.wait_sync(40)
        raise LookupError("late")

    lines = Lines()
    raised = await failure(Conductor({"job": PeriodicPlayer(run, 10, timeout=5)}, logger=lines))
    assert isinstance(raised.failures["job"], TimeoutError)
    await asyncio.sleep(60)
    assert lines.errors[-1][0] == "job: a run failed after its time: LookupError: late"


@pytest.mark.virtual_time
async def test_an_abandoned_run_that_is_given_up() -> None:
    """Where even the loop ends before it, there is nothing to tell."""
    over = asyncio.Event()

    async def run() -> None:
        while True:
            try:
                await over.wait()
                raise asyncio.CancelledError
            except asyncio.CancelledError:
                if over.is_set():
                    raise

    lines = Lines()
    await failure(Conductor({"job": PeriodicPlayer(run, 10, timeout=5)}, logger=lines))
    told = len(lines.errors)
    over.set()
    await asyncio.sleep(1)
    assert len(lines.errors) == told


@pytest.mark.virtual_time
async def test_a_limited_run_is_cut_off_with_its_player() -> None:
    """A cut-off reaches the run, and whoever cuts it off waits for it."""
    player = FakePlayer(hangs())
    playing = await job(PeriodicPlayer(player, 10, timeout=500), after=12, timeout=2)
    error = stop_timeout(await playing.end())
    assert (error.left, error.abandoned) == (("job",), ())
    assert "_fake_player.py" in error.stuck["job"].splitlines()[0]
    assert (player.cancelled, player.ended) == (1, 1)


@pytest.mark.virtual_time
async def test_what_a_limited_run_raises_when_it_is_cut_off() -> None:
    """It is raised in the place of the cancellation."""

    async def run() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            raise LookupError("cut") from None

    task = start(PeriodicPlayer(run, 10, timeout=500))
    await asyncio.sleep(12)
    task.cancel()
    with pytest.raises(LookupError, match="cut"):
        await task


@pytest.mark.virtual_time
async def test_a_limited_run_in_a_thread_that_is_cut_off() -> None:
    """It goes on waiting for its thread, so that it is abandoned by name; a second time it lets go."""
    release = threading.Event()
    task = start(PeriodicPlayer(release.wait, 10, timeout=500, at_start=True))
    await turns()
    task.cancel()
    await turns()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await until(lambda: "wait" not in [thread.name for thread in threading.enumerate()])


# What is given


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, "exactly one of every= and cron= is needed, not neither"),
        ({"every": 5, "cron": EVERY_5}, "exactly one of"),
        ({"every": 0}, "every must be"),
        ({"cron": "61 * * * *"}, "is no cron expression"),
        ({"every": 5, "timezone": "UTC"}, "is for cron="),
        ({"cron": EVERY_5, "timezone": "Europe/Berln"}, "Did you mean 'Europe/Berlin'?"),
        ({"every": 5, "jitter": -1}, "jitter must be a number of seconds"),
        ({"every": 5, "jitter": 6}, "jitter=6 is more than every=5"),
        ({"every": 5, "timeout": 0}, "timeout=0 leaves no time"),
        ({"every": 5, "timeout": -1}, "timeout must be a number of seconds"),
        ({"every": 5, "on_error": "logs"}, "Did you mean 'log'?"),
        ({"every": 5, "backoff": [-1]}, "a backoff gives delays of at least 0"),
    ],
)
def test_terms_that_make_no_sense(terms: dict[str, Any], message: str) -> None:
    """They are refused at once."""
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        PeriodicPlayer(Times(), **terms)


def test_what_can_not_be_run() -> None:
    """It is refused at once, as by all that takes players."""
    for given in (5, FakePlayer, lambda one, two: None):
        with pytest.raises(TypeError):
            PeriodicPlayer(given, 5)  # type: ignore[arg-type]


def test_it_is_shown_by_its_function() -> None:
    """The `repr` has the function, and when it runs."""
    assert repr(PeriodicPlayer(module_level, 90)) == "PeriodicPlayer(module_level, every 1 m 30 s)"
    shown = repr(PeriodicPlayer(module_level, cron=EVERY_5))
    assert shown == "PeriodicPlayer(module_level, cron '*/5 * * * *')"


async def module_level() -> None: ...


def plain() -> None: ...


@pytest.mark.parametrize(
    "make",
    [
        partial(PeriodicPlayer, module_level, 5, timeout=3),
        partial(PeriodicPlayer, plain, cron=EVERY_5, timezone="Europe/Berlin"),
    ],
)
def test_it_can_be_sent_to_another_process(make: Callable[[], PeriodicPlayer]) -> None:
    """A player of a function that can be pickled can be, too."""
    player = make()
    assert repr(pickle.loads(pickle.dumps(player))) == repr(player)


def test_it_runs_in_real_time() -> None:
    """By real clocks, too, the interval and the calendar have their runs."""
    runs: list[str] = []

    async def main() -> None:
        ctx = Context()

        async def run(name: str) -> None:
            runs.append(name)
            if {"interval", "calendar", "thread"} <= set(runs):
                ctx.cancel()

        def in_thread() -> None:
            runs.append("thread")

        players: dict[str, Any] = {
            "interval": PeriodicPlayer(partial(run, "interval"), 0.01),
            "calendar": PeriodicPlayer(partial(run, "calendar"), cron="* * * * * *"),
            "thread": PeriodicPlayer(in_thread, 0.01, at_start=True),
        }
        await Conductor(players).play(ctx)

    asyncio.run(main())
    assert {"interval", "calendar", "thread"} <= set(runs)
