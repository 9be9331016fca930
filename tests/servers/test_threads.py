"""The executor for handlers that block."""

import threading
from concurrent.futures import CancelledError

import pytest

from orchestra.servers.threads import Threads


def test_a_call_is_made_in_a_thread() -> None:
    """Its result comes back, and so does what it raises."""
    threads = Threads(2, "test")
    assert threads.submit(lambda x: x + 1, 1).result(10) == 2
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(10)
    with pytest.raises(RuntimeError, match="StopIteration"):
        threads.submit(next, iter([])).result(10)
    threads.close()


def test_a_thread_that_is_free_is_used_again() -> None:
    """No more are started than are needed at a time."""
    threads = Threads(10, "test")
    names = set()
    for _ in range(20):
        names.add(threads.submit(lambda: threading.current_thread().name).result(10))
        # It has given its result a moment before it is free.
        while threads.where():
            pass
    assert names == {"test-0"}
    threads.close()


def test_no_more_than_so_many() -> None:
    """What comes when all are busy waits, in order."""
    threads, gate, order = Threads(2, "test"), threading.Event(), []
    entered = threading.Barrier(3)

    def hold() -> None:
        entered.wait(30)
        gate.wait(30)

    held = [threads.submit(hold) for _ in range(2)]
    entered.wait(30)
    waiting = [threads.submit(order.append, number) for number in range(5)]
    assert threads.queued == 5
    gate.set()
    for future in (*held, *waiting):
        future.result(10)
    assert sorted(order) == [0, 1, 2, 3, 4]
    threads.close()


def test_after_the_end_nothing_is_called() -> None:
    """`close` lets go on what is being done, and what waits is cancelled."""
    threads, gate, entered = Threads(1, "test"), threading.Event(), threading.Event()

    def hold() -> str:
        entered.set()
        gate.wait(30)
        return "done"

    held = threads.submit(hold)
    waiting = threads.submit(print, "never")
    assert entered.wait(10)
    assert len(threads.where()) == 1
    assert "in hold: gate.wait(30)" in threads.where()[0]
    threads.close()
    with pytest.raises(CancelledError):
        waiting.result(10)
    with pytest.raises(RuntimeError):
        threads.submit(print)
    gate.set()
    assert held.result(10) == "done"


def test_a_call_that_was_cancelled_is_not_made() -> None:
    """A future can be cancelled for as long as it waits."""
    threads, gate = Threads(1, "test"), threading.Event()
    held = threads.submit(gate.wait, 30)
    waiting = threads.submit(print, "never")
    assert waiting.cancel()
    gate.set()
    assert held.result(10)
    assert threads.submit(lambda: "next").result(10) == "next"
    threads.close()
