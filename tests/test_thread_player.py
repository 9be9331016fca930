"""A player in a thread of its own."""

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvloop

from groups import failure, play, turns
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    PlayerAbortedError,
    StopTimeoutError,
    ThreadPlayer,
    restarting,
)
from orchestra.testing import FakePlayer, hangs, run_virtual
from virtual import until


def works(ctx: Context) -> None:
    ctx.wait_sync()


def current() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.virtual_time
async def test_it_plays_until_its_context_is_done() -> None:
    """The function gets the context of the player, and its return ends the run."""
    got: list[Any] = []

    def work(ctx: Context) -> None:
        got.append(ctx)
        while not ctx.wait_sync(60):
            got.append("tick")

    ctx = Context()
    task = asyncio.create_task(ThreadPlayer(work).play(ctx))
    await asyncio.sleep(200)
    ctx.cancel()
    await task
    assert got == [ctx, "tick", "tick", "tick"]


@pytest.mark.virtual_time
async def test_each_run_has_a_thread_of_its_own() -> None:
    """The thread is a daemon with the player's path as its name, and none of a shared pool."""
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())

    player = ThreadPlayer(work)
    await player.play(Context())
    await Conductor({"a": Conductor({"b": player})}).play(Context())
    one, other = threads
    assert one is not other
    assert (one.name, other.name) == ("work", "a.b")
    assert one.daemon
    assert not one.is_alive() or await asyncio.to_thread(one.join) is None


@pytest.mark.virtual_time
async def test_many_threads_play_at_once() -> None:
    """Their number is not that of a pool."""
    ctx = Context()
    barrier = threading.Barrier(51)

    def work(ctx: Context) -> None:
        barrier.wait()
        ctx.wait_sync()

    task = asyncio.create_task(Conductor({f"p{i}": work for i in range(50)}).play(ctx))
    await asyncio.to_thread(barrier.wait)
    ctx.cancel()
    await task


@pytest.mark.virtual_time
async def test_the_loop_goes_on_meanwhile() -> None:
    """A thread that is at work does not keep the others."""
    go_on = threading.Event()
    task = asyncio.create_task(ThreadPlayer(go_on.wait).play(Context()))
    await turns()
    assert not task.done()
    go_on.set()
    await task


@pytest.mark.virtual_time
async def test_what_the_function_raises_comes_out() -> None:
    """The player fails with the function's own exception, which has the line where it was raised."""

    def fails() -> None:
        raise LookupError("boom")

    with pytest.raises(LookupError, match="boom") as raised:
        await ThreadPlayer(fails).play(Context())
    assert raised.traceback[-1].name == "fails"


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
async def test_what_is_no_exception_is_a_failure_too(kind: type[BaseException]) -> None:
    """`SystemExit` out of a thread is a failure of that player, as out of any other."""

    def leaves() -> None:
        raise kind

    error = await failure(Conductor({"a": leaves, "b": FakePlayer()}))
    assert isinstance(error.failures["a"], PlayerAbortedError)
    assert isinstance(error.failures["a"].__cause__, kind)


@pytest.mark.virtual_time
async def test_an_end_of_iteration_is_a_failure_like_any_other() -> None:
    """A `StopIteration`, which no coroutine can raise, comes out as the cause of an error."""

    def ends() -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration") as raised:
        await ThreadPlayer(ends).play(Context())
    assert isinstance(raised.value.__cause__, StopIteration)


async def coroutine() -> None: ...


async def generator() -> AsyncIterator[int]:
    yield 1


class Awaitable:
    def __await__(self) -> Iterator[None]:
        yield


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda: coroutine(), "a coroutine"),
        (lambda: generator(), "an async generator"),
        (lambda: Awaitable(), "an Awaitable"),
    ],
)
async def test_a_result_that_nobody_would_await_is_a_failure(function: Any, kind: str) -> None:
    """A plain function that makes a coroutine does nothing, and is told how to be written."""
    with pytest.raises(TypeError, match=f"returned {kind}: make it `async def`, or bind"):
        await ThreadPlayer(function).play(Context())


@pytest.mark.virtual_time
async def test_any_other_result_is_nobodys_business() -> None:
    """What the function returns is dropped."""
    assert await play(ThreadPlayer(lambda: 5)) is None


