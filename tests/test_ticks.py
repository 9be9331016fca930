"""When a periodic player is due: the grid of seconds, and the calendar with its clock on the wall."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestra.players._ticks import MOST_SKIPPED, Calendar, Cron, Every, Grid, schedule

BERLIN = ZoneInfo("Europe/Berlin")


class Clock:
    """What ticks need of a loop: two clocks that a test sets."""

    def __init__(self, wall: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = 1000.0
        self.wall = wall

    def time(self) -> float:
        return self.now

    def wall_time(self) -> float:
        return self.wall.timestamp()


def grid(clock: Any, every: float, *, at_once: bool = False) -> Grid:
    ticks = Every(every).begin(clock, at_once=at_once)
    assert isinstance(ticks, Grid)
    return ticks


def calendar(clock: Any, cron: str, zone: Any = UTC, *, at_once: bool = False) -> Calendar:
    ticks = Cron(cron, zone).begin(clock, at_once=at_once)
    assert isinstance(ticks, Calendar)
    return ticks


def listed(cron: str, after: datetime, count: int, zone: Any = BERLIN) -> list[str]:
    """The next ticks, as the clock on the wall has them."""
    moments = itertools.islice(Cron(cron, zone).after(after.timestamp()), count)
    return [datetime.fromtimestamp(one, zone).isoformat(sep=" ") for one in moments]


# The grid


def test_a_grid_begins_at_the_start() -> None:
    """The first tick is after one interval, or at once; each other one interval after the last."""
    clock = Clock()
    assert grid(clock, 60).due_in() == 60
    ticks = grid(clock, 60, at_once=True)
    assert ticks.due_in() == 0
    ticks.take()
    assert ticks.due_in() == 60


def test_a_grid_does_not_drift() -> None:
    """A thousand late ticks leave the grid where it is."""
    clock = Clock()
    ticks = grid(clock, 0.1)
    for number in range(1, 1001):
        clock.now = 1000 + number * 0.1 + 0.03
        assert ticks.due_in() == pytest.approx(-0.03)
        ticks.take()
        assert ticks.skip() == 0
    assert ticks.due_in() == pytest.approx(0.07)


def test_ticks_of_a_grid_that_are_over_are_skipped() -> None:
    """A run that took three intervals and a half has skipped three ticks."""
    clock = Clock()
    ticks = grid(clock, 10)
    ticks.take()
    clock.now = 1045
    assert ticks.skip() == 3
    assert ticks.due_in() == 5
    assert ticks.skip() == 0


@pytest.mark.parametrize("every", [0.1, 0.3, 0.7, 1 / 3])
def test_a_tick_that_is_due_right_now_is_not_over(every: float) -> None:
    """A run that ends at the very moment of a tick skips none, however floats are rounded."""
    for number in range(1, 2000):
        clock = Clock()
        ticks = grid(clock, every)
        clock.now = 1000 + sum([every] * 2)
        ticks.take()
        assert ticks.skip() == 0
        clock.now = 1000 + number * every
        assert ticks.skip() == max(0, number - 2)


def test_a_grid_goes_by_one_clock_only() -> None:
    """What is done to the clock on the wall means nothing to it."""
    clock = Clock()
    ticks = grid(clock, 60)
    clock.wall += timedelta(days=3)
    assert (ticks.review(), ticks.due_in()) == (0, 60)


# The calendar


def test_the_calendar_has_its_ticks_after_the_start() -> None:
    """A start at the very moment of a tick is not that tick, but it may be asked for."""
    clock = Clock()
    assert calendar(clock, "*/5 * * * *").due_in() == 300
    assert calendar(clock, "*/5 * * * *", at_once=True).due_in() == 0
    clock.wall += timedelta(seconds=299.5)
    ticks = calendar(clock, "*/5 * * * *")
    assert ticks.due_in() == pytest.approx(0.5)
    ticks.take()
    assert ticks.due_in() == pytest.approx(300.5)


def test_a_start_between_ticks_with_a_run_at_once() -> None:
    """The first tick after a run at the start is that of the calendar."""
    clock = Clock(datetime(2026, 1, 1, 0, 2, tzinfo=UTC))
    ticks = calendar(clock, "*/5 * * * *", at_once=True)
    clock.wall += timedelta(seconds=0.1)
    ticks.take()
    assert ticks.skip() == 0
    assert ticks.due_in() == pytest.approx(179.9)


def test_six_fields_have_seconds() -> None:
    """With a sixth field in front, ticks come within a minute."""
    assert listed("*/20 * * * * *", datetime(2026, 1, 1, tzinfo=UTC), 3, UTC) == [
        "2026-01-01 00:00:20+00:00",
        "2026-01-01 00:00:40+00:00",
        "2026-01-01 00:01:00+00:00",
    ]


def test_ticks_of_the_calendar_that_are_over_are_skipped() -> None:
    """A run that took 17 minutes has skipped three ticks of every five, and one that is due is not over."""
    clock = Clock()
    ticks = calendar(clock, "*/5 * * * *")
    clock.wall += timedelta(minutes=5)
    ticks.take()
    clock.wall += timedelta(minutes=17)
    assert ticks.skip() == 3
    assert ticks.due_in() == 180
    clock.wall += timedelta(minutes=3)
    assert ticks.skip() == 0
    assert ticks.due_in() == 0


# Daylight saving. In Europe/Berlin, 2026-03-29 has no 02:30, and 2026-10-25 has it twice.


def test_an_hour_that_is_missing() -> None:
    """What is due in the hour that is left out in spring comes at its end, once."""
    evening = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert listed("30 2 * * *", evening, 3) == [
        "2026-03-29 03:00:00+02:00",
        "2026-03-30 02:30:00+02:00",
        "2026-03-31 02:30:00+02:00",
    ]


def test_an_hour_that_comes_twice() -> None:
    """What is due in the hour that comes twice in autumn comes the first time only."""
    evening = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    assert listed("30 2 * * *", evening, 3) == [
        "2026-10-25 02:30:00+02:00",
        "2026-10-26 02:30:00+01:00",
        "2026-10-27 02:30:00+01:00",
    ]


def test_a_start_within_the_hour_that_comes_twice() -> None:
    """Started in the second of the two hours, what was due in the first is over."""
    second = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=BERLIN)
    assert listed("30 2 * * *", second, 2) == [
        "2026-10-26 02:30:00+01:00",
        "2026-10-27 02:30:00+01:00",
    ]


def test_every_half_hour_goes_on_through_both() -> None:
    """What comes all the time comes in real intervals, also through a change."""
    for start, before, after in (
        (datetime(2026, 3, 29, 1, 10, tzinfo=BERLIN), "+01:00", "+02:00"),
        (datetime(2026, 10, 25, 1, 10, tzinfo=BERLIN), "+02:00", "+01:00"),
    ):
        found = [datetime.fromisoformat(one) for one in listed("*/30 * * * *", start, 8)]
        assert {later - one for one, later in itertools.pairwise(found)} == {timedelta(minutes=30)}
        assert found[0].isoformat().endswith(before)
        assert found[-1].isoformat().endswith(after)


def test_a_day_of_23_and_one_of_25_hours() -> None:
    """The same time of day stays the same time of day."""
    for month, day, hours in ((3, 28, 23), (10, 24, 25)):
        noon = datetime(2026, month, day, 10, tzinfo=BERLIN)
        one, other = [datetime.fromisoformat(tick) for tick in listed("0 12 * * *", noon, 2)]
        assert other - one == timedelta(hours=hours)
        assert (one.hour, other.hour) == (12, 12)


# A clock that is set


def test_a_clock_that_is_set_forwards_a_little() -> None:
    """One run comes late, and not one for each tick that was jumped over."""
    clock = Clock()
    ticks = calendar(clock, "0 * * * *")
    clock.wall += timedelta(minutes=150)
    assert ticks.review() == 0
    assert ticks.due_in() < 0
    ticks.take()
    assert ticks.skip() == 1
    assert ticks.due_in() == 1800


def test_a_clock_that_is_set_forwards_far() -> None:
    """What is more than three hours ago is missed."""
    clock = Clock()
    ticks = calendar(clock, "0 3 * * *")
    clock.wall += timedelta(hours=7)
    assert ticks.review() == 1
    assert ticks.due_in() == 20 * 3600


def test_a_clock_that_was_wrong_by_decades() -> None:
    """Nobody counts all of the ticks that there would have been."""
    clock = Clock(datetime(1970, 1, 1, tzinfo=UTC))
    ticks = calendar(clock, "* * * * *")
    clock.wall = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert ticks.review() == MOST_SKIPPED
    assert -3 * 3600 <= ticks.due_in() <= 0


def test_a_clock_that_is_set_back_a_little() -> None:
    """A tick that had its run does not come again."""
    clock = Clock()
    ticks = calendar(clock, "0 * * * *")
    clock.wall += timedelta(hours=1)
    ticks.take()
    clock.wall -= timedelta(minutes=30)
    assert ticks.review() == ticks.skip() == 0
    assert ticks.due_in() == 5400


def test_a_clock_that_is_set_back_far() -> None:
    """Whoever sets it back by more than three hours has had it wrong before: its ticks count anew."""
    clock = Clock()
    ticks = calendar(clock, "0 * * * *")
    clock.wall -= timedelta(days=2, minutes=15)
    assert ticks.review() == 0
    assert ticks.due_in() == 15 * 60


# What is given


def test_seconds_and_timedeltas() -> None:
    """An interval is a number of seconds or a `timedelta`."""
    assert schedule(60, None, None) == Every(60)
    assert schedule(timedelta(minutes=1), None, None) == Every(60.0)
    assert [str(schedule(one, None, None)) for one in (60, 0.5)] == ["every 1 m", "every 0.5 s"]


@pytest.mark.parametrize(
    "every", [0, -1, float("nan"), float("inf"), "60", True, timedelta(0), timedelta(days=-1)]
)
def test_an_interval_that_is_none(every: Any) -> None:
    """It is refused with what was given."""
    with pytest.raises(ValueError, match="every must be a number of seconds above 0") as raised:
        schedule(every, None, None)
    assert repr(every) in str(raised.value)


def test_neither_and_both() -> None:
    """Exactly one of the two says when."""
    with pytest.raises(ValueError, match="exactly one of every= and cron= is needed, not neither"):
        schedule(None, None, None)
    with pytest.raises(ValueError, match=r"not every=60 and cron='\* \* \* \* \*'"):
        schedule(60, "* * * * *", None)


@pytest.mark.parametrize("cron", ["", "x", "* * *", "0 25 * * *", "@dayly", "0 0 30 2 *", 5, b"x"])
def test_an_expression_that_is_none(cron: Any) -> None:
    """It is refused at once, with what was given and what is accepted."""
    with pytest.raises(ValueError, match="is no cron expression") as raised:
        schedule(None, cron, None)
    assert repr(cron) in str(raised.value)
    assert "'*/5 * * * *'" in str(raised.value)


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("60 * * * *", "(Bad minute)"),
        ("0 0 * JANN *", "(Bad month)"),
        ("@dayly", "(Did you mean '@daily'?)"),
        ("@reboot", "(There are: @annually, @daily, "),
        (5, "(it has to be a string)"),
    ],
)
def test_what_is_wrong_with_an_expression(cron: Any, why: str) -> None:
    """The field is named, and the nearest of the names that cron has."""
    with pytest.raises(ValueError, match="is no cron expression") as raised:
        schedule(None, cron, None)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@weekly", "0 0 * * sun")],
)
def test_the_names_that_cron_has(name: str, fields: str) -> None:
    """They are short for the expressions that everybody means by them."""
    named, spelled = (schedule(None, cron, None) for cron in (name, fields))
    assert isinstance(named, Cron)
    assert isinstance(spelled, Cron)
    for moment in (0.0, 951_782_400.0):
        assert next(named.after(moment)) == next(spelled.after(moment))
    assert str(named) == f"cron '{name}'"


def test_a_day_that_never_comes() -> None:
    """An expression that can't come true is refused as well."""
    with pytest.raises(ValueError, match="a day that never comes"):
        schedule(None, "0 0 */30 2 MON#5", None)


