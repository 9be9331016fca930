"""Playing beside other code: `playing`, `playing_in_thread` and `play_until_signal`."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Event,
    OrchestraError,
    Performance,
    StopTimeoutError,
    WatchdogError,
    play_until_signal,
    playing,
    playing_in_thread,
    restarting,
)
from orchestra import run as run_function
from orchestra.testing import (
    FakePlayer,
    VirtualLoop,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    slow_stop,
)

# The module, which the package hides behind its function.
run = sys.modules[run_function.__module__]

HOUR = 3600.0


def now() -> float:
    return asyncio.get_running_loop().time()


# playing


@pytest.mark.virtual_time
async def test_it_plays_while_the_body_runs() -> None:
    """The body begins once the player is ready, and leaving it stops the player gracefully."""
    player = FakePlayer(slow_stop(2), ready_after=3)
    async with playing(player) as performance:
        assert now() == 3
        assert performance.status().state == "ready"
        await asyncio.sleep(4)
    assert player.log == [
        (0, "started"),
        (3, "ready"),
        (7, "asked"),
        (9, "ended"),
    ]


@pytest.mark.virtual_time
async def test_the_body_begins_when_a_whole_group_is_ready() -> None:
    """Of a conductor, each player has been ready."""
    players = {"a": FakePlayer(ready_after=1), "b": FakePlayer(ready_after=5)}
    async with playing(Conductor(players)) as performance:
        assert now() == 5
        assert {one.state for one in performance.status().players.values()} == {"ready"}


@pytest.mark.virtual_time
@pytest.mark.parametrize("in_a_group", [False, True])
async def test_a_start_that_never_gets_anywhere_is_not_silent(
    in_a_group: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """While the body waits for a player that fails again and again, each failure is logged."""

    async def broken() -> None:
        raise OSError("no such host")

    player = restarting(broken, [1] * 1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(9.5):
            async with playing(Conductor({"broken": player}) if in_a_group else player):
                pytest.fail("it has never been ready")
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines[0] == "broken: failed: OSError: no such host; restart 1 in 1 s"
    assert sum("no such host" in line for line in lines) == 10


@pytest.mark.virtual_time
async def test_the_body_begins_when_the_player_has_ended_well() -> None:
    """A player that had nothing to do is no reason not to go on."""
    async with playing(FakePlayer(ends(after=2), signals_ready=True)) as performance:
        assert now() == 2
        assert performance.status().state == "stopped"


@pytest.mark.virtual_time
async def test_a_player_that_fails_before_it_is_ready() -> None:
    """Its failure is raised, and the body never begins."""
    with pytest.raises(ConnectionError):
        async with playing(FakePlayer(fails(ConnectionError()), signals_ready=True)):
            pytest.fail("the body must not begin")


@pytest.mark.virtual_time
async def test_a_failure_cancels_the_body() -> None:
    """The body is cancelled at once, the failure is raised, and the task goes on after it."""
    cancelled = []
    with pytest.raises(ConductorError) as info:
        async with playing(Conductor({"worker": FakePlayer(fails(OSError("gone"), after=5))})):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                cancelled.append(now())
                raise
    assert cancelled == [5]
    assert str(info.value.failures["worker"]) == "gone"
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(1)


@pytest.mark.virtual_time
async def test_a_failure_at_the_stop_is_raised() -> None:
    """What the player raises when its body has been left comes out as well."""
    with pytest.raises(OSError, match="late"):
        async with playing(FakePlayer(fails_stopping(OSError("late")))):
            pass


@pytest.mark.virtual_time
async def test_an_error_of_the_body_stops_the_player() -> None:
    """The body's own error passes through, after the player has stopped."""
    player = FakePlayer(slow_stop(1))
    with pytest.raises(KeyError, match="body"):
        async with playing(player):
            raise KeyError("body")
    assert player.log[-1] == (1, "ended")


@pytest.mark.virtual_time
async def test_both_the_body_and_the_player_fail() -> None:
    """Neither error is lost: they come in a group, the body's first."""
    with pytest.raises(ExceptionGroup) as info:
        async with playing(FakePlayer(fails_stopping(OSError("player")))):
            raise KeyError("body")
    assert [type(error) for error in info.value.exceptions] == [KeyError, OSError]


