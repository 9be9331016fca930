"""Time, replaceable: what a loop says about it, and what counts where there is none."""

import asyncio
import math
import threading
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import uvloop

from orchestra import _clock
from orchestra.testing import run_virtual
from virtual import locked, virtual_loop


def test_without_a_loop_time_is_that_of_most_loops() -> None:
    """Deadlines of before the loop count in the seconds that it will count in."""
    before = time.monotonic()
    assert before <= _clock.now(None) <= time.monotonic()


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_real_loop_has_the_real_time(factory: Any) -> None:
    """Open or closed, a loop without a clock of its own goes by that of the system."""
    loop = factory()
    for _ in range(2):
        assert abs(_clock.now(loop) - time.monotonic()) < 1
        assert abs(_clock.wall_time(loop) - time.time()) < 1
        loop.close()
    assert abs(_clock.wall_time(None) - time.time()) < 1


def test_a_virtual_loop_has_its_own_time() -> None:
    """A loop with a clock of its own says both the time and the time of day, also once closed."""

    async def main() -> asyncio.AbstractEventLoop:
        loop = virtual_loop()
        await asyncio.sleep(3600)
        assert _clock.now(loop) == 3600
        assert _clock.wall_time(loop) == loop.wall_time()
        return loop

    assert _clock.now(run_virtual(main)) >= 3600


def test_work_outside_is_announced_to_a_loop_that_asks_for_it() -> None:
    """A virtual loop does not jump over announced work, and other loops don't mind."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with _clock.outside_work(loop):
            begin = loop.time()
            loop.call_later(3600, lambda: None)
            await asyncio.sleep(0.001)
            assert loop.time() - begin < 3600

    run_virtual(main)
    asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, 0.01, math.inf, 1e300])
def test_a_lock_is_taken_or_not(timeout: float) -> None:
    """A free lock is taken, a taken one is waited for, however long that may be."""
    lock = threading.Lock()
    assert _clock.acquire(None, lock, timeout)
    if timeout > 1:
        timer = threading.Timer(0.01, _clock.release, (None, lock))
        timer.start()
        assert _clock.acquire(None, lock, timeout)
        timer.join()
    else:
        assert not _clock.acquire(None, lock, timeout)


@pytest.mark.parametrize("timeout", [3600, math.inf])
def test_a_lock_is_waited_for_in_virtual_time(timeout: float) -> None:
    """A thread of a virtual loop waits by the time of that."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        loop.call_later(7200, _clock.release, loop, lock)
        assert await asyncio.to_thread(_clock.acquire, loop, lock, timeout) == (timeout == math.inf)

    run_virtual(main)


@pytest.mark.parametrize("value", [0, 1, 0.5, 10**300, Fraction(1, 2), Decimal("1.5")])
def test_numbers_from_0_on_are_seconds(value: Any) -> None:
    """Any kind of number counts."""
    assert _clock.seconds("delay", value) == float(value)


class Broken:
    def __float__(self) -> float:
        raise TypeError


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.1,
        math.nan,
        math.inf,
        None,
        True,
        "5",
        b"5",
        1j,
        [],
        10**400,
        Decimal("NaN"),
        Broken(),
    ],
)
def test_what_is_no_number_of_seconds_is_refused(value: Any) -> None:
    """The error names the argument, what it must be and what it was."""
    with pytest.raises(ValueError, match=r"delay must be a number of seconds, 0 or more, not .+"):
        _clock.seconds("delay", value)


def test_for_ever_is_a_number_of_seconds_where_it_may_be() -> None:
    """Infinity is accepted only on request, and even then nothing else."""
    assert _clock.seconds("delay", math.inf, infinite=True) == math.inf
    for value in (-math.inf, math.nan):
        with pytest.raises(ValueError, match="delay"):
            _clock.seconds("delay", value, infinite=True)
