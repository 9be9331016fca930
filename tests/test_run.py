"""`run`: what a program's `main` calls. What needs a process of its own is in `processes/`."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import uvloop

from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Event,
    PlayerAbortedError,
    StopTimeoutError,
    restarting,
    run,
)
from orchestra import _guard as guard
from orchestra.testing import (
    FakePlayer,
    VirtualLoop,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)

HOUR = 3600.0
TERM = signal.SIGTERM

loops = pytest.mark.parametrize(
    "loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


async def stops_itself(ctx: Context) -> None:
    """A player that ends by a real signal."""
    signal.raise_signal(TERM)
    await ctx.wait()


# What it plays


@loops
def test_it_plays_to_the_end(loop_factory: Any) -> None:
    """Any player will do, and the loop is closed after it."""
    played: list[Any] = []

    async def cooperative(ctx: Context) -> None:
        played.append(asyncio.get_running_loop())

    async def cancelled() -> None:
        played.append("cancelled")

    def thread() -> None:
        played.append("thread")

    run(cooperative, loop_factory=loop_factory)
    run(cancelled, loop_factory=loop_factory)
    run(thread, loop_factory=loop_factory)
    run(Conductor({"a": thread}), loop_factory=loop_factory)
    loop, *rest = played
    assert loop.is_closed()
    assert isinstance(loop, uvloop.Loop) == (loop_factory is not None)
    assert rest == ["cancelled", "thread", "thread"]


@loops
def test_a_signal_ends_it_without_an_error(loop_factory: Any) -> None:
    """A stop that was asked for is no failure; the player knows the signal."""
    reasons: list[object] = []

    async def worker(ctx: Context) -> None:
        await stops_itself(ctx)
        reasons.append(ctx.reason)

    run(worker, loop_factory=loop_factory)
    run(Conductor({"a": worker}), loop_factory=loop_factory)
    run(worker, signals=[TERM, signal.SIGHUP, TERM], loop_factory=loop_factory)
    assert reasons == ["SIGTERM"] * 3


def test_the_same_program_may_run_twice() -> None:
    """A conductor that has ended can be run again, in a new loop."""
    player = FakePlayer(ends(), plays())
    conductor = Conductor({"a": player, "stops": stops_itself})
    run(conductor)
    run(conductor)
    assert player.runs == 2


def test_the_timeout_serves_a_root_that_is_no_conductor() -> None:
    """A conductor goes by its own, however much longer or shorter."""
    player = FakePlayer(slow_stop(50))
    two = {"a": player, "stops": stops_itself}
    run(Conductor(two, timeout=100), timeout=0, loop_factory=VirtualLoop)
    with pytest.raises(ConductorError):
        run(Conductor(two, timeout=10), timeout=100, loop_factory=VirtualLoop)

    async def slow(ctx: Context) -> None:
        await stops_itself(ctx)
        await asyncio.sleep(50)

    run(slow, timeout=100, loop_factory=VirtualLoop)
    with pytest.raises(StopTimeoutError):
        run(slow, timeout=10, loop_factory=VirtualLoop)


def test_observers_get_every_event() -> None:
    """From the first start to the end; one that raises hurts nobody."""
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("the observer is broken")

    async def worker(ctx: Context) -> None:
        asyncio.get_running_loop().call_later(0.01, signal.raise_signal, TERM)
        await ctx.wait()

    logging.getLogger("orchestra").addFilter(reject)
    try:
        run(worker, observers=iter([broken, seen.append]))
    finally:
        logging.getLogger("orchestra").removeFilter(reject)
    assert [type(event).__name__ for event in seen] == ["Started", "Ready", "Stopping", "Stopped"]
    assert {event.path for event in seen} == {"worker"}


def reject(record: logging.LogRecord) -> bool:
    return False


@pytest.mark.parametrize("as_conductor", [False, True])
def test_a_root_with_a_backoff_is_restarted(as_conductor: bool) -> None:
    """The root is supervised as a conductor supervises its players."""
    player = FakePlayer(fails(), fails(), ends(), backoff=[0, 0])
    run(Conductor({"a": player}) if as_conductor else player)
    assert player.runs == 3


def test_a_conductor_with_a_backoff_is_restarted() -> None:
    """As a root, the group comes back whole."""
    flaky, other = FakePlayer(fails(), ends()), FakePlayer()
    run(Conductor({"other": other, "flaky": flaky}, backoff=[0], stop_when="any"))
    assert flaky.runs == other.runs == 2


# What it raises


def test_a_conductor_raises_a_conductor_error() -> None:
    """With all that went wrong, by path."""
    inner = Conductor({"b": FakePlayer(fails_stopping(KeyError("b")))})
    with pytest.raises(ConductorError) as info:
        run(Conductor({"a": FakePlayer(fails(OSError("a"))), "inner": inner}))
    assert set(info.value.failures) == {"a", "inner.b"}


def test_any_other_root_raises_its_own_exception() -> None:
    """Bare, and with the number of restarts that did not help."""
    error = OSError("gone")
    with pytest.raises(OSError, match="gone") as info:
        run(FakePlayer(fails(error)))
    assert info.value is error
    with pytest.raises(OSError, match="gone") as info:
        run(restarting(FakePlayer(fails(OSError("gone"))), [0, 0]))
    assert "after 2 restarts" in info.value.__notes__


def test_a_stop_timeout_of_a_root(capsys: pytest.CaptureFixture[str]) -> None:
    """Bare, under the name of the function or the class, and printed with the line where it was."""

    async def sleepy(ctx: Context) -> None:
        await stops_itself(ctx)
        await asyncio.sleep(HOUR)

    with pytest.raises(StopTimeoutError) as info:
        run(sleepy, timeout=0.01)
    assert info.value.left == ("sleepy",)
    errors = capsys.readouterr().err
    assert "orchestra: 1 player did not stop in time: sleepy\n  sleepy\n    at " in errors
    assert f"{__file__}:" in errors
    assert "in sleepy: await asyncio.sleep(HOUR)" in errors

    class Sleepy:
        async def play(self, ctx: Context) -> None:
            await sleepy(ctx)

    with pytest.raises(StopTimeoutError) as info:
        run(Sleepy(), timeout=0.01)
    assert info.value.left == ("Sleepy",)
    chain = info.value.stuck["Sleepy"].splitlines()
    assert [line.split(" in ")[1].split(":")[0] for line in chain] == ["play", "sleepy", "sleep"]


def test_the_stack_of_a_stuck_thread_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A thread is where its innermost frame is."""
    begun, release = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        release.wait()

    async def stops(ctx: Context) -> None:
        while not begun.is_set():
            await asyncio.sleep(0.001)
        await stops_itself(ctx)

    with pytest.raises(ConductorError):
        run(Conductor({"thread": stuck, "stops": stops}, timeout=0.01))
    release.set()
    assert "in stuck: " in capsys.readouterr().err