@pytest.mark.virtual_time
async def test_a_body_that_answers_its_cancellation_with_an_error() -> None:
    """The error comes together with the failure that was the cause of the cancellation."""
    with pytest.raises(ExceptionGroup) as info:
        async with playing(FakePlayer(fails(OSError("player"), after=1))):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                raise KeyError("body") from None
    assert [type(error) for error in info.value.exceptions] == [KeyError, OSError]


@pytest.mark.virtual_time
async def test_a_body_that_swallows_its_cancellation() -> None:
    """The failure is raised when the body has ended."""
    with pytest.raises(OSError, match="player"):
        async with playing(FakePlayer(fails(OSError("player"), after=1))):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                pass
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


@pytest.mark.virtual_time
async def test_a_stop_timeout_names_the_function() -> None:
    """A player that has to be cut off is a bare stop timeout, under its function's name."""

    async def sleepy(ctx: Context) -> None:
        await asyncio.sleep(HOUR)

    with pytest.raises(StopTimeoutError) as info:
        async with playing(sleepy, timeout=2):
            pass
    assert info.value.left == ("sleepy",)
    assert "in sleepy: await asyncio.sleep(HOUR)" in info.value.stuck["sleepy"]
    assert now() == 2


@pytest.mark.virtual_time
@pytest.mark.leaves_tasks("it swallows its cancellation")
async def test_both_what_a_watchdog_found_and_that_nothing_ends_it() -> None:
    """Asked to stop while its watchdog cuts it off, and abandoned: both are raised, and whose it is."""
    player = FakePlayer(ignores_cancellation(for_=20), watchdog=1)
    with pytest.raises(ConductorError) as info:
        async with playing(player):
            await asyncio.sleep(1.5)
    watchdog, timeout = info.value.exceptions
    assert isinstance(watchdog, WatchdogError)
    assert isinstance(timeout, StopTimeoutError)
    assert timeout.abandoned == ("FakePlayer",)
    await asyncio.sleep(20)


@pytest.mark.virtual_time
async def test_a_player_that_is_told_to_stop_by_the_body() -> None:
    """`performance.stop` is no failure: the body goes on."""
    async with playing(FakePlayer()) as performance:
        performance.stop("enough")
        await asyncio.sleep(5)
        assert performance.status().state == "stopped"
    assert now() == 5


@pytest.mark.virtual_time
async def test_a_restart_does_not_disturb_the_body() -> None:
    """A player that comes back is no failure."""
    player = FakePlayer(fails(after=1), FakePlayer()._script[0], backoff=[1])
    async with playing(player):
        await asyncio.sleep(5)
    assert player.runs == 2


@pytest.mark.virtual_time
async def test_a_cancellation_from_outside_stops_the_player() -> None:
    """The body's cancellation goes on upwards after the player has stopped gracefully."""
    player = FakePlayer(slow_stop(1))

    async def main() -> None:
        async with playing(player):
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(main())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert player.log[-2:] == [(5, "asked"), (6, "ended")]


