"""Threads that wait for the time of a virtual loop do not hold it up, and are never jumped over."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from orchestra import _virtual_loop
from orchestra.testing import VirtualLoop, run_virtual
from virtual import LONG, locked, start, until_idle, virtual_loop


def test_a_thread_waits_in_virtual_time() -> None:
    """The wait of a thread is jumped over, and ends without the lock."""

    async def main() -> None:
        loop = virtual_loop()
        got: list[bool] = []
        thread = start(lambda: got.append(loop.acquire_lock(locked(), 3600)))
        await asyncio.sleep(3700)
        thread.join()
        assert got == [False]
        assert 3700 <= loop.time() < 3760

    run_virtual(main)


def test_a_function_in_an_executor_waits_in_virtual_time() -> None:
    """A thread of `to_thread` may wait for the loop's time as well."""

    async def main() -> None:
        loop = virtual_loop()
        assert not await asyncio.to_thread(loop.acquire_lock, locked(), 3600)
        assert 3600 <= loop.time() < 3660

    run_virtual(main)


def test_a_thread_that_nobody_announced_may_wait() -> None:
    """A thread that is no outside work waits by the loop's time too."""

    async def main() -> None:
        loop = virtual_loop()
        got: list[bool] = []
        thread = start(lambda: got.append(loop.acquire_lock(locked(), 10)), announced=False)
        await until_idle()
        await asyncio.sleep(20)
        thread.join()
        assert got == [False]
        assert loop.time() >= 10

    run_virtual(main)


@pytest.mark.parametrize("timeout", [None, LONG])
def test_a_released_lock_ends_the_wait(timeout: float | None) -> None:
    """Who gets the lock in time has it at the time of its release, and leaves no timer behind."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        got: list[tuple[bool, float]] = []
        thread = start(lambda: got.append((loop.acquire_lock(lock, timeout), loop.time())))
        loop.call_later(5, loop.release_lock, lock)
        await asyncio.sleep(10)
        thread.join()
        assert got[0][0]
        assert 5 <= got[0][1] < 10
        assert not [timer for timer in loop._scheduled if not timer.cancelled()]

    run_virtual(main)


@pytest.mark.parametrize("timeout", [None, 0, 5])
def test_a_free_lock_is_taken_at_once(timeout: float | None) -> None:
    """No waiting where none is needed; and a timeout of 0 does not wait."""

    async def main() -> None:
        loop = virtual_loop()
        lock = threading.Lock()
        assert await asyncio.to_thread(loop.acquire_lock, lock, timeout)
        assert not await asyncio.to_thread(loop.acquire_lock, lock, 0)

    run_virtual(main)


def test_a_lock_released_without_the_loop_ends_the_wait() -> None:
    """A plain `release()` works too."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        got: list[bool] = []
        thread = start(lambda: got.append(loop.acquire_lock(lock)))
        loop.call_later(5, lock.release)
        await asyncio.sleep(10)
        await asyncio.to_thread(thread.join)
        assert got == [True]
        assert lock.locked()

    run_virtual(main)


@pytest.mark.parametrize("release_first", [True, False])
def test_a_lock_released_as_its_time_ends(release_first: bool) -> None:
    """Of a release and a timeout in the same pass of the loop, the first decides."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        got: list[bool] = []
        due = loop.time() + 50
        if release_first:
            loop.call_at(due, loop.release_lock, lock)
        thread = start(lambda: got.append(loop.acquire_lock(lock, 50)), announced=False)
        await until_idle()
        if not release_first:
            loop.call_at(due, loop.release_lock, lock)
        await asyncio.sleep(60)
        thread.join()
        assert got == [release_first]

    run_virtual(main)


def test_a_lock_released_before_the_wait_began_is_got() -> None:
    """A release that overtakes the thread on its way to get idle is not lost."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        got: list[bool] = []
        thread = start(lambda: got.append(loop.acquire_lock(lock, 5)))
        # No pass of the loop in between, so it cannot have seen the thread wait.
        while not loop._outside.waiting_threads():
            time.sleep(0.0005)
        loop.release_lock(lock)
        await asyncio.sleep(10)
        thread.join()
        assert got == [True]

    run_virtual(main)


def test_one_thread_a_lock() -> None:
    """A second thread that waits for the same lock is told so."""

    async def main() -> None:
        loop = virtual_loop()
        lock = locked()
        thread = start(lambda: loop.acquire_lock(lock))
        await until_idle()
        with pytest.raises(RuntimeError, match="another thread waits"):
            await asyncio.to_thread(loop.acquire_lock, lock)
        loop.release_lock(lock)
        thread.join()

    run_virtual(main)