def test_a_failure_and_a_stop_timeout_of_a_root() -> None:
    """Both come, in a group."""

    async def sleepy(ctx: Context) -> None:
        try:
            await stops_itself(ctx)
            await asyncio.sleep(HOUR)
        finally:
            raise OSError("while it was cut off")

    with pytest.raises(ExceptionGroup) as info:
        run(sleepy, timeout=0.01)
    assert {type(error) for error in info.value.exceptions} == {OSError, StopTimeoutError}


def test_it_needs_the_main_thread() -> None:
    """Elsewhere it is a RuntimeError, and nothing is played."""
    errors: list[RuntimeError] = []
    player = FakePlayer()

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="main thread") as info:
            run(player)
        errors.append(info.value)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors
    assert not player.runs


def test_it_can_not_run_in_a_running_loop() -> None:
    """It is a RuntimeError that says what to use instead."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="await play_until_signal"):
            run(FakePlayer())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"player": 42}, TypeError, "42 of type int is no player"),
        ({"player": FakePlayer}, TypeError, "give an instance"),
        ({"player": FakePlayer(watchdog=-1)}, ValueError, "watchdog"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"timeout": float("inf")}, ValueError, "timeout"),
        ({"drain_delay": float("nan")}, ValueError, "drain_delay"),
        ({"signals": [9999]}, ValueError, "9999 is no signal"),
        ({"signals": [TERM, signal.SIGKILL]}, ValueError, "SIGKILL can't be handled"),
        ({"observers": [42]}, TypeError, "an observer is a plain function"),
        ({"signals": TERM}, TypeError, "signals are given as in"),
        ({"signals": None}, TypeError, "signals are given as in"),
        ({"observers": print}, TypeError, "observers are functions in a collection"),
        ({"loop_factory": "uvloop"}, TypeError, "loop_factory makes an event loop.* not 'uvloop'"),
        ({"loop_factory": lambda: None}, TypeError, "loop_factory makes an event loop"),
        ({"loop_factory": lambda: 1 / 0}, ZeroDivisionError, "by zero"),
    ],
)
def test_wrong_arguments_are_told_at_once(
    kwargs: dict[str, Any], error: type[Exception], match: str
) -> None:
    """Before anything is played, and the process is left as it was."""
    player = FakePlayer()
    with pytest.raises(error, match=match):
        run(**{"player": player, **kwargs})
    assert not player.runs


def test_a_thread_that_can_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread left for the guard, that is told, and nothing is left behind."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        run(FakePlayer())


# Signals and other people's handlers


@loops
@pytest.mark.parametrize("step", [ends(), fails(OSError())])
def test_handlers_and_the_wakeup_fd_come_back(loop_factory: Any, step: Any) -> None:
    """After a good end as after a failure."""

    def term(signum: int, frame: FrameType | None) -> None:
        pass

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    fd = signal.set_wakeup_fd(writer.fileno())
    found = signal.signal(TERM, term), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        try:
            run(FakePlayer(step), loop_factory=loop_factory)
        except OSError:
            pass
        assert (signal.getsignal(TERM), signal.getsignal(signal.SIGINT)) == (term, signal.SIG_IGN)
        assert signal.set_wakeup_fd(fd) == writer.fileno()
    finally:
        signal.set_wakeup_fd(fd)
        signal.signal(TERM, found[0])
        signal.signal(signal.SIGINT, found[1])
        reader.close()
        writer.close()


@loops
def test_handlers_for_other_signals_go_on(loop_factory: Any) -> None:
    """Those set by `signal.signal`, and those that a player asks the loop for: once a signal each."""
    heard: list[str] = []

    async def worker(ctx: Context) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, heard.append, "SIGUSR2")
        try:
            for number in range(1, 21):
                signal.raise_signal(signal.SIGUSR1)
                signal.raise_signal(signal.SIGUSR2)
                while len(heard) < 2 * number:
                    await asyncio.sleep(0)
            # The loop has asked for the wakeup fd by now, and still ours are heard.
            signal.raise_signal(TERM)
            await ctx.wait()
            signal.raise_signal(TERM)
            await asyncio.sleep(HOUR)
        finally:
            loop.remove_signal_handler(signal.SIGUSR2)

    found = signal.signal(signal.SIGUSR1, lambda *_: heard.append("SIGUSR1"))
    try:
        with pytest.raises(StopTimeoutError):
            run(worker, timeout=HOUR, loop_factory=loop_factory)
    finally:
        signal.signal(signal.SIGUSR1, found)
    assert heard == ["SIGUSR1", "SIGUSR2"] * 20


@loops
@pytest.mark.parametrize("how", ["signal", "loop", "loop, removed"])
def test_players_never_own_the_signals(loop_factory: Any, how: str) -> None:
    """A player that takes SIGTERM for itself gets it, and the performance stops all the same."""
    heard: list[int] = []
    other = FakePlayer()

    async def library(ctx: Context) -> None:
        loop = asyncio.get_running_loop()
        if how == "signal":
            signal.signal(TERM, lambda signum, _: heard.append(signum))
        else:
            loop.add_signal_handler(TERM, heard.append, TERM)
        if how == "loop, removed":
            loop.remove_signal_handler(TERM)
        signal.raise_signal(TERM)
        await ctx.wait()
        await asyncio.sleep(0)

    run(Conductor({"other": other, "library": library}), loop_factory=loop_factory)
    assert heard == ([] if how == "loop, removed" else [TERM])
    assert other.log[1][1] == "asked"


def test_a_second_signal_cuts_off() -> None:
    """Whatever time is left."""
    player = FakePlayer(hangs())

    async def impatient(ctx: Context) -> None:
        await stops_itself(ctx)
        await stops_itself(ctx)

    with pytest.raises(ConductorError) as info:
        run(Conductor({"a": player, "b": impatient}, timeout=HOUR))
    (timeout,) = info.value.exceptions
    assert isinstance(timeout, StopTimeoutError)
    assert timeout.left == ("a",)


def test_nothing_is_ready_while_draining() -> None:
    """From the first signal on; the player is asked when the delay is over."""
    ready: list[bool] = []

    async def worker(ctx: Context) -> None:
        performance = ctx.performance
        assert performance is not None
        ready.append(performance.status().ready)
        signal.raise_signal(TERM)
        while performance.status().ready:
            await asyncio.sleep(0.001)
        ready.append(ctx.done())
        await ctx.wait()
        ready.append(performance.status().ready)

    run(worker, drain_delay=0.05)
    assert ready[1:] == [False, False]


# What else ends the loop


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """A Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, found)


