"""Observers that are slow, raise or block, out of the way of the loop."""

import threading

import pytest

from orchestra import Conductor, Context, Event, Started, run
from orchestra.observers import background
from orchestra.observers.background import BackgroundObserver


def test_events_in_order() -> None:
    """All events come, in order, in another thread; and the thread goes when there are no more."""
    seen: list[float] = []
    threads = set()

    def observer(event: Event) -> None:
        seen.append(event.time)
        threads.add(threading.current_thread())

    slow = BackgroundObserver(observer)
    for number in range(1000):
        slow(Started("a", number))
    assert slow.wait(30)
    assert seen == list(range(1000))
    assert threading.current_thread() not in threads


def test_one_thread_for_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that comes soon after another is delivered by the same thread."""
    threads = []
    slow = BackgroundObserver(lambda event: threads.append(threading.current_thread()))
    monkeypatch.setattr(background, "LINGER", 60)
    slow(Started("a", 0))
    assert slow.wait(30)
    monkeypatch.setattr(background, "LINGER", 0)
    slow(Started("a", 1))
    assert slow.wait(30)
    assert len(threads) == 2
    assert threads[0] is threads[1]


def test_when_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be delivered for want of a thread is delivered with the next event."""
    seen: list[float] = []
    slow = BackgroundObserver(lambda event: seen.append(event.time))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            slow(Started("a", 0))
    assert not slow.wait()
    slow(Started("a", 1))
    assert slow.wait(30)
    assert seen == [0, 1]


def test_an_observer_that_blocks_holds_up_nobody() -> None:
    """The play ends while an observer is still at its first event."""
    release, first = threading.Event(), threading.Event()

    def observer(event: Event) -> None:
        first.set()
        release.wait()

    async def main(ctx: Context) -> None: ...

    slow = BackgroundObserver(observer)
    run(Conductor({"main": main}), observers=[slow])
    assert first.wait(30)
    assert not slow.wait(0)
    release.set()
    assert slow.wait(30)


def test_too_many_events(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """When too many wait, the oldest are dropped, counted and told."""
    monkeypatch.setattr(background, "BACKLOG", 3)
    release, first = threading.Event(), threading.Event()
    seen: list[float] = []

    def observer(event: Event) -> None:
        first.set()
        release.wait()
        seen.append(event.time)

    slow = BackgroundObserver(observer)
    slow(Started("a", 0))
    assert first.wait(30)
    for number in range(1, 6):
        slow(Started("a", number))
    release.set()
    assert slow.wait(30)
    assert seen == [0, 3, 4, 5]
    assert slow.dropped == 2
    assert "missed 2 events" in caplog.text


def test_an_observer_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises is logged, and the next event comes."""
    seen: list[float] = []

    def observer(event: Event) -> None:
        seen.append(event.time)
        raise SystemExit("enough")

    slow = BackgroundObserver(observer)
    slow(Started("a", 0))
    slow(Started("a", 1))
    assert slow.wait(30)
    assert seen == [0, 1]
    assert caplog.text.count("SystemExit: enough") == 2


def test_no_observer() -> None:
    """What can't be called is refused at once."""
    with pytest.raises(TypeError, match="takes an event"):
        BackgroundObserver("print")  # type: ignore[arg-type]
