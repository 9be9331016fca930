"""What follows when a run of a player has ended, and the restarts that are left for it."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra import ConductorError, ConstantBackoff, ExponentialBackoff, PermanentError
from orchestra.restart import (
    HURRIED_RESTARTS,
    HURRY,
    Series,
    Verdict,
    decide,
    is_permanent,
    note_of,
    note_restarts,
)


def never() -> float | None:
    raise AssertionError("no restart was due")


# The decision


@pytest.mark.parametrize("always", [False, True])
def test_a_failure_is_restarted_after_the_next_delay(always: bool) -> None:
    """A player with a restart left comes back after a failure."""
    assert decide(OSError(), asked=False, always=always, draw=lambda: 1.5) == 1.5
    assert decide(OSError(), asked=False, always=always, draw=lambda: 0.0) == 0.0


@pytest.mark.parametrize("always", [False, True])
def test_a_failure_without_a_restart_left_fails_the_group(always: bool) -> None:
    """A player whose backoff is exhausted gives up."""
    assert decide(OSError(), asked=False, always=always, draw=lambda: None) is Verdict.FAIL


def test_a_good_end_is_an_end() -> None:
    """A player that ends well does not come back, and its backoff is not asked."""
    assert decide(None, asked=False, always=False, draw=never) is Verdict.END


def test_a_good_end_is_restarted_where_that_is_wanted() -> None:
    """`on="always"` brings it back after a good end too, while a restart is left."""
    assert decide(None, asked=False, always=True, draw=lambda: 3.0) == 3.0
    assert decide(None, asked=False, always=True, draw=lambda: None) is Verdict.END


@pytest.mark.parametrize("always", [False, True])
def test_nobody_comes_back_who_was_asked_to_stop(always: bool) -> None:
    """Once asked, a good end is the end, and a failure is only told."""
    assert decide(None, asked=True, always=always, draw=never) is Verdict.END
    assert decide(OSError(), asked=True, always=always, draw=never) is Verdict.IGNORE


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("the licence has expired"),
        ExceptionGroup("inner", [OSError(), PermanentError()]),
        ConductorError("a group", [ConductorError("inner", [PermanentError()])]),
    ],
)
def test_a_permanent_error_rules_a_restart_out(error: Exception) -> None:
    """It holds for the groups above as well, since their restart would restart the player."""
    assert is_permanent(error)
    assert decide(error, asked=False, always=True, draw=never) is Verdict.FAIL


@pytest.mark.parametrize("error", [OSError(), ExceptionGroup("inner", [OSError()]), SystemExit()])
def test_other_errors_are_not_permanent(error: BaseException) -> None:
    """Whatever is no `PermanentError` may be mended by a restart."""
    assert not is_permanent(error)


# The restarts that are left


def drawn(series: Series, *healthy: float, every: float = 1.0) -> list[float | None]:
    """The delays after runs that were healthy for so long, one such time apart."""
    return [series.draw(every * number, one) for number, one in enumerate(healthy)]


def test_without_a_backoff_there_is_no_restart() -> None:
    """A player without a backoff, or with one that gives none, gives up at once."""
    assert Series(None).draw(0, 0) is None
    nothing: Callable[[], Any] = lambda: None  # noqa: E731
    assert Series(nothing).draw(0, 0) is None


def test_a_list_gives_each_of_its_delays_once() -> None:
    """`[1, 5, 30]` allows three restarts, and counts them."""
    series = Series(lambda: [1, 5, 30])
    assert drawn(series, 0, 0, 0, 0, 0) == [1, 5, 30, None, None]
    assert series.length == 3
    assert series.delay == 30


def test_a_series_begins_anew_after_a_healthy_run() -> None:
    """After a minute of being ready the backoff is asked anew, and the count begins again."""
    asked = []

    def backoff() -> Iterable[float]:
        asked.append(1)
        return [1, 5]

    series = Series(backoff)
    assert drawn(series, 0, 59.9, 0) == [1, 5, None]
    assert drawn(series, 60, 0, 0) == [1, 5, None]
    assert len(asked) == 2
    assert series.length == 2


def test_a_backoff_says_by_itself_when_it_forgets() -> None:
    """`reset_after` counts in the place of the minute."""
    series = Series(lambda: ConstantBackoff(1, max_restarts=1, reset_after=5))
    assert drawn(series, 0, 4.9, 5, 0) == [1, None, 1, None]


def test_a_window_limits_the_restarts_in_it() -> None:
    """With `per`, as many restarts as `max_restarts` are allowed in any so many seconds."""
    series = Series(lambda: ConstantBackoff(0, max_restarts=2, per=10))
    moments = [0, 5, 9.9, 10, 14.9, 15, 15]
    assert [series.draw(now, 0) for now in moments] == [0, 0, None, 0, None, 0, None]


def test_a_window_looks_back_over_the_series_before() -> None:
    """A healthy run in between does not empty the window."""
    series = Series(lambda: ConstantBackoff(0, max_restarts=2, per=1000, reset_after=1))
    assert drawn(series, 0, 5, 5, every=10) == [0, 0, None]


def test_a_window_of_no_restarts_allows_none() -> None:
    """`max_restarts=0` gives up at the first failure, with a window or without."""
    assert Series(lambda: ConstantBackoff(0, max_restarts=0, per=10)).draw(0, 0) is None
    assert Series(lambda: ConstantBackoff(0, max_restarts=0)).draw(0, 0) is None


@given(
    st.lists(st.integers(0, 30), max_size=40).map(sorted),
    st.integers(0, 4),
    st.integers(1, 10),
)
def test_no_window_has_more_restarts_than_allowed(moments: list[int], limit: int, per: int) -> None:
    """Wherever it is laid, a window holds at most so many, and none is refused without need."""
    series = Series(lambda: ExponentialBackoff(0, max_restarts=limit, per=per))
    restarts: list[int] = []
    for now in moments:
        in_window = sum(now - per < one for one in restarts)
        if series.draw(now, 0) is not None:
            assert in_window < limit
            restarts.append(now)
        else:
            assert in_window >= limit


def test_a_delay_that_makes_no_sense_is_refused_when_it_is_drawn() -> None:
    """What no check of a list has seen is checked then."""
    with pytest.raises(ValueError, match="delays of at least 0 seconds"):
        drawn(Series(lambda: iter([1, -1])), 0, 0)
    wrong: Callable[[], Any] = lambda: 5  # noqa: E731
    with pytest.raises(TypeError, match="iterable of delays"):
        Series(wrong).draw(0, 0)


def test_an_iterator_goes_on_where_it_was() -> None:
    """What can be gone through only once has no second series."""
    delays = iter([1, 2, 3])
    series = Series(lambda: delays)
    assert drawn(series, 0, 0, 60, 60) == [1, 2, 3, None]


def test_restarts_without_a_delay_give_way_to_others() -> None:
    """Restarts at once let the loop have its turn after a number of them, or after a moment."""
    series = Series(lambda: itertools.repeat(0))
    now = 100.0
    assert series.gives_way(now)
    turns = [series.gives_way(now) for _ in range(2 * HURRIED_RESTARTS)]
    assert turns.count(True) == 2
    assert turns[HURRIED_RESTARTS - 1]
    assert series.gives_way(now + HURRY)
    assert not series.gives_way(now + HURRY)


# Notes


def test_a_note_is_added_once() -> None:
    """An exception that comes by again has its note already."""
    error = OSError()
    for _ in range(2):
        note_of(error, "raised by player 'a'")
    note_of(error, "after 3 restarts")
    assert error.__notes__ == ["raised by player 'a'", "after 3 restarts"]


@dataclass(frozen=True)
class Frozen(Exception):
    """An exception that does not let anything be added to it."""

    code: int


class Odd(Exception):
    """An exception whose notes are something else."""

    __notes__: Any = 5


@pytest.mark.parametrize("error", [Frozen(3), Odd()])
def test_an_exception_that_takes_no_notes_is_left_as_it_is(error: Exception) -> None:
    """A failure to add a note is nobody's failure."""
    note_of(error, "raised by player 'a'")
    assert error == Frozen(3) or error.__notes__ == 5


def test_the_number_of_restarts_is_noted_on_each_error() -> None:
    """Of a group, each player's error has the note; and no restart is worth none."""
    one, other = OSError(), KeyError()
    note_restarts(one, 0)
    assert not hasattr(one, "__notes__")
    note_restarts(one, 1)
    note_restarts(ConductorError("2 players failed", [one, other], ["a", "b"]), 3)
    assert one.__notes__ == ["after 1 restart", "after 3 restarts"]
    assert other.__notes__ == ["after 3 restarts"]