@pytest.mark.virtual_time
async def test_the_function_sees_the_context_variables_of_its_player() -> None:
    """A thread has its own copy of what is set around the player."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("outside")
    seen: list[str] = []

    def work() -> None:
        seen.append(variable.get())
        variable.set("inside")

    await ThreadPlayer(work).play(Context())
    assert seen == ["outside"]
    assert variable.get() == "outside"


@pytest.mark.virtual_time
async def test_it_may_say_that_it_is_ready() -> None:
    """A thread speaks through its context like any other player."""

    class Serves(ThreadPlayer):
        signals_ready = True

    def serve(ctx: Context) -> None:
        ctx.ready(port=80)
        ctx.heartbeat()
        ctx.wait_sync()

    ctx = Context()
    conductor = Conductor({"a": Serves(serve)})
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: conductor.status().players["a"].ready)
    assert conductor.status().players["a"].details == {"port": 80}
    ctx.cancel()
    await task


@pytest.mark.virtual_time
async def test_it_is_restarted_like_any_other() -> None:
    """A thread that fails comes back in a new one."""
    runs: list[int | None] = []

    def fails_once(ctx: Context) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise LookupError
        ctx.wait_sync()

    conductor = Conductor({"a": restarting(fails_once, [5])})
    assert await play(conductor, asked=60) is None
    assert len(runs) == 2


# Threads that do not stop


@pytest.mark.virtual_time
async def test_a_thread_that_does_not_stop_is_abandoned_by_name() -> None:
    """A thread can't be cut off: the error names it, and says where it was."""
    release = threading.Event()

    def stuck() -> None:
        release.wait()

    ctx = Context()
    task = asyncio.create_task(Conductor({"a": stuck}, timeout=0.05).play(ctx))
    await until(lambda: "a" in current())
    ctx.cancel()
    with pytest.raises(ConductorError) as raised:
        await task
    (error,) = raised.value.exceptions
    assert isinstance(error, StopTimeoutError)
    assert (error.left, error.abandoned) == (("a",), ("a",))
    assert "in stuck: release.wait()" in error.stuck["a"]
    assert "threading.py" not in error.stuck["a"]
    release.set()
    await until(lambda: "a" not in current())
    await turns()


@pytest.mark.virtual_time
async def test_a_thread_that_is_cut_off_and_then_ends_was_cancelled() -> None:
    """Whoever cancels the task of a thread gets the cancellation, once the thread has ended."""
    release = threading.Event()
    task = asyncio.create_task(ThreadPlayer(release.wait).play(Context()))
    await turns()
    task.cancel("enough")
    await turns()
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task


@pytest.mark.virtual_time
async def test_a_timeout_around_a_thread_is_a_timeout() -> None:
    """`asyncio.timeout` is told of, though it can't end the thread before it ends by itself."""
    ended: list[bool] = []

    def slow() -> None:
        time.sleep(0.05)
        ended.append(True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ThreadPlayer(slow).play(Context())
    assert ended


@pytest.mark.virtual_time
async def test_what_a_thread_raises_after_it_was_cut_off_is_not_lost() -> None:
    """An error that comes late is raised in the place of the cancellation."""
    release = threading.Event()

    def fails() -> None:
        release.wait()
        raise LookupError("late")

    task = asyncio.create_task(ThreadPlayer(fails).play(Context()))
    await turns()
    task.cancel()
    await turns()
    release.set()
    with pytest.raises(LookupError, match="late"):
        await task


@pytest.mark.virtual_time
async def test_a_second_cancellation_lets_go_of_the_thread() -> None:
    """A loop that closes does not wait for a thread that never returns."""
    release = threading.Event()
    task = asyncio.create_task(ThreadPlayer(release.wait).play(Context()))
    for _ in range(2):
        await turns()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await until(lambda: "wait" not in current())


def test_a_thread_may_outlive_its_loop() -> None:
    """A thread that ends after the loop was closed ends quietly."""
    release = threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        release.wait()

    async def main() -> None:
        task = asyncio.create_task(ThreadPlayer(work).play(Context()))
        await until(lambda: bool(threads))
        for _ in range(2):
            task.cancel()
            await turns()

    for run in (run_virtual, asyncio.run):
        threads.clear()
        release.clear()
        run(main())
        release.set()
        threads[0].join()


@pytest.mark.virtual_time
async def test_where_a_thread_is_can_be_asked_at_any_time() -> None:
    """Before its start and after its end, a thread is nowhere."""
    located: list[Any] = []

    class Locating(Context):
        __slots__ = ()

        def locate(self, locate: Any) -> None:
            located.append(locate)
            texts.append(locate())

    texts: list[str] = []
    release = threading.Event()

    def work() -> None:
        release.wait()

    task = asyncio.create_task(ThreadPlayer(work).play(Locating()))
    await until(lambda: bool(located) and "release.wait()" in located[0]())
    release.set()
    await task
    await until(lambda: located[0]() == "")
    assert texts == [""]


@pytest.mark.virtual_time
async def test_nothing_is_left_of_a_failed_run() -> None:
    """The exception of a thread is gone when nobody holds it, without the garbage collector."""

    class Mine(Exception): ...

    refs: list[weakref.ref[Mine]] = []

    def fails() -> None:
        raise Mine

    gc.disable()
    try:
        try:
            await ThreadPlayer(fails).play(Context())
        except Mine as error:
            refs.append(weakref.ref(error))
        await until(lambda: "fails" not in current())
        assert refs[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_plays_in_real_loops(loop_factory: Any) -> None:
    """Also there a thread hears of its stop, and its end is heard of."""

    async def main() -> None:
        ctx = Context()
        task = asyncio.create_task(Conductor({"a": works, "b": restarting(works, [1])}).play(ctx))
        await until(lambda: {"a", "b"} <= set(current()))
        ctx.cancel()
        await task

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.virtual_time
async def test_a_thread_stops_with_its_group() -> None:
    """A sibling that fails stops a thread as it does any other."""

    def fails_soon(ctx: Context) -> None:
        ctx.wait_sync(5)
        raise LookupError

    error = await failure(Conductor({"a": works, "b": fails_soon, "c": FakePlayer(hangs())}))
    assert list(error.failures) == ["b"]
