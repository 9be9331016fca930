"""Virtual time: it jumps to the next timer, keeps the order of a real loop, and names a hang."""

import asyncio
import copy
import gc
import itertools
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra import _bounded_run, _virtual_loop
from orchestra.testing import VirtualLoop, run_virtual
from virtual import LONG, locked, start, virtual_loop

# Time


def test_an_hour_passes_at_once() -> None:
    """Sleeping costs no real time, and takes exactly as long as was asked for."""

    async def main() -> tuple[float, float]:
        loop = virtual_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        return before, loop.time()

    begin = time.monotonic()
    assert run_virtual(main) == (0.0, 3600.0)
    assert time.monotonic() - begin < 60


def test_it_is_a_loop_for_the_runner_of_asyncio() -> None:
    """The class is a loop factory for `asyncio.Runner`, and timeouts are virtual too."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        return virtual_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == 30.0


def test_the_time_of_day_fits() -> None:
    """The time of day begins with the year 2000, and goes with the loop's time."""

    async def main() -> tuple[float, float]:
        before = virtual_loop().wall_time()
        await asyncio.sleep(86_400)
        return before, virtual_loop().wall_time()

    before, after = run_virtual(main)
    assert time.gmtime(before)[:6] == (2000, 1, 1, 0, 0, 0)
    assert time.gmtime(after)[:6] == (2000, 1, 2, 0, 0, 0)


def test_time_stands_still_in_callbacks() -> None:
    """What a callback costs does not count."""

    async def main() -> float:
        time.sleep(0.01)
        return virtual_loop().time()

    assert run_virtual(main) == 0.0


@pytest.mark.parametrize("far", [1e7, 1e9, 1e15])
def test_time_far_away_is_exact(far: float) -> None:
    """Where floats lie far apart, timers still fire, exactly when they are due."""

    async def main() -> None:
        loop = virtual_loop()
        await asyncio.sleep(far)
        assert loop.time() == far
        for _ in range(100):
            due = loop.time() + 0.7
            await asyncio.sleep(0.7)
            assert loop.time() == due

    run_virtual(main)


@given(st.lists(st.floats(0, 10, allow_nan=False), max_size=20), st.floats(0, 1e9))
def test_a_deadline_is_reached(delays: list[float], begin: float) -> None:
    """`while (left := deadline - loop.time()) > 0: await sleep(left)` always ends."""

    async def main() -> None:
        loop = virtual_loop()
        await asyncio.sleep(begin)
        for delay in delays:
            deadline = loop.time() + delay
            passes = 0
            while (left := deadline - loop.time()) > 0:
                await asyncio.sleep(left)
                passes += 1
            assert passes < 4

    run_virtual(main)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_moment_may_be_copied(copied: Callable[[float], float]) -> None:
    """Time that a timer has brought is a number as any: in an error that is sent elsewhere, say."""

    async def main() -> float:
        await asyncio.sleep(2)
        return asyncio.get_running_loop().time()

    assert copied(run_virtual(main)) == 2.0


# Order


def fire(loop: asyncio.AbstractEventLoop, script: list[tuple[float, bool]]) -> list[int]:
    """Set all timers at once, cancel some, and return the order in which the others fire."""
    fired: list[int] = []
    begin = loop.time()
    for number, (delay, cancelled) in enumerate(script):
        handle = loop.call_at(begin + delay, fired.append, number)
        if cancelled:
            handle.cancel()
    loop.call_at(begin + 0.01, loop.stop)
    loop.run_forever()
    loop.close()
    return fired


# Real timers of the same time fire in any order: so no two are the same.
distinct = st.lists(
    st.tuples(st.integers(0, 9000).map(lambda n: n * 1e-6), st.booleans()),
    max_size=30,
    unique_by=lambda timer: timer[0],
)


@settings(max_examples=30)
@given(distinct)
def test_timers_fire_in_the_order_of_a_real_loop(script: list[tuple[float, bool]]) -> None:
    """Whatever timers are set, and some of them cancelled: the order is that of a real loop."""
    assert fire(VirtualLoop(), script) == fire(asyncio.new_event_loop(), script)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=12))
def test_timers_of_the_same_time_keep_their_order(chains: list[list[int]]) -> None:
    """Of timers due at the same time, the one that was set first fires first, however summed up."""
    fired: list[tuple[int, int, int]] = []
    numbers = itertools.count()

    async def chain(delays: list[int]) -> None:
        due = 0
        for delay in delays:
            due += delay
            number = next(numbers)
            # Tenths have no exact float. A zero would be a call_soon to asyncio.sleep.
            future = asyncio.get_running_loop().create_future()
            virtual_loop().call_later(delay / 10, future.set_result, None)
            await future
            fired.append((due, number, round(virtual_loop().time() * 10)))

    async def main() -> None:
        await asyncio.gather(*map(chain, chains))

    run_virtual(main)
    assert [f[:2] for f in fired] == sorted(f[:2] for f in fired)
    assert all(due == now for due, _, now in fired)


# Nothing can happen any more


def hang(main: Callable[[], Any]) -> str:
    with pytest.raises(RuntimeError) as info:
        run_virtual(main, patience=0.05)
    return str(info.value)