def test_the_thread_of_the_loop_must_not_wait() -> None:
    """A wait that would block the loop is an error."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="would block"):
            virtual_loop().acquire_lock(locked(), 5)

    run_virtual(main)


def test_the_release_of_a_lock_never_raises() -> None:
    """A release after the end of the wait, or of the loop, is harmless."""
    loop = VirtualLoop()
    loop.release_lock(threading.Lock())
    loop.close()
    loop.release_lock(locked())


def test_waits_after_the_loop_are_real() -> None:
    """With the loop closed, a thread waits by real time."""
    loop = VirtualLoop()
    loop.close()
    begin = time.monotonic()
    assert not loop.acquire_lock(locked(), 0.02)
    assert time.monotonic() - begin >= 0.019
    lock = locked()
    timer = threading.Timer(0.02, loop.release_lock, (lock,))
    timer.start()
    assert loop.acquire_lock(lock)
    timer.join()


def test_waits_go_on_when_the_loop_is_closed() -> None:
    """Threads that wait as the loop closes go on: until their time is over, or until released."""
    locks = [locked(), locked(), locked()]
    got: dict[int, bool] = {}
    threads: list[threading.Thread] = []

    async def main() -> VirtualLoop:
        loop = virtual_loop()
        await asyncio.sleep(100)

        def wait(number: int, timeout: float | None) -> None:
            got[number] = loop.acquire_lock(locks[number], timeout)

        for number, timeout in enumerate((0.03, 3000.0, None)):
            threads.append(start(partial(wait, number, timeout), announced=False))
        await until_idle(3)
        return loop

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.run(main())
    threads[0].join()
    assert got == {0: False}
    for lock in locks[1:]:
        loop.release_lock(lock)
    for thread in threads:
        thread.join()
    assert got == {0: False, 1: True, 2: True}


def test_time_never_jumps_while_a_thread_is_awake() -> None:
    """Between the end of a wait and the next one, time passes at its real pace and never jumps."""
    threads, waits = 4, 100
    begin = time.monotonic()

    def errors(loop: VirtualLoop) -> list[float]:
        """How far the loop's time is ahead of the time slept and the real time passed."""
        found = []
        for number in range(1, waits + 1):
            assert not loop.acquire_lock(locked(), 10.0)
            found.append(loop.time() - 10.0 * number - (time.monotonic() - begin))
        return found

    async def main() -> None:
        loop = virtual_loop()
        loop.call_later(LONG, lambda: None)  # where time would jump to
        for found in await asyncio.gather(
            *(asyncio.to_thread(errors, loop) for _ in range(threads))
        ):
            assert max(found) <= 1e-6

    run_virtual(main)


def test_a_woken_thread_is_at_work_from_its_release_on() -> None:
    """Threads that wake each other do not let the time jump in between."""
    rounds = 200
    begin = time.monotonic()

    async def main() -> None:
        loop = virtual_loop()
        loop.call_later(LONG, lambda: None)
        locks = [locked(), locked()]

        def play(mine: threading.Lock, other: threading.Lock) -> None:
            for _ in range(rounds):
                assert loop.acquire_lock(mine, LONG * 2)
                loop.release_lock(other)

        pair = [start(partial(play, *locks)), start(partial(play, *reversed(locks)))]
        await asyncio.sleep(10)
        loop.release_lock(locks[0])
        for thread in pair:
            await asyncio.to_thread(thread.join)
        assert loop.time() - 10 <= time.monotonic() - begin + 1e-6

    run_virtual(main)


# The moments that are too short for a test to meet by chance


def test_a_lock_released_as_the_loop_closes_is_got() -> None:
    """A thread that gets its lock when the loop has just closed leaves it alone."""
    loop = VirtualLoop()
    lock = locked()
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(loop.acquire_lock(lock, 50)))
    thread.start()
    while not loop._outside.waiting_threads():
        time.sleep(0.0005)
    asyncio.SelectorEventLoop.close(loop)  # the first half of closing it
    loop.release_lock(lock)
    thread.join()
    assert got == [True]


def test_a_thread_is_idle_only_once_its_timer_is_set() -> None:
    """A thread that is about to wait is at work until the loop knows how long it waits."""

    class Slow(VirtualLoop):
        def call_soon_threadsafe(self, callback: Any, *args: Any, **kwargs: Any) -> Any:
            if callback == self._outside._gets_idle:
                self._outside.wake_loop()
                time.sleep(0.02)
            return super().call_soon_threadsafe(callback, *args, **kwargs)

    async def main() -> None:
        loop = virtual_loop()
        loop.call_later(LONG, lambda: None)
        assert not await asyncio.to_thread(loop.acquire_lock, locked(), 10)
        assert loop.time() < LONG

    with asyncio.Runner(loop_factory=Slow) as runner:
        runner.run(main())


class Hasty(VirtualLoop):
    """A loop in which something happens just when it looks who is at work."""

    last_words: Callable[[], None] | None = None

    def _is_busy(self) -> bool:
        last_words, self.last_words = self.last_words, None
        if last_words is not None:
            last_words()
        return super()._is_busy()


def test_what_a_thread_leaves_comes_before_a_jump() -> None:
    """A thread that hands over its result and ends, just as the loop is about to wait, is heard."""

    async def main() -> float:
        loop = virtual_loop()
        assert isinstance(loop, Hasty)
        event = asyncio.Event()
        work = loop.outside_work()
        await asyncio.sleep(0.001)

        def last_words() -> None:
            loop.call_soon_threadsafe(event.set)
            work.end()

        loop.last_words = last_words
        async with asyncio.timeout(LONG):
            await event.wait()
        return loop.time()

    with asyncio.Runner(loop_factory=Hasty) as runner:
        assert runner.run(main()) < LONG


def test_time_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time stops being real a little after a timer was due, it stays where it is."""
    monkeypatch.setattr(_virtual_loop, "BUSY_PASSES", 100)
    seen: list[float] = []

    async def main() -> float:
        loop = virtual_loop()
        assert isinstance(loop, Hasty)
        while not loop.time():
            await asyncio.sleep(0)

        def last_words() -> None:
            time.sleep(0.01)
            seen.append(loop.time())

        loop.last_words = last_words
        await asyncio.sleep(0.001)
        return loop.time()

    with asyncio.Runner(loop_factory=Hasty) as runner:
        assert runner.run(main()) >= seen[0]