def test_time_zones() -> None:
    """A zone is given by name or as it is; without one it is UTC."""
    for given, zone in ((None, UTC), ("Europe/Berlin", BERLIN), (BERLIN, BERLIN)):
        assert schedule(None, "0 3 * * *", given) == Cron("0 3 * * *", zone)
    fixed = timezone(timedelta(hours=5, minutes=30))
    assert listed("0 0 * * *", datetime(2026, 1, 1, tzinfo=UTC), 1, fixed) == [
        "2026-01-02 00:00:00+05:30"
    ]
    assert str(schedule(None, "0 3 * * *", None)) == "cron '0 3 * * *'"


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "/etc/passwd", "..", 5])
def test_a_time_zone_that_is_none(zone: Any) -> None:
    """It is refused with what was given, and the nearest."""
    with pytest.raises(ValueError, match=f"timezone={zone!r} is unknown") as raised:
        schedule(None, "* * * * *", zone)
    if zone == "Europe/Berln":
        assert "Did you mean 'Europe/Berlin'?" in str(raised.value)


def test_a_time_zone_for_an_interval() -> None:
    """It would have no meaning."""
    with pytest.raises(ValueError, match="timezone='UTC' is for cron="):
        schedule(60, None, "UTC")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named, with how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "cronsim", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'orchestra-players\[cron\]'"):
        schedule(None, "* * * * *", None)