def idle(loop_thread: int) -> bool:
    """Whether the thread of an asyncio loop is waiting for something to happen."""
    return sys._current_frames()[loop_thread].f_code.co_name == "select"


def interrupts(times: int) -> Callable[[Context], None]:
    """A player in a thread that sends Ctrl-C to an idle loop, once before and once after the stop."""
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(ctx: Context) -> None:
        for number in range(times):
            if number:
                ctx.wait_sync()
            for _ in range(3):  # it might be at work in between
                while not idle(main):
                    time.sleep(0.001)
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

    return interrupt


@pytest.mark.usefixtures("ctrl_c")
def test_a_ctrl_c_that_is_not_ours() -> None:
    """Without SIGINT among the signals it is a KeyboardInterrupt, and the stop is graceful."""
    player = FakePlayer()
    with pytest.raises(KeyboardInterrupt):
        run(Conductor({"a": player, "b": interrupts(1)}), signals=[TERM])
    assert [what for _, what in player.log] == ["started", "asked", "ended"]


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_that_is_not_ours(caplog: pytest.LogCaptureFixture) -> None:
    """It cuts everything off; what went wrong goes to the log."""
    player = FakePlayer(hangs())
    with pytest.raises(KeyboardInterrupt):
        run(Conductor({"a": player, "b": interrupts(2)}, timeout=HOUR), signals=())
    assert [what for _, what in player.log] == ["started", "asked", "cancelled", "ended"]
    assert "lost in a cancellation" in caplog.text
    assert "did not stop in time" in caplog.text