def test_a_hang_is_an_error_that_names_the_tasks_and_places() -> None:
    """Tasks that wait for one another for ever end in an error that says who waits where."""

    async def lonely() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.gather(asyncio.create_task(lonely(), name="hermit"))

    message = hang(main)
    assert message.startswith("every task waits for something that cannot happen")
    assert "hermit waits" in message
    assert f"{__file__}:{lonely.__code__.co_firstlineno + 1} in lonely" in message
    assert f"{__file__}:{main.__code__.co_firstlineno + 1} in main" in message


def test_a_sleep_without_end_is_a_hang() -> None:
    """Nobody is ever woken from an infinite sleep, as of `anyio.sleep_forever`."""

    async def main() -> None:
        await asyncio.sleep(float("inf"))

    assert "in main" in hang(main)


def test_a_hang_names_the_threads_that_wait() -> None:
    """A thread that waits for a lock that nobody releases belongs to the hang."""
    lock = locked()

    async def main() -> None:
        loop = virtual_loop()
        start(lambda: loop.acquire_lock(lock), name="stubborn")
        await asyncio.Event().wait()

    message = hang(main)
    lock.release()
    assert "thread stubborn waits for a lock" in message


def test_a_thread_that_nobody_announced_prevents_the_alarm() -> None:
    """What comes from outside in time is not mistaken for a hang."""

    async def main() -> float:
        event = asyncio.Event()
        set_event = partial(virtual_loop().call_soon_threadsafe, event.set)
        timer = threading.Timer(0.02, set_event)
        timer.start()
        await event.wait()
        timer.join()
        return virtual_loop().time()

    assert run_virtual(main, patience=30) == 0.0


def test_a_signal_prevents_the_alarm() -> None:
    """A signal handler of the loop is called while every task waits."""

    async def main() -> None:
        event = asyncio.Event()
        virtual_loop().add_signal_handler(signal.SIGUSR1, event.set)
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        await event.wait()
        timer.join()
        virtual_loop().remove_signal_handler(signal.SIGUSR1)

    run_virtual(main, patience=30)


def test_a_task_that_polls_sees_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling with `sleep(0)` ends at a timer, and does not go round for ever."""
    monkeypatch.setattr(_virtual_loop, "BUSY_PASSES", 100)

    async def main() -> float:
        over: list[bool] = []
        virtual_loop().call_later(0.02, over.append, True)
        while not over:
            await asyncio.sleep(0)
        polled = virtual_loop().time()
        await asyncio.sleep(LONG)
        return polled

    assert 0.02 <= run_virtual(main) < 60


# run_virtual


def test_the_same_program_gives_the_same_story() -> None:
    """Virtual time leaves nothing to chance."""

    async def main() -> list[tuple[float, int]]:
        story: list[tuple[float, int]] = []

        async def tick(number: int) -> None:
            for _ in range(5):
                await asyncio.sleep(number * 0.3)
                story.append((virtual_loop().time(), number))

        await asyncio.gather(*map(tick, range(10)))
        return story

    assert run_virtual(main) == run_virtual(main()) != []


def test_an_error_comes_out() -> None:
    """What the coroutine raises is raised."""

    async def main() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_virtual(main)


def test_what_is_left_is_cleaned_up() -> None:
    """Tasks are cancelled at the end, and asynchronous generators closed."""
    seen: list[str] = []

    async def sleeper() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.5)
            seen.append("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append("generator")

    async def main() -> Any:
        generator = numbers()
        async for _ in generator:
            break
        task = asyncio.create_task(sleeper())
        await asyncio.sleep(1)
        return generator, task

    run_virtual(main)
    assert seen == ["task", "generator"]


def test_tasks_may_swallow_one_cancellation() -> None:
    """A task that goes on after the first cancellation gets a second one."""
    ended: list[float] = []

    async def mule() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            try:
                await asyncio.sleep(LONG)
            finally:
                ended.append(virtual_loop().time())

    async def main() -> object:
        task = asyncio.create_task(mule())
        await asyncio.sleep(0)
        return task

    run_virtual(main)
    assert ended == [_bounded_run.GRACE]


@pytest.mark.leaves_tasks("they swallow every cancellation")
@pytest.mark.parametrize("delay", [0.0, 0.3, 3600.0])
def test_tasks_that_swallow_cancellation_are_abandoned(
    delay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a task goes on for ever, the run ends."""
    monkeypatch.setattr(_virtual_loop, "BUSY_PASSES", 100)
    monkeypatch.setattr(_bounded_run, "GRACE", 0.1)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(delay)
            except asyncio.CancelledError:
                pass

    async def main() -> object:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        return task

    run_virtual(main)


@pytest.mark.leaves_tasks("it swallows every cancellation")
def test_a_task_that_is_given_up_is_not_told_of_when_it_is_collected(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That would be at some time later, in the middle of something else."""
    monkeypatch.setattr(_bounded_run, "GRACE", 0.1)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    async def main() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        assert not task.done()

    run_virtual(main)
    gc.collect()
    assert "was destroyed" not in caplog.text


def test_threads_that_never_return_are_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of `to_thread` that is stuck does not hold up the end."""
    monkeypatch.setattr(_bounded_run, "GRACE", 0.05)
    stuck = threading.Event()

    async def main() -> object:
        task = asyncio.create_task(asyncio.to_thread(stuck.wait))
        await asyncio.sleep(0.01)
        return task

    run_virtual(main)
    stuck.set()
