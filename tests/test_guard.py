"""The guard of a process, step by step: what its thread does with what it hears, without the thread."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from orchestra import Conductor, StopTimeoutError
from orchestra import _guard as guard
from orchestra._guard import Guard
from orchestra._root import Root
from orchestra._signals import Stage
from orchestra.player import Terms
from orchestra.testing import FakePlayer

TERM, INT = signal.SIGTERM, signal.SIGINT


class Script:
    """A mailbox with what comes at each look; the last look closes the guard."""

    def __init__(self, guard: Guard, looks: list[list[int]]) -> None:
        self._guard = guard
        self._looks = iter(looks)
        self.waited: list[float | None] = []

    def read(self, timeout: float | None) -> list[int]:
        self.waited.append(timeout)
        found = next(self._looks, None)
        if found is None:
            self._guard._closed = True
        return found or []

    def post(self) -> None: ...


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    """The exit codes with which the process would have ended, and the last words."""
    ends: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(guard, "PATIENCE", 0.01)
    monkeypatch.setattr(guard, "end_process", lambda code, words: ends.append((code, [*words()])))
    return ends


def watch(*looks: list[int], steps: Any = None, limit: float | None = None) -> Script:
    """Let a guard go through these looks at its mailbox."""
    watching = Guard((), 0.0)
    script = Script(watching, list(looks))
    watching._mailbox = script  # type: ignore[assignment]
    watching._steps = steps
    watching._limit = limit
    watching._time_to_stop = 1000.0
    watching._watch()
    return script


class Steps:
    """Steps that only note what is taken, for a root that stands still."""

    def __init__(self, *stages: Stage, loop: Any = None, **root: Any) -> None:
        life = SimpleNamespace(
            groups=None, subtree=None, over=True, path="", **root.pop("life", {})
        )
        self.stage = Stage.PLAYING
        self.root = SimpleNamespace(life=life, stopping=False, grace=1000.0, loop=loop, **root)
        self.taken: list[int] = []
        self._stages = iter(stages)

    def take(self, signum: int) -> Stage:
        self.taken.append(signum)
        self.stage = next(self._stages)
        return self.stage


@pytest.fixture
def blocked() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that never gets to what it is asked for."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_signals_before_anything_plays_are_kept(forced: list[Any]) -> None:
    """Two may come and wait; the third ends the process with its number."""
    script = watch([TERM], [], [INT])
    assert (forced, script.waited) == ([], [None] * 4)
    watch([TERM, TERM], [INT])
    assert forced[0][0] == 128 + INT  # and there it would have ended
    assert "before anything played" in forced[0][1][0]


def test_each_signal_is_a_step(forced: list[Any]) -> None:
    """Those that come at once are taken one after the other; only the last step forces the end."""
    steps = Steps(Stage.DRAINING, Stage.STOPPING, Stage.CUT_OFF, Stage.FORCED)
    watch([TERM, INT], [], [TERM], steps=steps)
    assert (steps.taken, forced) == ([TERM, INT, TERM], [])
    watch([INT], steps=steps)
    assert [code for code, _ in forced] == [128 + INT]


def test_nothing_is_looked_at_before_its_time(forced: list[Any]) -> None:
    """A limit that is far away only bounds how long the guard waits for the next signal."""
    script = watch([], steps=Steps(), limit=time.monotonic() + 1000)
    assert forced == []
    assert all(left is not None and 0 < left <= 1000 for left in script.waited)


def test_a_blocked_loop_ends_the_process(
    forced: list[Any], blocked: asyncio.AbstractEventLoop
) -> None:
    """With 1 where no signal began the stop, with its number where one did."""
    watch([], steps=Steps(loop=blocked), limit=0.0)
    watch([TERM], steps=Steps(Stage.STOPPING, loop=blocked), limit=0.0)
    stopping = Steps(Stage.CUT_OFF, loop=blocked)
    stopping.root.stopping = True
    watch([TERM], steps=stopping, limit=0.0)
    assert [code for code, _ in forced] == [1, 1, 1]  # over already, so it began by itself
    alive = Steps(Stage.STOPPING, loop=blocked)
    alive.root.life.over = False
    alive.root.life.terms = Terms()
    alive.root.life.where = lambda: "at home"
    watch([TERM], steps=alive, limit=0.0)
    code, words = forced[-1]
    assert code == 128 + TERM
    assert "    at home" in words


def test_a_guard_that_is_closed_meanwhile_forces_nothing(
    forced: list[Any], blocked: asyncio.AbstractEventLoop
) -> None:
    """The end may come while the guard waits for a sign of the loop."""
    script = watch(steps=Steps(loop=blocked), limit=0.0)
    assert (forced, len(script.waited)) == ([], 1)


@pytest.mark.parametrize("stopping", [True, False])
def test_a_loop_that_gives_a_sign_has_more_time(forced: list[Any], stopping: bool) -> None:
    """As long as it stops; and where nothing stops any more, there is no limit."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        steps = Steps(loop=loop)
        steps.root.stopping, steps.root.life.over = stopping, False
        watching = Guard((), 0.0)
        watching._mailbox = Script(watching, [])  # type: ignore[assignment]
        watching._steps = steps  # type: ignore[assignment]
        while watching._limit is None and not forced:  # until the busy machine lets the loop speak
            watching._limit = before = 0.0
            watching._check_loop(steps.root)  # type: ignore[arg-type]
            if watching._limit != before or not stopping:
                break
        assert (watching._limit is not None) == stopping
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_least_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever expects the end later than somebody else does not put it off."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    waiting = Guard((), 0.0)
    waiting._mailbox = Script(waiting, [])  # type: ignore[assignment]
    for seconds in (9.0, 5.0, 7.0):
        waiting.expect_end(seconds)
    assert waiting._limit == 105.0
    waiting._time_to_stop = 2.0
    waiting.end([])
    assert waiting._limit == 102.0