@pytest.mark.parametrize("step", [plays(), fails_stopping(OSError("late")), hangs()])
def test_a_stray_task_that_exits(
    step: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its SystemExit goes on after a graceful stop, and what the players raise then is not lost."""
    player = FakePlayer(step)

    async def stray(ctx: Context) -> None:
        task = asyncio.create_task(exits())
        await ctx.wait()
        with pytest.raises(SystemExit):  # or asyncio complains that nobody has looked at it
            task.result()

    async def exits() -> None:
        sys.exit(5)

    with pytest.raises(SystemExit) as info:
        run(Conductor({"a": player, "stray": stray}, timeout=0.05))
    assert info.value.code == 5
    assert (player.log[1][1], player.log[-1][1]) == ("asked", "ended")
    assert ("OSError: late" in caplog.text) == (step.__qualname__.startswith("fails_stopping"))
    assert ("did not stop in time: a" in capsys.readouterr().err) == (
        step.__qualname__.startswith("hangs")
    )


@pytest.mark.parametrize("fails_then", [False, True])
def test_a_player_that_stops_the_loop(fails_then: bool) -> None:
    """`loop.stop()` is an error of the program, and no way out: the players stop gracefully."""
    player = FakePlayer(fails_stopping(OSError("late")) if fails_then else plays())

    async def stops_the_loop(ctx: Context) -> None:
        asyncio.get_running_loop().stop()
        await ctx.wait()

    with pytest.raises((RuntimeError, ExceptionGroup)) as info:
        run(Conductor({"a": player, "b": stops_the_loop}))
    assert player.log[1][1] == "asked"
    if fails_then:
        assert isinstance(info.value, ExceptionGroup)
        assert [type(one) for one in info.value.exceptions] == [RuntimeError, ConductorError]
    else:
        assert "stopped before Future completed" in str(info.value)


def test_a_player_that_cancels_everything() -> None:
    """Whoever cancels all tasks cuts the performance off, and the cancellation comes out."""

    async def cancels(ctx: Context) -> None:
        for task in asyncio.all_tasks():
            if task.get_name() == "orchestra root":
                task.cancel()
        await ctx.wait()

    with pytest.raises(asyncio.CancelledError):
        run(cancels)


def test_a_player_that_exits() -> None:
    """Inside a player, SystemExit and KeyboardInterrupt are its failure and end no loop."""
    for error in (SystemExit(3), KeyboardInterrupt()):
        other = FakePlayer()
        with pytest.raises(ConductorError) as info:
            run(Conductor({"b": other, "a": FakePlayer(raises(error))}))
        assert isinstance(info.value.failures["a"], PlayerAbortedError)
        assert other.log[1][1] == "asked"


def raises(error: BaseException) -> Any:
    async def step(take: Any) -> None:
        raise error

    return step


# What is left at the end


def test_a_task_that_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled; if it fails then, asyncio's handler tells of it."""
    ended: list[str] = []

    async def left(name: str) -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            ended.append(name)
            if name == "bad":
                raise OSError("at the end")

    async def worker(ctx: Context) -> None:
        tasks.extend(asyncio.create_task(left(name)) for name in ("good", "bad"))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    run(worker)
    assert sorted(ended) == ["bad", "good"]
    assert "a task that no player waited for has failed at the end" in caplog.text
    assert "OSError: at the end" in caplog.text


@pytest.mark.leaves_tasks("they swallow every cancellation")
def test_tasks_that_never_end() -> None:
    """Those that swallow also the last cancellation are left, silently, since they have been named."""

    async def stray() -> None:
        while True:
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                pass

    async def worker(ctx: Context) -> None:
        tasks.append(asyncio.create_task(stray()))
        await stops_itself(ctx)

    tasks: list[asyncio.Task[None]] = []
    stubborn = FakePlayer(ignores_cancellation())
    with pytest.raises(ConductorError) as info:
        run(Conductor({"a": stubborn, "b": worker}, timeout=0.01))
    (timeout,) = info.value.exceptions
    assert isinstance(timeout, StopTimeoutError)
    assert timeout.abandoned == ("a",)
    assert not tasks[0].done()


@pytest.mark.leaves_tasks("an asynchronous generator that never closes")
@pytest.mark.parametrize("never", [False, True])
def test_asynchronous_generators_are_closed(never: bool) -> None:
    """One that takes for ever is not waited for."""
    closing: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closing.append("closing")
            while never:
                try:
                    await asyncio.sleep(HOUR)
                except asyncio.CancelledError:
                    pass

    async def worker(ctx: Context) -> None:
        generator = numbers()
        kept.append(generator)
        assert await anext(generator) == 1

    kept: list[Any] = []
    run(worker, timeout=0.01)
    assert closing == ["closing"]


@loops
def test_the_threads_of_the_pool_are_gone(loop_factory: Any) -> None:
    """Those of `asyncio.to_thread` that are idle, and those that come to an end soon."""
    before = set(threading.enumerate())
    release = threading.Event()

    async def worker(ctx: Context) -> None:
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0) for _ in range(4)))
        asyncio.get_running_loop().run_in_executor(None, release.wait)
        asyncio.get_running_loop().call_soon(release.set)

    run(worker, loop_factory=loop_factory)
    assert {one for one in threading.enumerate() if one.is_alive()} <= before


