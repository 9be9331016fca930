"""How long to wait before each restart: any iterable of seconds, and the two that are made for it."""

import copy
import itertools
import math
import pickle
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from orchestra import ConstantBackoff, ExponentialBackoff
from orchestra.backoff import RESET_AFTER, as_backoff, check_delay


def first(backoff: Any, number: int) -> list[float]:
    return list(itertools.islice(backoff, number))


seconds = st.floats(0, 1e6)
backoffs = st.builds(
    ExponentialBackoff,
    initial=seconds,
    multiplier=st.floats(1, 100),
    max_delay=seconds,
    jitter=st.floats(0, 1),
)


# Exponential


def test_delays_grow_up_to_the_cap() -> None:
    """Each delay is the one before it times the multiplier, and none is above the cap."""
    backoff = ExponentialBackoff(1, multiplier=2, max_delay=10, jitter=0)
    assert first(backoff, 6) == [1, 2, 4, 8, 10, 10]


@given(backoffs, st.integers(1, 50))
def test_a_delay_is_drawn_from_around_its_place_and_never_above_the_cap(
    backoff: ExponentialBackoff, number: int
) -> None:
    """A delay lies in `d * (1 ± jitter)`, cut off at the cap."""
    base = min(backoff.initial, backoff.max_delay)
    for delay in first(backoff, number):
        assert base * (1 - backoff.jitter) <= delay
        assert delay <= min(base * (1 + backoff.jitter), backoff.max_delay)
        base = min(base * backoff.multiplier, backoff.max_delay)


def test_delays_are_spread_also_at_the_cap() -> None:
    """At the cap, the delays of many players still differ, and lie below it."""
    delays = first(ExponentialBackoff(60, max_delay=60, jitter=0.5), 200)
    assert len(set(delays)) > 100
    assert all(30 <= delay <= 60 for delay in delays)
    assert min(delays) < 40
    assert max(delays) > 50


@pytest.mark.parametrize(
    ("jitter", "low", "high"), [(0, 10, 10), (1, 0, 20), (0.1, 9, 11), (Fraction(1, 10), 9, 11)]
)
def test_jitter_may_be_anything_from_0_to_1(jitter: Any, low: float, high: float) -> None:
    """Without jitter the delays are exact, with all of it they lie between 0 and twice as much."""
    for backoff in (
        ExponentialBackoff(10, multiplier=1, jitter=jitter),
        ConstantBackoff(10, jitter),
    ):
        assert all(low <= delay <= high for delay in first(backoff, 100))


@pytest.mark.parametrize("multiplier", [1.5, 2, 1e300, sys.float_info.max])
def test_restart_2000_does_not_overflow(multiplier: float) -> None:
    """However often it restarts, and however fast the delays grow, they stay at the cap."""
    backoff = ExponentialBackoff(1, multiplier=multiplier, max_delay=1e308, jitter=0.5)
    assert all(math.isfinite(delay) for delay in first(backoff, 2001))
    backoff = ExponentialBackoff(1, multiplier=multiplier, jitter=0)
    assert first(backoff, 2001)[2000] == 60


def test_an_initial_delay_above_the_cap_is_cut_down() -> None:
    """The cap holds from the first delay on."""
    assert first(ExponentialBackoff(100, max_delay=7, jitter=0), 2) == [7, 7]


def test_no_delay_stays_no_delay() -> None:
    """A backoff from 0 restarts at once, for ever."""
    assert first(ExponentialBackoff(0), 3) == [0, 0, 0]


# Constant


def test_a_constant_backoff_gives_the_same_delay() -> None:
    """The delay is the same before each restart, as a float."""
    delays = first(ConstantBackoff(2), 3)
    assert delays == [2, 2, 2]
    assert {type(delay) for delay in delays} == {float}


@given(st.floats(0, sys.float_info.max), st.floats(0, 1))
def test_a_constant_delay_is_spread_by_its_jitter(delay: float, jitter: float) -> None:
    """Each is drawn from `delay * (1 ± jitter)`, and is a number of seconds."""
    (drawn,) = first(ConstantBackoff(delay, jitter), 1)
    assert delay * (1 - jitter) <= drawn <= delay * (1 + jitter)
    assert check_delay(drawn) == drawn


# Both


def test_the_defaults_are_those_of_the_design() -> None:
    """A backoff without arguments begins at half a second and grows to a minute."""
    assert ExponentialBackoff() == ExponentialBackoff(
        initial=0.5,
        multiplier=1.5,
        max_delay=60.0,
        jitter=0.5,
        max_restarts=None,
        per=None,
        reset_after=60.0,
    )
    assert ConstantBackoff(1) == ConstantBackoff(
        delay=1, jitter=0.0, max_restarts=None, per=None, reset_after=60.0
    )
    assert RESET_AFTER == 60