@pytest.mark.virtual_time
@pytest.mark.parametrize("first", ["outside", "player"])
async def test_a_cancellation_and_a_failure_at_the_same_moment(
    first: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The cancellation from outside is obeyed, and the failure goes to the log."""
    player = FakePlayer(fails(OSError("player"), after=5))

    async def main() -> None:
        async with playing(player):
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(main())
    if first == "outside":
        asyncio.get_running_loop().call_at(5, task.cancel)
        await asyncio.sleep(0)
        await asyncio.sleep(6)
    else:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(5, task.cancel)
        await asyncio.sleep(6)
    assert task.cancelled()
    assert "a player failed while its performance was ended otherwise" in caplog.text
    assert "OSError: player" in caplog.text


@pytest.mark.virtual_time
@pytest.mark.parametrize("fails_then", [False, True])
async def test_a_cancellation_before_the_player_is_ready(
    fails_then: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The player is cut off at once, and what it raises then goes to the log."""

    class Starting:
        signals_ready = True
        ended = False

        async def play(self, ctx: Context) -> None:
            try:
                await asyncio.sleep(HOUR)
            finally:
                self.ended = True
                if fails_then:
                    raise OSError("while cancelled")

    player = Starting()

    async def main() -> None:
        async with playing(player):
            pytest.fail("the body must not begin")

    task = asyncio.create_task(main())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 5
    assert player.ended
    assert ("OSError: while cancelled" in caplog.text) == fails_then


@pytest.mark.virtual_time
async def test_a_cancellation_while_the_player_stops_cuts_it_off() -> None:
    """Whoever waits for the stop may lose patience: it ends within a tenth of the time."""
    player = FakePlayer(hangs())

    async def main() -> None:
        async with playing(player, timeout=100):
            pass

    task = asyncio.create_task(main())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 5
    assert (5, "cancelled") in player.log


@pytest.mark.virtual_time
async def test_one_after_the_other() -> None:
    """The same `playing` can be entered again, after a failure as well."""
    player = FakePlayer(fails(OSError(), after=1), FakePlayer()._script[0])
    again = playing(player)
    with pytest.raises(OSError):
        async with again:
            await asyncio.sleep(HOUR)
    async with again:
        await asyncio.sleep(1)
    assert player.runs == 2


@pytest.mark.virtual_time
async def test_observers_get_every_event() -> None:
    """From the first start to the end."""
    seen: list[Event] = []
    async with playing(FakePlayer(), observers=[seen.append]):
        pass
    assert [type(event).__name__ for event in seen] == ["Started", "Ready", "Stopping", "Stopped"]


@pytest.mark.parametrize("entry", [playing, playing_in_thread])
def test_wrong_arguments_are_told_at_once(entry: Callable[..., Any]) -> None:
    """What is no player or observer is a TypeError, a nonsense timeout or declaration a ValueError."""
    with pytest.raises(TypeError, match="42 of type int is no player"):
        entry(42)
    for wrong in (-1, float("nan"), float("inf"), "9"):
        with pytest.raises(ValueError, match="timeout"):
            entry(FakePlayer(), timeout=wrong)
    with pytest.raises(ValueError, match="watchdog"):
        entry(FakePlayer(watchdog=-1))
    with pytest.raises(TypeError, match="an observer is a plain function"):
        entry(FakePlayer(), observers=[42])
    with pytest.raises(TypeError, match="observers are functions in a collection"):
        entry(FakePlayer(), observers=print)


def test_it_is_used_in_a_task() -> None:
    """Where no task could be cancelled, entering is a RuntimeError."""

    def entered() -> None:
        coroutine = playing(FakePlayer()).__aenter__()
        with pytest.raises(RuntimeError, match="inside of a task"):
            coroutine.send(None)
        loop.stop()

    loop = asyncio.new_event_loop()
    loop.call_soon(entered)
    loop.run_forever()
    loop.close()


# playing_in_thread


def test_it_plays_in_a_thread() -> None:
    """The player plays in a loop in another thread while the body runs, and is stopped after it."""
    seen: list[Any] = []

    async def worker(ctx: Context) -> None:
        seen.append(threading.current_thread().name)
        await ctx.wait()
        seen.append(ctx.reason)

    with playing_in_thread(worker) as performance:
        assert isinstance(performance, Performance)
        assert performance.status().state == "ready"
        assert seen == ["orchestra loop"]
    assert seen == ["orchestra loop", "the playing block was left"]
    assert performance.status().state == "stopped"


def test_it_waits_until_the_player_is_ready() -> None:
    """The body begins after `ctx.ready()`, not before."""
    order: list[str] = []

    class Slow:
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            await asyncio.to_thread(time.sleep, 0)
            order.append("ready")
            ctx.ready()
            await ctx.wait()

    with playing_in_thread(Slow()):
        order.append("body")
    assert order == ["ready", "body"]


def test_a_player_in_a_thread_that_has_ended_well() -> None:
    """The body begins as well where there was nothing to do."""
    with playing_in_thread(FakePlayer(ends(), signals_ready=True)) as performance:
        assert performance.status().state == "stopped"


@pytest.mark.parametrize("fails_at_once", [True, False])
def test_the_shortest_of_lives(fails_at_once: bool) -> None:
    """However fast the loop is over, its end is told once and rightly."""
    step = fails(OSError("gone")) if fails_at_once else ends()
    for _ in range(50):
        with contextlib.ExitStack() as expected:
            if fails_at_once:
                expected.enter_context(pytest.raises(OSError, match="gone"))
            with playing_in_thread(FakePlayer(step, signals_ready=True)):
                assert not fails_at_once


def test_a_player_in_a_thread_that_fails_before_it_is_ready() -> None:
    """Its failure is raised, and the body never begins."""
    conductor = Conductor({"a": FakePlayer(fails(OSError("gone")), signals_ready=True)})
    with pytest.raises(ConductorError) as info, playing_in_thread(conductor):
        pytest.fail("the body must not begin")
    assert str(info.value.failures["a"]) == "gone"


def test_a_failure_in_a_thread_is_raised_on_leaving() -> None:
    """The body is not interrupted."""
    failed = threading.Event()

    async def worker(ctx: Context) -> None:
        await asyncio.to_thread(body_runs.wait)
        failed.set()
        raise OSError("gone")

    body_runs = threading.Event()
    left = []
    with pytest.raises(OSError, match="gone"), playing_in_thread(worker):
        body_runs.set()
        failed.wait()
        left.append("the body")
    assert left


def test_both_the_body_and_the_player_in_a_thread_fail() -> None:
    """Neither error is lost."""
    with (
        pytest.raises(ExceptionGroup) as info,
        playing_in_thread(FakePlayer(fails_stopping(OSError("player")))),
    ):
        raise KeyError("body")
    assert [type(error) for error in info.value.exceptions] == [KeyError, OSError]


def test_an_error_of_the_body_alone() -> None:
    """It passes through, after the player has stopped."""
    player = FakePlayer()
    with pytest.raises(KeyError, match="body"), playing_in_thread(player):
        raise KeyError("body")
    assert player.log[-1][1] == "ended"


def test_a_body_that_is_ended_by_ctrl_c(caplog: pytest.LogCaptureFixture) -> None:
    """The interruption goes first, and the player's failure goes to the log."""
    with (
        pytest.raises(KeyboardInterrupt),
        playing_in_thread(FakePlayer(fails_stopping(OSError("player")))),
    ):
        raise KeyboardInterrupt
    assert "OSError: player" in caplog.text


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """A Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, found)


def interrupt_the_waiting_main_thread() -> None:
    """Send a Ctrl-C as soon as the main thread waits in the `__enter__` of something."""
    main = threading.main_thread().ident
    assert main is not None
    while True:
        frame = sys._current_frames()[main]
        inner = frame.f_back.f_back if frame.f_back is not None else None
        if inner is not None and (frame.f_code.co_name, inner.f_code.co_name) == (
            "wait",
            "__enter__",
        ):
            break
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_before_the_player_is_ready() -> None:
    """The player is stopped gracefully, and the interruption is raised."""
    asked: list[object] = []

    class Starting:
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            interrupt_the_waiting_main_thread()
            await ctx.wait()
            asked.append(ctx.reason)

    with pytest.raises(KeyboardInterrupt), playing_in_thread(Starting()):
        pytest.fail("the body must not begin")
    assert asked == ["the playing block was left"]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_before_there_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interruption is raised though the loop's maker is stuck, and nothing plays later on."""
    monkeypatch.setattr(run, "PATIENCE", 0.01)
    go_on = threading.Event()
    player = FakePlayer()

    def loop_factory() -> asyncio.AbstractEventLoop:
        interrupt_the_waiting_main_thread()
        go_on.wait()
        return asyncio.new_event_loop()

    with pytest.raises(KeyboardInterrupt), playing_in_thread(player, loop_factory=loop_factory):
        pytest.fail("the body must not begin")
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "orchestra loop":
            thread.join()
    assert not player.runs


def test_a_loop_that_can_not_be_made() -> None:
    """What its maker raises is raised, as is what is wrong with an observer."""

    def broken() -> asyncio.AbstractEventLoop:
        raise OSError("no loop")

    with pytest.raises(OSError, match="no loop"), playing_in_thread(print, loop_factory=broken):
        pass
    wrong: Any = [42]
    with pytest.raises(TypeError, match="observer"), playing_in_thread(print, observers=wrong):
        pass


def test_a_loop_with_virtual_time() -> None:
    """The loop may be any: an hour passes at once in this one."""
    player = FakePlayer(slow_stop(HOUR))
    with playing_in_thread(player, loop_factory=VirtualLoop, timeout=2 * HOUR):
        pass
    assert player.log[-1] == (HOUR, "ended")


def test_a_loop_that_is_ended_by_somebody_else() -> None:
    """The player stops gracefully, and what ended the loop is told."""
    player = FakePlayer()

    async def stray() -> None:
        raise SystemExit(3)

    async def worker(ctx: Context) -> None:
        task = asyncio.create_task(stray())
        await player.play(ctx)
        with pytest.raises(SystemExit):  # or asyncio complains that nobody has looked at it
            task.result()

    with (
        pytest.raises(OrchestraError, match="the loop was ended by SystemExit: 3") as info,
        playing_in_thread(worker) as performance,
    ):
        while performance.status().state != "stopped":
            time.sleep(0.001)
    assert isinstance(info.value.__cause__, SystemExit)
    assert player.log[-1][1] == "ended"


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Blocks whoever calls it until the end of the test."""
    monkeypatch.setattr(run, "PATIENCE", 0.05)
    release = threading.Event()
    yield lambda: (release.wait(), None)[1]
    release.set()


def test_a_blocked_loop_in_a_thread(blocked: Callable[[], None]) -> None:
    """Leaving is bounded: the function is named as stuck, with its line."""

    async def blocker(ctx: Context) -> None:
        await ctx.wait()
        blocked()

    with pytest.raises(StopTimeoutError) as info, playing_in_thread(blocker, timeout=0.05):
        pass
    assert info.value.left == info.value.abandoned == ("blocker",)
    assert "in blocker: blocked()" in info.value.stuck["blocker"]


def test_a_conductor_with_a_blocked_loop(blocked: Callable[[], None]) -> None:
    """It is a ConductorError as ever, with the leaves that are left and the failures before."""
    begun = threading.Event()

    async def blocker(ctx: Context) -> None:
        await ctx.wait()
        begun.set()
        blocked()

    inner = Conductor({"failing": FakePlayer(fails(OSError("gone"))), "blocker": blocker})
    conductor = Conductor({"inner": inner, "idle": FakePlayer()}, timeout=0.05)
    with pytest.raises(ConductorError) as info, playing_in_thread(conductor):
        begun.wait()
    assert str(info.value.failures["inner.failing"]) == "gone"
    (timeout,) = [one for one in info.value.exceptions if isinstance(one, StopTimeoutError)]
    assert timeout.left == ("inner.blocker", "idle")
    assert "blocked()" in timeout.stuck["inner.blocker"]


def test_a_body_that_fails_beside_a_blocked_loop(blocked: Callable[[], None]) -> None:
    """Its error and the stop timeout come together."""

    async def blocker(ctx: Context) -> None:
        await ctx.wait()
        blocked()

    with (
        pytest.raises(ExceptionGroup) as info,
        playing_in_thread(Conductor({"a": blocker}, timeout=0)),
    ):
        raise KeyError("body")
    assert [type(error) for error in info.value.exceptions] == [KeyError, ConductorError]


# play_until_signal


@pytest.mark.virtual_time
async def test_it_plays_until_the_end_of_a_context() -> None:
    """A context that is done asks the player, with its reason and within the time that it leaves."""
    player = FakePlayer(hangs())
    ctx = Context()
    asyncio.get_running_loop().call_later(5, lambda: ctx.cancel("enough", within=4))
    with pytest.raises(StopTimeoutError):
        await play_until_signal(player, ctx=ctx, timeout=HOUR)
    assert player.log[:3] == [(0, "started"), (5, "asked"), (player.log[2][0], "cancelled")]
    # A little before the time is over, so that it is told in time.
    assert 5 < player.log[2][0] < 9


@pytest.mark.virtual_time
@pytest.mark.parametrize("as_conductor", [False, True])
async def test_a_context_that_is_done_before(as_conductor: bool) -> None:
    """Nothing is played, and that is no failure."""
    player = FakePlayer()
    ctx = Context()
    ctx.cancel("enough")
    await play_until_signal(Conductor({"a": player}) if as_conductor else player, ctx=ctx)
    assert not player.runs


@pytest.mark.virtual_time
async def test_it_plays_until_the_player_ends() -> None:
    """No signal is needed for the end, and a context that outlives it is left as it is."""
    ctx = Context()
    await play_until_signal(FakePlayer(ends(after=3)), ctx=ctx)
    assert now() == 3
    assert not ctx.done()


@pytest.mark.virtual_time
async def test_a_failure_comes_out_of_it() -> None:
    """A plain player's own exception, a conductor's ConductorError, after the restarts they have."""
    flaky = restarting(FakePlayer(fails(OSError("gone"))), [1, 1])
    with pytest.raises(OSError, match="gone") as info:
        await play_until_signal(flaky)
    assert "after 2 restarts" in info.value.__notes__
    assert now() == 2
    with pytest.raises(ConductorError):
        await play_until_signal(Conductor({"a": FakePlayer(fails(OSError("gone")))}))


@pytest.mark.virtual_time
async def test_cancelling_it_cuts_everything_off(caplog: pytest.LogCaptureFixture) -> None:
    """It ends at once, the cancellation goes on upwards, and what was raised goes to the log."""
    player = FakePlayer(hangs())

    async def failing(ctx: Context) -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            raise OSError("while cancelled")

    conductor = Conductor({"a": player, "b": failing})
    task = asyncio.create_task(play_until_signal(conductor))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 5
    assert (5, "cancelled") in player.log
    assert "OSError: while cancelled" in caplog.text


@pytest.mark.virtual_time
@pytest.mark.leaves_tasks("it swallows its cancellation")
async def test_signals_ask_cut_off_and_then_do_nothing_more() -> None:
    """The second signal cuts off at once; a third does not end the process."""
    player = FakePlayer(ignores_cancellation())
    loop = asyncio.get_running_loop()
    for at in (2, 4, 6, 8):
        loop.call_at(at, signal.raise_signal, signal.SIGTERM)
    with pytest.raises(StopTimeoutError) as info:
        await play_until_signal(player, timeout=100)
    assert (2, "asked") in player.log
    assert (4, "cancelled") in player.log
    assert info.value.abandoned == ("FakePlayer",)
    assert now() == 14


@pytest.mark.virtual_time
async def test_signals_with_a_delay_before_the_stop() -> None:
    """Nothing is ready from the first signal on, and the player is asked after the delay."""
    player = FakePlayer()
    loop = asyncio.get_running_loop()
    ready: list[tuple[float, bool]] = []

    async def watched(ctx: Context) -> None:
        performance = ctx.performance
        assert performance is not None
        for at in (1, 3):
            loop.call_at(at, lambda: ready.append((now(), performance.status().ready)))
        await player.play(ctx)

    loop.call_at(2, signal.raise_signal, signal.SIGTERM)
    await play_until_signal(watched, drain_delay=30)
    assert ready == [(1, True), (3, False)]
    assert (32, "asked") in player.log


def test_it_belongs_to_the_main_thread() -> None:
    """Elsewhere there are no signals to wait for: a RuntimeError, and nothing is played."""
    errors: list[Exception] = []
    player = FakePlayer()

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="main thread") as info:
            asyncio.run(play_until_signal(player))
        errors.append(info.value)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors
    assert not player.runs


@pytest.mark.virtual_time
async def test_wrong_signals_and_delays_are_told_at_once() -> None:
    """A ValueError, before anything is played."""
    player = FakePlayer()
    with pytest.raises(ValueError, match="9999 is no signal"):
        await play_until_signal(player, 9999)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="drain_delay"):
            await play_until_signal(player, drain_delay=wrong)
    assert not player.runs