# The guard


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes with which a guard in a hurry would have ended the process."""
    codes: list[int] = []
    monkeypatch.setattr(guard, "PATIENCE", 0.03)
    monkeypatch.setattr(guard, "end_process", lambda code, words: codes.append(code))
    return codes


def test_a_group_that_comes_back_may_block_the_loop(forced: list[int]) -> None:
    """A stop that was followed by a restart is over: only the end has to be in time."""

    async def flaky(ctx: Context) -> None:
        if not runs:
            runs.append(1)
            raise OSError("once")
        await asyncio.sleep(0.05)  # until the guard has looked
        time.sleep(0.2)

    runs: list[int] = []
    run(Conductor({"flaky": flaky}, timeout=0.01, backoff=[0]))
    assert forced == []


def test_a_loop_that_is_slow_to_end_is_not_taken_for_blocked(forced: list[int]) -> None:
    """As long as it gives signs of life, each step of the end has its time."""
    release = threading.Event()

    async def slow_to_close() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.07)

    async def slow_to_cancel() -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            await asyncio.sleep(0.07)

    async def worker(ctx: Context) -> None:
        kept.extend([slow_to_close(), asyncio.create_task(slow_to_cancel())])
        await anext(kept[0])
        asyncio.get_running_loop().run_in_executor(None, release.wait, 0.15)
        await stops_itself(ctx)

    kept: list[Any] = []
    run(worker, timeout=0.01)
    assert forced == []


def test_a_loop_that_is_blocked_at_the_very_end(forced: list[int]) -> None:
    """Also when all players have ended, a task that blocks the loop is not waited for."""

    async def stray() -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            while not forced:
                time.sleep(0.001)

    async def worker(ctx: Context) -> None:
        kept.append(asyncio.create_task(stray()))
        await asyncio.sleep(0)

    kept: list[Any] = []
    run(worker, timeout=0.01)
    assert forced == [1]


def test_the_end_of_the_process_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even threads and streams are needed to end the process with the right code."""
    codes: list[int] = []

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(sys, "stdout", None)
    guard.end_process(3, lambda: ["some words"])
    assert codes == [3]