@pytest.mark.parametrize("number", [0, 1, 3])
def test_max_restarts_limits_a_series(number: int) -> None:
    """Without a window, a series has so many delays."""
    assert len(list(ExponentialBackoff(max_restarts=number))) == number
    assert len(list(ConstantBackoff(1, max_restarts=number))) == number


def test_with_a_window_the_series_itself_has_no_end() -> None:
    """With `per`, whoever restarts counts in the window, and the delays go on."""
    assert len(first(ConstantBackoff(1, max_restarts=3, per=60), 10)) == 10
    assert len(first(ExponentialBackoff(max_restarts=3, per=60), 10)) == 10


def test_a_backoff_begins_anew_at_each_iteration() -> None:
    """It may be shared: no iteration takes anything from another, in whichever thread."""
    backoff = ExponentialBackoff(1, multiplier=2, jitter=0, max_restarts=5)
    one, other = iter(backoff), iter(backoff)
    assert [next(one), next(one), next(other), next(one), next(other)] == [1, 2, 1, 4, 2]
    got: list[list[float]] = []
    threads = [threading.Thread(target=lambda: got.append(list(backoff))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[1, 2, 4, 8, 16]] * 4


@pytest.mark.parametrize("backoff", [ExponentialBackoff(1), ConstantBackoff(1)])
def test_a_backoff_is_a_frozen_value(backoff: Any) -> None:
    """It can't be changed, and may be compared, hashed, copied and pickled."""
    with pytest.raises(AttributeError):
        backoff.jitter = 1
    for other in (copy.deepcopy(backoff), pickle.loads(pickle.dumps(backoff))):
        assert other == backoff
        assert hash(other) == hash(backoff)


NONSENSE = [-1, math.nan, math.inf, "1", "x", None, True, 1j, [], 10**400, Decimal("NaN")]
NO_LIMIT = [-1, math.nan, "1", True, 1j, [], 1.5, math.inf]


@pytest.mark.parametrize("value", NONSENSE)
def test_a_delay_that_makes_no_sense_is_refused_at_once(value: Any) -> None:
    """A delay that is no number of seconds is a `ValueError` where the backoff is made."""
    for make in (
        lambda: ExponentialBackoff(value),
        lambda: ExponentialBackoff(max_delay=value),
        lambda: ConstantBackoff(value),
    ):
        with pytest.raises(ValueError, match="must be a number of seconds, 0 or more"):
            make()


@pytest.mark.parametrize("value", [*NONSENSE, 0, 0.999])
def test_a_multiplier_that_makes_no_sense_is_refused_at_once(value: Any) -> None:
    """Delays don't get shorter, and not longer without end."""
    with pytest.raises(ValueError, match="multiplier must be a number of at least 1"):
        ExponentialBackoff(multiplier=value)


@pytest.mark.parametrize("value", [*NONSENSE, 1.001, -0.001])
def test_a_jitter_outside_of_0_to_1_is_refused_at_once(value: Any) -> None:
    """A jitter is a share of the delay."""
    for make in (lambda: ExponentialBackoff(jitter=value), lambda: ConstantBackoff(1, value)):
        with pytest.raises(ValueError, match="jitter must be a number from 0 to 1"):
            make()


@pytest.mark.parametrize("value", NO_LIMIT)
def test_a_limit_that_makes_no_sense_is_refused_at_once(value: Any) -> None:
    """`max_restarts` is a whole number, or None for no limit."""
    for make in (
        lambda: ExponentialBackoff(max_restarts=value),
        lambda: ConstantBackoff(1, max_restarts=value),
    ):
        with pytest.raises(ValueError, match="max_restarts must be a whole number"):
            make()


@pytest.mark.parametrize("value", [one for one in NONSENSE if one is not None])
def test_a_window_that_makes_no_sense_is_refused_at_once(value: Any) -> None:
    """`per` is a number of seconds."""
    with pytest.raises(ValueError, match="per must be a number of seconds"):
        ConstantBackoff(1, max_restarts=1, per=value)


def test_a_window_needs_a_limit_and_a_length() -> None:
    """`per` says nothing without `max_restarts`, and a window of 0 seconds would limit nothing."""
    with pytest.raises(ValueError, match="window for max_restarts, which is missing"):
        ExponentialBackoff(per=60)
    with pytest.raises(ValueError, match="nothing falls into"):
        ExponentialBackoff(per=0, max_restarts=3)


@pytest.mark.parametrize("value", [one for one in NONSENSE if one != math.inf])
def test_a_reset_that_makes_no_sense_is_refused_at_once(value: Any) -> None:
    """`reset_after` is a number of seconds."""
    with pytest.raises(ValueError, match="reset_after must be a number of seconds"):
        ExponentialBackoff(reset_after=value)


def test_a_series_may_never_begin_anew() -> None:
    """An infinite `reset_after` means that it never forgets."""
    assert ExponentialBackoff(reset_after=math.inf).reset_after == math.inf


@pytest.mark.parametrize("number", [Fraction(1, 2), Decimal("0.5")])
def test_any_kind_of_number_will_do(number: Any) -> None:
    """Fractions and decimals count as what they are."""
    backoff = ExponentialBackoff(number, multiplier=number * 4, max_delay=number * 6, jitter=0)
    assert first(backoff, 4) == [0.5, 1, 2, 3]
    assert all(0.25 <= delay <= 0.75 for delay in first(ConstantBackoff(number, number), 9))
    assert check_delay(number) == 0.5


# Other people's


@pytest.mark.parametrize(
    "given_one", [[1, 5, 30], (1, 5, 30), iter([1, 5, 30]), {1: 0, 5: 0, 30: 0}]
)
def test_any_iterable_of_delays_is_a_backoff(given_one: Any) -> None:
    """It is taken as it is."""
    assert as_backoff(given_one) is given_one
    assert list(as_backoff(given_one)) == [1, 5, 30]


def test_an_endless_iterable_is_a_backoff() -> None:
    """`itertools.repeat(0)` restarts at once for ever."""
    assert first(as_backoff(itertools.repeat(0)), 3) == [0, 0, 0]


@pytest.mark.parametrize(
    "given_one", [None, 5, 0.5, "135", b"135", ExponentialBackoff, object(), lambda: [1]]
)
def test_what_is_no_backoff_is_refused(given_one: Any) -> None:
    """Anything that gives no delays is a `TypeError`, which says what is accepted."""
    with pytest.raises(TypeError, match="iterable of delays in seconds, such as"):
        as_backoff(given_one)


@pytest.mark.parametrize("delay", NONSENSE)
def test_a_delay_in_a_list_that_makes_no_sense_is_refused_at_once(delay: Any) -> None:
    """A list is looked through when it is given, and each delay again when it is drawn."""
    for make in (lambda: as_backoff([1, delay]), lambda: as_backoff((delay,))):
        with pytest.raises(ValueError, match="delays of at least 0 seconds"):
            make()
    with pytest.raises(ValueError, match="delays of at least 0 seconds"):
        check_delay(delay)


@pytest.mark.parametrize(
    ("wait", "delays"),
    [
        (tenacity.wait_none(), [0, 0, 0]),
        (tenacity.wait_fixed(2), [2, 2, 2]),
        (tenacity.wait_incrementing(start=1, increment=2), [1, 3, 5]),
        (tenacity.wait_exponential(multiplier=1, max=3), [1, 2, 3]),
        (tenacity.wait_fixed(1) + tenacity.wait_fixed(2), [3, 3, 3]),
        (tenacity.wait_chain(tenacity.wait_fixed(1), tenacity.wait_fixed(5)), [1, 5, 5]),
    ],
)
def test_the_waits_of_tenacity_are_backoffs(wait: Any, delays: list[float]) -> None:
    """They give a delay for each attempt, without an end, and begin anew at each iteration."""
    backoff = as_backoff(wait)
    assert first(backoff, 3) == delays
    assert first(backoff, 3) == delays


def test_random_waits_of_tenacity_are_backoffs() -> None:
    """Also at restart 2000 they give a number of seconds."""
    for wait in (
        tenacity.wait_random_exponential(max=60),
        tenacity.wait_exponential_jitter(max=60),
    ):
        delays = first(as_backoff(wait), 2001)
        assert all(0 <= check_delay(delay) <= 61 for delay in delays)


def test_a_wait_of_ones_own_is_a_backoff() -> None:
    """A subclass of tenacity's base is one of its waits."""

    class Half(tenacity.wait.wait_base):
        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            return retry_state.attempt_number / 2

    assert first(as_backoff(Half()), 3) == [0.5, 1, 1.5]


@pytest.mark.parametrize("given_one", [tenacity.stop_after_attempt(3), tenacity.retry_always])
def test_what_else_tenacity_has_is_no_backoff(given_one: Any) -> None:
    """What says when to stop or whether to retry gives no delays."""
    with pytest.raises(TypeError, match="iterable of delays"):
        as_backoff(given_one)