@pytest.mark.virtual_time
async def test_a_group_that_stops_and_comes_back_counts_as_stopping() -> None:
    """The loop is watched while any group at the top stops, whatever follows."""
    root = Root(Conductor({"a": FakePlayer()}), timeout=1.0)
    assert not guard._is_stopping(root)
    root.start()
    await asyncio.sleep(1)
    assert not guard._is_stopping(root)
    (group,) = root.life.groups or ()
    group.stop("enough")  # type: ignore[attr-defined]
    assert guard._is_stopping(root)
    await root.until_over()
    assert guard._is_stopping(root)


def test_who_is_stuck_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """With where it was, if that is known; other failures are told elsewhere."""
    late = StopTimeoutError(["a", ""], {"a": "at a.py:1 in f\nat b.py:2 in g", "": ""})
    guard.print_stuck(ExceptionGroup("both", [OSError("x"), late]))
    assert capsys.readouterr().err.splitlines() == [
        "orchestra: 2 players did not stop in time: a, ",
        "  a",
        "    at a.py:1 in f",
        "    at b.py:2 in g",
        "  conductor",
    ]
    guard.print_stuck(late)
    assert "  a" in capsys.readouterr().err
    guard.print_stuck(OSError("x"))
    assert capsys.readouterr().err == ""


def test_our_own_threads_are_not_among_the_stacks() -> None:
    """The main thread comes first, the guard and its helpers not at all."""
    release = threading.Event()
    threads = [
        threading.Thread(target=release.wait, name=name)
        for name in ("theirs", guard.GUARD, guard.HELPER)
    ]
    for thread in threads:
        thread.start()
    try:
        lines = [line for line in guard._stacks() if line.startswith("  thread ")]
    finally:
        release.set()
        for thread in threads:
            thread.join()
    assert lines[0] == "  thread MainThread"
    assert "  thread theirs" in lines
    assert not any("orchestra" in line for line in lines)


def test_the_watcher_ends_only_what_would_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that have ended by the end of the main thread, or within a second, are no reason."""
    monkeypatch.setattr(guard, "PATIENCE", 0.01)
    release = threading.Event()
    goes_on, ended = threading.Thread(target=release.wait), threading.Thread(target=lambda: None)
    for thread in (goes_on, ended):
        thread.start()
    ended.join()
    steps: list[str] = []
    watcher = guard.Watcher()
    watcher._ended.set()
    for name, left in (("ended", [ended]), ("goes on", [ended, goes_on])):
        watcher._left = left
        watcher._at_end(lambda name=name: steps.append(name))()  # type: ignore[misc]
    release.set()
    goes_on.join()
    assert steps == ["goes on"]


def test_a_helper_that_can_not_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be too many threads already; the end comes all the same."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    guard._join(guard._start([lambda: None]))
