"""The stop signal: done or not, why, how long there is; from any thread and in any loop."""

import asyncio
import contextlib
import copy
import gc
import math
import pickle
import signal
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from groups import turns
from orchestra import Context
from orchestra.context import GroupContext
from orchestra.testing import run_virtual
from virtual import start, until, virtual_loop

NONSENSE = [-1, math.nan, "5", None, True, 1j, 10**400]

in_each_loop = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop]
)


def run_in(loop_factory: Callable[[], asyncio.AbstractEventLoop], main: Any) -> Any:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main())


# Done


def test_a_context_is_not_done_before_it_is_cancelled() -> None:
    """A new context is not done, and has neither a reason nor a time."""
    ctx = Context()
    assert (ctx.done(), ctx.reason, ctx.remaining()) == (False, None, None)
    ctx.cancel("enough")
    assert (ctx.done(), ctx.reason, ctx.remaining()) == (True, "enough", math.inf)


def test_the_first_reason_stays() -> None:
    """Cancelling again is no error, and says nothing new."""
    ctx = Context()
    ctx.cancel("first")
    ctx.cancel("second")
    assert ctx.reason == "first"


def test_no_reason_is_a_reason_too() -> None:
    """Cancelled without a reason, it is done, and a later reason does not count."""
    ctx = Context()
    ctx.cancel()
    ctx.cancel("late")
    assert ctx.done()
    assert ctx.reason is None


def test_done_travels_down_and_not_up() -> None:
    """Cancelling ends the context and all below it, and none above or beside it."""
    root = Context()
    ctx, beside = root.child(), root.child()
    below = ctx.child().child()
    ctx.cancel("enough")
    assert (ctx.reason, below.reason) == ("enough", "enough")
    assert not root.done()
    assert not beside.done()


def test_a_child_of_what_is_done_is_done() -> None:
    """A child that comes late has the reason and the time of the context above it."""
    root = Context()
    root.cancel("enough", within=60)
    child = root.child()
    assert child.reason == "enough"
    assert 59 < (child.remaining() or 0) <= 60


def test_done_travels_down_however_deep_the_tree_is() -> None:
    """Ten thousand contexts, each the child of the one before it, end together."""
    contexts = [Context()]
    for _ in range(10_000):
        contexts.append(contexts[-1].child())
    contexts[0].cancel("deep")
    assert {ctx.reason for ctx in contexts} == {"deep"}


def test_it_says_what_it_is() -> None:
    """Its representation names the state and the reason."""
    ctx = Context()
    assert repr(ctx) == "<Context '' not done>"
    ctx.cancel("enough")
    assert repr(ctx) == "<Context '' done: enough>"


# The time to stop in


@pytest.mark.virtual_time
async def test_within_limits_the_time_to_stop() -> None:
    """What remains of the time to stop runs down to 0."""
    ctx = Context()
    ctx.cancel(within=10)
    assert ctx.remaining() == 10
    await asyncio.sleep(4)
    assert ctx.remaining() == 6
    await asyncio.sleep(100)
    assert ctx.remaining() == 0


@pytest.mark.virtual_time
async def test_a_later_within_only_shortens() -> None:
    """Of several times to stop, the earliest counts."""
    ctx = Context()
    for within, left in ((None, math.inf), (10, 10), (20, 10), (None, 10), (3, 3), (5, 3), (0, 0)):
        ctx.cancel(within=within)
        assert ctx.remaining() == left


@pytest.mark.virtual_time
async def test_a_shorter_time_travels_down() -> None:
    """Those below have no more time than the context above, and may have less."""
    root = Context()
    child = root.child()
    below = child.child()
    child.cancel("by itself", within=10)
    root.cancel("all", within=20)
    assert (root.remaining(), child.remaining(), below.remaining()) == (20, 10, 10)
    root.cancel(within=5)
    assert (root.remaining(), child.remaining(), below.remaining()) == (5, 5, 5)
    assert (root.reason, child.reason, below.reason) == ("all", "by itself", "by itself")
    below.cancel(within=1)
    assert (root.remaining(), child.remaining(), below.remaining()) == (5, 5, 1)


@given(st.data())
def test_any_tree_agrees_with_the_rule(data: st.DataObject) -> None:
    """In any tree: the first reason from itself or above, and the shortest of these times."""
    parents = data.draw(st.lists(st.integers(0, 9), max_size=10))
    contexts = [Context()]
    for number, parent in enumerate(parents):
        contexts.append(contexts[parent % (number + 1)].child())
    line = [[0]]
    for number, parent in enumerate(parents):
        line.append([number + 1, *line[parent % (number + 1)]])
    which = st.integers(0, len(contexts) - 1)
    cancels = data.draw(st.lists(st.tuples(which, st.none() | st.integers(100, 900)), max_size=10))
    for number, (index, within) in enumerate(cancels):
        contexts[index].cancel(number, within=within)
    for index, ctx in enumerate(contexts):
        seen = [
            (number, within) for number, (at, within) in enumerate(cancels) if at in line[index]
        ]
        assert ctx.done() == bool(seen)
        assert ctx.reason == (seen[0][0] if seen else None)
        if seen:
            shortest = min((within for _, within in seen if within is not None), default=math.inf)
            remaining = ctx.remaining()
            assert remaining is not None
            assert remaining == shortest or shortest - 50 < remaining <= shortest


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_context_is_not_copied(copied: Callable[[Any], Any]) -> None:
    """Nobody could end a copy: it is a TypeError that says what to use."""
    with pytest.raises(TypeError, match="a Context can't be copied or pickled: use `child\\(\\)`"):
        copied(Context().child())


@pytest.mark.parametrize("within", [*[one for one in NONSENSE if one is not None], math.inf])
def test_a_nonsense_time_is_refused_and_cancels_nothing(within: Any) -> None:
    """A `within` that is no number of seconds is a `ValueError`, before anything happens."""
    ctx = Context()
    with pytest.raises(ValueError, match="within must be a number of seconds"):
        ctx.cancel(within=within)
    assert not ctx.done()


# Children with a time of their own


@pytest.mark.virtual_time
async def test_a_child_ends_by_itself_after_its_timeout() -> None:
    """A child's own timeout ends it and those below, with a `TimeoutError`, and not its parent."""
    root = Context()
    child = root.child(timeout=5)
    below = child.child()
    await below.wait()
    assert asyncio.get_running_loop().time() == 5
    assert isinstance(child.reason, TimeoutError)
    assert below.reason is child.reason
    assert child.remaining() == math.inf
    assert not root.done()


@pytest.mark.virtual_time
async def test_a_timeout_after_the_end_changes_nothing() -> None:
    """Cancelled before its timeout, a child keeps its reason."""
    child = Context().child(timeout=5)
    child.cancel("enough")
    await asyncio.sleep(10)
    assert child.reason == "enough"


@pytest.mark.virtual_time
async def test_a_child_has_no_more_time_than_its_parent() -> None:
    """Of the timeouts of a context and those above, the earliest ends it."""
    parent = Context().child(timeout=5)
    long, short = parent.child(timeout=50), parent.child(timeout=2)
    await short.wait()
    assert asyncio.get_running_loop().time() == 2
    await long.wait()
    assert asyncio.get_running_loop().time() == 5
    assert isinstance(long.reason, TimeoutError)


@pytest.mark.virtual_time
async def test_a_timeout_is_seen_while_the_loop_is_blocked() -> None:
    """`done` looks at the clock, so that it holds before the loop comes to its timer."""
    loop = virtual_loop()
    child = Context().child(timeout=5)
    loop.call_at(5, lambda: None)
    loop._now = (7.0, None)  # as after seven seconds in which nothing let the loop run
    assert child.done()
    assert isinstance(child.reason, TimeoutError)


@pytest.mark.parametrize("timeout", [0, 0.0])
def test_a_timeout_of_0_is_over_at_once(timeout: float) -> None:
    """A child with no time at all is done from the start, in a loop and without one."""
    assert isinstance(Context().child(timeout=timeout).reason, TimeoutError)

    async def main() -> None:
        child = Context().child(timeout=timeout)
        await child.wait()
        assert isinstance(child.reason, TimeoutError)

    run_virtual(main)


@pytest.mark.parametrize("timeout", [*[one for one in NONSENSE if one is not None], math.inf])
def test_a_nonsense_timeout_is_refused(timeout: Any) -> None:
    """A `timeout` that is no number of seconds is a `ValueError`."""
    with pytest.raises(ValueError, match="timeout must be a number of seconds"):
        Context().child(timeout=timeout)


def test_a_child_of_what_is_done_keeps_its_reason() -> None:
    """A timeout of its own does not touch the reason from above."""
    root = Context()
    root.cancel("enough")
    assert root.child(timeout=0).reason == "enough"


def test_a_timeout_works_without_a_loop() -> None:
    """Before there is a loop, the time counts all the same."""
    child = Context().child(timeout=0.01)
    below = child.child()
    assert not below.done()
    assert below.wait_sync(30)
    assert isinstance(below.reason, TimeoutError)


def test_a_timeout_set_before_the_loop_wakes_who_waits_in_it() -> None:
    """A context made before its loop ends there when its time is over."""
    ctx = Context().child(timeout=60)

    async def main() -> float:
        await ctx.wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == pytest.approx(60, abs=5)
    assert isinstance(ctx.reason, TimeoutError)


def test_a_timeout_set_before_the_loop_wakes_those_below() -> None:
    """The timeout of a context above counts, whichever of the tree comes to the loop first."""
    top = Context().child(timeout=60)
    ctx, beside = top.child(timeout=600), top.child()
    last = top.child(timeout=30)

    async def main() -> None:
        assert await ctx.sleep(10)
        waiting = asyncio.create_task(last.wait())
        await asyncio.gather(beside.wait(), ctx.wait())
        assert asyncio.get_running_loop().time() == pytest.approx(60, abs=5)
        assert waiting.done()
        await waiting

    run_virtual(main)


def test_a_time_set_before_the_loop_counts_in_it() -> None:
    """What remains does not change when a context comes to a loop, whose clock is another."""
    ctx = Context()
    child = ctx.child()
    ctx.cancel("early", within=60)

    async def main() -> None:
        for one in (child, ctx):
            assert one.remaining() == pytest.approx(60, abs=5)
            await one.wait()
            assert one.remaining() == pytest.approx(60, abs=5)
        await asyncio.sleep(30)
        assert child.remaining() == pytest.approx(30, abs=5)

    run_virtual(main)


def test_a_time_set_by_a_thread_counts_for_those_below() -> None:
    """A context that has seen no loop yet goes by the same clock as the one above it."""

    async def main() -> None:
        ctx = Context()
        child = await asyncio.to_thread(ctx.child)
        await ctx.sleep(1)
        await asyncio.to_thread(lambda: ctx.cancel(within=60))
        assert child.remaining() == pytest.approx(60, abs=5)
        assert await asyncio.to_thread(child.remaining) == pytest.approx(60, abs=5)

    run_virtual(main)


def test_a_context_goes_from_one_loop_to_the_next() -> None:
    """A root that outlives its loop works in another one, and so do its children's timeouts."""
    root = Context()
    run_virtual(lambda: root.sleep(1000))
    late = root.child(timeout=60)

    async def main() -> None:
        await asyncio.sleep(2000)
        child = root.child(timeout=5)
        await child.wait()
        assert asyncio.get_running_loop().time() == pytest.approx(2005, abs=1)
        root.cancel("enough", within=7)
        assert root.remaining() == 7

    run_virtual(main)
    assert late.done()


def test_a_context_stays_with_its_loop_while_that_is_open() -> None:
    """In a loop of another thread, a context keeps the clock that it came to first."""

    async def main() -> None:
        ctx = Context()

        async def elsewhere() -> None:
            ctx.cancel(within=60)
            assert ctx.remaining() == 60
            await ctx.wait()
            assert ctx.child().remaining() == 60

        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        thread.start()
        thread.join()
        assert ctx.remaining() == 60
        await asyncio.sleep(30)
        assert ctx.remaining() == 30

    run_virtual(main)


def test_the_contexts_of_runs_in_a_closed_loop_still_answer() -> None:
    """What is left of a player's run moves to another loop by itself."""
    root = Context()

    async def play() -> Context:
        return root.of_player(Seat("a")).child()

    left = run_virtual(play)

    async def main() -> None:
        assert await root.sleep(5)
        loop = asyncio.get_running_loop()
        loop.call_later(5, left.cancel)
        assert not await left.child().sleep(60)
        assert loop.time() == 10

    run_virtual(main)


@in_each_loop
def test_a_context_outlives_its_loop(loop_factory: Any) -> None:
    """After its loop is closed, a context still answers, ends, and wakes threads."""

    async def main() -> Context:
        ctx = Context().child()
        assert await ctx.sleep(0.001)
        return ctx

    ctx = run_in(loop_factory, main)
    assert not ctx.wait_sync(0.001)
    child = ctx.child(timeout=60)
    assert not child.done()
    ctx.cancel("late", within=60)
    assert child.wait_sync()
    assert 50 < child.remaining() <= 60


# Children are held weakly


def test_a_child_is_gone_when_nobody_holds_it() -> None:
    """A context keeps no children, so one made for each piece of work leaves no trace."""
    root = Context()
    children = [root.child(), root.child(timeout=60)]
    refs = [weakref.ref(child) for child in children]
    children.clear()
    assert [ref() for ref in refs] == [None, None]
    assert not root._children


@pytest.mark.virtual_time
async def test_a_child_that_is_gone_leaves_no_timer() -> None:
    """The timer of a child's timeout goes with the child, in whichever thread that is."""
    root = Context()
    loop = virtual_loop()

    def timers() -> int:
        return sum(not timer.cancelled() for timer in loop._scheduled)

    before = timers()
    child = root.child(timeout=3600)
    assert timers() == before + 1
    del child
    assert timers() == before

    held = [root.child(timeout=3600)]
    await asyncio.to_thread(held.clear)
    await turns()
    assert timers() == before

    await asyncio.to_thread(lambda: root.child(timeout=3600) and None)
    await turns()
    assert timers() == before


def test_a_timer_set_from_a_thread_finds_its_context_gone() -> None:
    """A child that a thread makes and drops before the loop hears of it sets no timer."""

    async def main() -> None:
        root = Context()
        root.bind()
        thread = threading.Thread(target=lambda: root.child(timeout=3600) and None)
        thread.start()
        thread.join()  # the loop is blocked meanwhile
        await turns()
        assert not virtual_loop()._scheduled

    run_virtual(main)


@pytest.mark.virtual_time
async def test_a_timer_that_fires_as_its_context_goes_is_harmless() -> None:
    """A timeout that is over in the moment in which a thread drops the child ends nothing."""
    root = Context()

    def drop() -> None:
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()

    asyncio.get_running_loop().call_at(5, drop)
    held = [root.child(timeout=5)]
    await asyncio.sleep(10)
    assert not held
    assert not root.done()


def test_a_grandchild_is_reached_when_nobody_holds_what_is_between() -> None:
    """A child keeps its parent, so that the end reaches it all the way down."""
    root = Context()
    grandchild = root.child().child().child()
    gc.collect()
    root.cancel("enough")
    assert grandchild.reason == "enough"


# Waiting


@pytest.mark.virtual_time
async def test_wait_returns_when_it_is_done() -> None:
    """All who wait go on when the context is done, and who comes later does not wait at all."""
    ctx = Context()
    waiting = [asyncio.create_task(ctx.wait()) for _ in range(3)]
    await asyncio.sleep(5)
    assert not any(task.done() for task in waiting)
    ctx.cancel()
    await asyncio.gather(*waiting)
    await ctx.wait()
    assert asyncio.get_running_loop().time() == 5


@pytest.mark.virtual_time
async def test_who_waits_may_be_cancelled() -> None:
    """A waiter that is cancelled ends so, leaves no trace, and the others go on waiting."""
    ctx = Context()
    one, other = (asyncio.create_task(ctx.wait()) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel("not you")
    with pytest.raises(asyncio.CancelledError, match="not you"):
        await one
    assert not other.done()
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    assert not ctx._waiters


@pytest.mark.virtual_time
async def test_a_cancellation_at_the_same_moment_is_obeyed() -> None:
    """Cancelled and done in one turn, a waiter is cancelled, whichever comes first."""
    for cancel_first in (True, False):
        ctx = Context()
        task = asyncio.create_task(ctx.wait())
        await asyncio.sleep(0)
        steps = [task.cancel, ctx.cancel]
        for step in steps if cancel_first else reversed(steps):
            step()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.virtual_time
async def test_a_second_cancellation_of_a_waiter_is_one() -> None:
    """Two cancellations before the waiter has its turn end it once."""
    ctx = Context()
    task = asyncio.create_task(ctx.wait())
    await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 2


@in_each_loop
def test_waiting_works_with_all_of_asyncio(loop_factory: Any) -> None:
    """`ctx.wait()` is a coroutine like any other, for tasks, groups, timeouts and shields."""

    async def main() -> None:
        ctx = Context()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ctx.wait(), 0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await ctx.wait()
        done, pending = await asyncio.wait([asyncio.create_task(ctx.wait())], timeout=0.001)
        assert (len(done), len(pending)) == (0, 1)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(ctx.wait()) for _ in range(3)]
            gathered = group.create_task(gather(ctx))
            await asyncio.sleep(0)
            ctx.cancel()
        assert all(task.done() for task in (*waiting, *pending))
        assert gathered.result() == [None, None, True]
        await asyncio.wait_for(ctx.wait(), 5)

    async def gather(ctx: Context) -> list[Any]:
        shielded = asyncio.shield(ctx.wait())
        return await asyncio.gather(ctx.wait(), shielded, never_slept_out(ctx))

    async def never_slept_out(ctx: Context) -> bool:
        return not await ctx.sleep(3600)

    run_in(loop_factory, main)


@pytest.mark.virtual_time
async def test_waiting_works_in_scopes_of_anyio() -> None:
    """What is written on anyio waits for a context inside of its scopes."""
    ctx = Context()
    with anyio.move_on_after(5) as scope:
        await ctx.wait()
    assert scope.cancelled_caught
    async with anyio.create_task_group() as group:
        group.start_soon(ctx.wait)
        group.start_soon(ctx.sleep, 3600)
        await anyio.sleep(1)
        ctx.cancel()
    assert asyncio.get_running_loop().time() == 6


@pytest.mark.virtual_time
async def test_waiting_works_in_a_task_that_is_written_in_python() -> None:
    """The task of debuggers and of other interpreters waits for a context as well."""
    ctx = Context()
    loop = asyncio.get_running_loop()
    waits, cancelled = (
        asyncio.tasks._PyTask(ctx.wait(), loop=loop)
        for _ in range(2)  # type: ignore[attr-defined]
    )
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    ctx.cancel()
    await waits
    with pytest.raises(asyncio.CancelledError):
        await cancelled


def test_one_who_ends_the_loop_does_not_keep_the_others() -> None:
    """A `SystemExit` out of one who was woken goes its way, and the others are woken all the same."""
    ctx = Context()

    async def leave() -> None:
        await ctx.wait()
        raise SystemExit(3)

    loop = asyncio.new_event_loop()
    try:
        before, leaver, after = (loop.create_task(one) for one in (ctx.wait(), leave(), ctx.wait()))
        loop.call_soon(ctx.cancel)
        with pytest.raises(SystemExit):
            loop.run_until_complete(after)
        loop.run_until_complete(asyncio.wait([before, after]))
        assert isinstance(leaver.exception(), SystemExit)
    finally:
        loop.close()


if sys.version_info >= (3, 12):

    @pytest.mark.virtual_time
    async def test_waiting_works_in_eager_tasks() -> None:
        """Tasks whose first step is taken at once wait, sleep and are interrupted like any other."""
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        ctx = Context()

        async def interrupted() -> None:
            async with ctx.interrupt():
                await asyncio.sleep(3600)

        tasks = [asyncio.create_task(one) for one in (ctx.wait(), ctx.sleep(60), interrupted())]
        slept = asyncio.create_task(ctx.sleep(1))
        cancelled = asyncio.create_task(ctx.wait())
        cancelled.cancel()
        await asyncio.sleep(5)
        assert slept.result()
        assert cancelled.cancelled()
        ctx.cancel()
        assert await asyncio.gather(*tasks) == [None, False, None]
        assert await asyncio.create_task(ctx.wait()) is None


# Sleeping


@pytest.mark.virtual_time
async def test_sleep_tells_whether_it_slept_it_all() -> None:
    """A sleep is True when it took all its time, and False as soon as the context is done."""
    ctx = Context()
    loop = asyncio.get_running_loop()
    assert await ctx.sleep(60)
    assert loop.time() == 60
    loop.call_later(30, ctx.cancel)
    assert not await ctx.sleep(60)
    assert loop.time() == 90
    assert not await ctx.sleep(60)
    assert loop.time() == 90


@pytest.mark.virtual_time
async def test_a_loop_that_sleeps_stops_gracefully() -> None:
    """`while await ctx.sleep(60): tick()` ticks every minute until the context is done."""
    ctx = Context()
    ticks = []
    asyncio.get_running_loop().call_later(200, ctx.cancel)
    while await ctx.sleep(60):
        ticks.append(asyncio.get_running_loop().time())
    assert ticks == [60, 120, 180]
    assert asyncio.get_running_loop().time() == 200


@pytest.mark.virtual_time
async def test_a_sleep_that_ends_as_its_context_does_is_not_slept() -> None:
    """Done in the very moment in which the sleep is over, it is time to stop."""
    for cancel_first in (True, False):
        ctx = Context()
        loop = asyncio.get_running_loop()
        if cancel_first:
            loop.call_later(60, ctx.cancel)
        sleeping = asyncio.create_task(ctx.sleep(60))
        await asyncio.sleep(0)
        if not cancel_first:
            loop.call_later(60, ctx.cancel)
        await asyncio.wait([sleeping])
        assert ctx.done()
        assert sleeping.result() is not cancel_first


@pytest.mark.virtual_time
async def test_a_sleep_of_0_lets_the_others_have_their_turn() -> None:
    """No time is slept all at once, but in a turn of its own."""
    ctx = Context()
    others = []
    asyncio.get_running_loop().call_soon(others.append, 1)
    assert await ctx.sleep(0)
    assert others


@pytest.mark.virtual_time
@pytest.mark.parametrize("delay", [math.inf, 1e300])
async def test_a_sleep_may_be_for_ever(delay: float) -> None:
    """A sleep without an end is one until the context is done."""
    ctx = Context()
    asyncio.get_running_loop().call_later(1e6, ctx.cancel)
    assert not await ctx.sleep(delay)


@pytest.mark.virtual_time
async def test_a_sleep_that_is_cancelled_leaves_no_trace() -> None:
    """A cancelled sleep goes with its timer."""
    ctx = Context()
    task = asyncio.create_task(ctx.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ctx._waiters
    assert all(timer.cancelled() for timer in virtual_loop()._scheduled)


@pytest.mark.virtual_time
@pytest.mark.parametrize("delay", NONSENSE)
async def test_a_nonsense_sleep_is_refused(delay: Any) -> None:
    """A delay that is no number of seconds is a `ValueError`, also once the context is done."""
    ctx = Context()
    for _ in range(2):
        with pytest.raises(ValueError, match="delay must be a number of seconds"):
            await ctx.sleep(delay)
        ctx.cancel()


@in_each_loop
def test_sleeping_works_in_real_loops(loop_factory: Any) -> None:
    """A short sleep is slept, a long one is ended by a thread."""

    async def main() -> None:
        ctx = Context()
        assert await ctx.sleep(0.001)
        thread = threading.Timer(0.01, ctx.cancel)
        thread.start()
        assert not await ctx.sleep(3600)
        thread.join()

    run_in(loop_factory, main)


# In threads


def test_a_thread_waits_until_it_is_done() -> None:
    """`wait_sync` returns True when the context is done, and at once if it is already."""

    async def main() -> None:
        ctx = Context()
        got: list[tuple[bool, float]] = []
        loop = virtual_loop()

        def work() -> None:
            for _ in range(2):
                got.append((ctx.wait_sync(), loop.time()))

        thread = start(work)
        loop.call_later(3600, ctx.cancel)
        await asyncio.sleep(3700)
        thread.join()
        assert [done for done, _ in got] == [True, True]
        assert 3600 <= got[0][1] < 3660
        assert not ctx._waiters

    run_virtual(main)


def test_a_thread_that_waits_for_a_while_stops_gracefully() -> None:
    """`while not ctx.wait_sync(60): tick()` ticks every minute until the context is done."""

    async def main() -> None:
        ctx = Context()
        ticks = []
        ctx.bind()

        def work() -> None:
            while not ctx.wait_sync(60):
                ticks.append(1)

        thread = start(work)
        await asyncio.sleep(200)
        ctx.cancel()
        await asyncio.to_thread(thread.join)
        assert len(ticks) == 3

    run_virtual(main)


def test_a_thread_waits_no_longer_than_the_timeout_above_it() -> None:
    """A thread sees its context end by its own time."""

    async def main() -> None:
        ctx = Context().child(timeout=60)
        assert await asyncio.to_thread(ctx.wait_sync, 3600)
        assert 60 <= asyncio.get_running_loop().time() < 120
        assert isinstance(ctx.reason, TimeoutError)

    run_virtual(main)


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**12])
def test_a_thread_may_wait_for_ever(timeout: float) -> None:
    """Also a wait that is longer than a lock can take ends when the context is done."""
    ctx = Context()
    timer = threading.Timer(0.01, ctx.cancel)
    timer.start()
    assert ctx.wait_sync(timeout)
    timer.join()


@pytest.mark.parametrize("timeout", [one for one in NONSENSE if one is not None])
def test_a_nonsense_wait_is_refused(timeout: Any) -> None:
    """A timeout that is no number of seconds is a `ValueError`."""
    with pytest.raises(ValueError, match="timeout must be a number of seconds"):
        Context().wait_sync(timeout)


@in_each_loop
def test_the_thread_of_a_running_loop_must_not_wait(loop_factory: Any) -> None:
    """A wait that would block the loop is a `RuntimeError`, even where it would be over at once."""

    async def main() -> None:
        ctx = Context()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="would block the running loop"):
                ctx.wait_sync(0)
            ctx.cancel()

    run_in(loop_factory, main)


@in_each_loop
def test_a_thread_may_cancel(loop_factory: Any) -> None:
    """A cancel from another thread wakes coroutines of several loops, and threads."""

    async def main() -> None:
        ctx = Context()
        woken: list[str] = []

        async def other() -> None:
            await ctx.wait()
            woken.append("loop")

        def thread() -> None:
            ctx.wait_sync()
            woken.append("thread")

        work = [lambda: asyncio.run(other()), thread, lambda: asyncio.run(other())]
        threads = [threading.Thread(target=one) for one in work]
        for one in threads:
            one.start()
        await until(lambda: len(waiting_at(ctx)) == 3)
        canceller = threading.Thread(
            target=ctx.cancel, args=("by a thread",), kwargs={"within": 60}
        )
        asyncio.get_running_loop().call_soon(canceller.start)
        await ctx.wait()
        assert ctx.reason == "by a thread"
        assert 50 < (ctx.remaining() or 0) <= 60.001
        for one in (*threads, canceller):
            await asyncio.to_thread(one.join)
        assert sorted(woken) == ["loop", "loop", "thread"]

    run_in(loop_factory, main)


def waiting_at(ctx: Context) -> list[Any]:
    waiters = ctx._waiters
    return [] if waiters is None else list(waiters) if type(waiters) is dict else [waiters]


@in_each_loop
def test_time_given_by_a_thread_counts_from_that_moment(loop_factory: Any) -> None:
    """A loop that has been idle for a while does not take it off the time to stop."""

    async def main() -> None:
        ctx = Context()

        def cancel() -> None:
            time.sleep(0.3)
            ctx.cancel(within=60)

        thread = threading.Thread(target=cancel)
        thread.start()
        await ctx.wait()
        thread.join()
        assert 59.8 < (ctx.remaining() or 0) <= 60.001

    run_in(loop_factory, main)


def test_no_wakeup_is_lost_in_a_race() -> None:
    """However waiting and cancelling meet, everybody who waits goes on."""

    async def main() -> None:
        for _ in range(200):
            ctx = Context()
            barrier = threading.Barrier(3)

            def cancel(ctx: Context = ctx, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                ctx.cancel()

            def wait(ctx: Context = ctx, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                assert ctx.wait_sync(30)

            async with asyncio.TaskGroup() as group:
                for work in (cancel, wait):
                    group.create_task(asyncio.to_thread(work))
                await asyncio.to_thread(barrier.wait)
                group.create_task(ctx.wait())
                group.create_task(ctx.sleep(30))

    asyncio.run(main())


def test_done_between_the_question_and_the_wait_is_seen() -> None:
    """A context that another thread ends just before the waiter is in place does not let it wait."""

    class Late(Context):
        __slots__ = ()

        def _add(self, waiter: Any) -> None:
            self.cancel()
            super()._add(waiter)

    async def main() -> None:
        await Late().wait()
        assert not await Late().sleep(3600)
        assert await asyncio.to_thread(Late().wait_sync)

    run_virtual(main)


def test_threads_may_make_children_while_it_ends() -> None:
    """Each child that a thread makes meanwhile is done, whenever it was made."""
    for _ in range(20):
        root = Context()
        children: list[Context] = []
        begun = threading.Barrier(2)

        def work(
            root: Context = root,
            children: list[Context] = children,
            begun: threading.Barrier = begun,
        ) -> None:
            begun.wait()
            while not root.done():
                children.append(root.child())
            children.append(root.child())

        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        time.sleep(0.0005)
        root.cancel("enough")
        thread.join()
        assert {child.reason for child in children} == {"enough"}


# From signal handlers


@contextlib.contextmanager
def handled(handler: Callable[[], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, lambda *_: handler())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@in_each_loop
def test_a_signal_handler_may_cancel(loop_factory: Any) -> None:
    """A cancel in a signal handler wakes who waits in the loop that it has interrupted."""

    async def main() -> None:
        ctx = Context()
        with handled(lambda: ctx.cancel("a signal", within=60)):
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGUSR1)
            await ctx.wait()
        assert ctx.reason == "a signal"
        assert 50 < (ctx.remaining() or 0) <= 60.001

    run_in(loop_factory, main)


def test_a_signal_handler_may_cancel_what_its_thread_waits_for() -> None:
    """The main thread goes on that waits for the context which the handler ends."""
    ctx = Context()
    with handled(ctx.cancel):
        main = threading.main_thread().ident
        assert main is not None
        timer = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        assert ctx.wait_sync(30)
        timer.join()


def test_a_signal_handler_that_raises_ends_the_wait() -> None:
    """An interrupted wait leaves no trace."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    ctx = Context()
    with handled(interrupt):
        main = threading.main_thread().ident
        assert main is not None
        timer = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ctx.wait_sync(30)
        timer.join()
    assert not ctx._waiters


def test_a_signal_handler_may_cancel_in_the_middle_of_anything() -> None:
    """A handler does not wait for the thread that it has interrupted, whatever that was at."""
    root = Context()

    class Interrupted:
        """Waits at a context, and lets the signal come while that is being ended."""

        def end(self, woken: list[Any]) -> None:
            signal.raise_signal(signal.SIGUSR1)
            seen.append((root.reason, children[-1].reason))

    seen: list[Any] = []
    children = [root.child() for _ in range(3)]
    root._add(Interrupted())
    with handled(lambda: root.cancel("the handler", within=60)):
        root.cancel("the program", within=3600)
    assert seen == [("the program", "the program")]
    assert {one.reason for one in (root, *children)} == {"the program"}
    assert all(50 < (one.remaining() or 0) <= 60 for one in (root, *children))


def test_signals_at_any_moment_leave_a_sound_tree() -> None:
    """Handlers that cancel between any two steps of the main thread neither hang it nor lose an end."""
    contexts: list[Context] = []

    def cancel(*_: object) -> None:
        for ctx in contexts[-1:]:
            ctx.cancel("a signal")

    before = signal.signal(signal.SIGALRM, cancel)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            root = Context()
            contexts[:] = [root]
            children = [root.child(), root.child(timeout=60), root.child().child()]
            root.wait_sync(0)
            root.cancel("the program")
            assert {one.reason for one in (root, *children)} in ({"a signal"}, {"the program"})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Interrupting


@pytest.mark.virtual_time
async def test_a_body_is_interrupted_when_it_is_done() -> None:
    """`interrupt` cancels its body when the context is done, and leaves quietly."""
    ctx = Context()
    asyncio.get_running_loop().call_later(5, ctx.cancel)
    async with ctx.interrupt():
        await asyncio.sleep(3600)
        raise AssertionError
    assert asyncio.get_running_loop().time() == 5
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
    await asyncio.sleep(1)
    assert not ctx._waiters


@pytest.mark.virtual_time
async def test_an_interrupt_may_be_entered_again() -> None:
    """One that has cancelled its body once does so the next time as well."""
    ctx = Context()
    asyncio.get_running_loop().call_later(1, ctx.cancel)
    interrupt = ctx.interrupt()
    for _ in range(2):
        async with asyncio.timeout(60), interrupt:
            await asyncio.sleep(3600)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


@pytest.mark.virtual_time
async def test_a_body_that_ends_first_is_not_interrupted() -> None:
    """Once its body is left, an interrupt does nothing more."""
    ctx = Context()
    async with ctx.interrupt():
        await asyncio.sleep(1)
    ctx.cancel()
    await asyncio.sleep(1)


@pytest.mark.virtual_time
async def test_a_body_that_ends_in_the_same_turn_is_not_interrupted() -> None:
    """A context that is done in the last step of the body comes too late."""
    ctx = Context()
    async with ctx.interrupt():
        await asyncio.sleep(1)
        ctx.cancel()
    await asyncio.sleep(1)


@pytest.mark.virtual_time
async def test_a_body_begun_after_the_end_is_interrupted_where_it_first_waits() -> None:
    """When the context is done already, the body gets as far as its first wait."""
    ctx = Context()
    ctx.cancel()
    steps = []
    async with ctx.interrupt():
        steps.append("begun")
        await asyncio.sleep(1)
        steps.append("waited")
    async with ctx.interrupt():
        steps.append("nothing to wait for")
    await asyncio.sleep(1)
    assert steps == ["begun", "nothing to wait for"]


@pytest.mark.virtual_time
async def test_what_a_body_raises_comes_out() -> None:
    """An exception of the body comes out, also one that its cleaning up raises."""
    ctx = Context()
    with pytest.raises(LookupError):
        async with ctx.interrupt():
            raise LookupError
    asyncio.get_running_loop().call_later(5, ctx.cancel)
    with pytest.raises(LookupError):
        async with ctx.interrupt():
            try:
                await asyncio.sleep(3600)
            finally:
                raise LookupError
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@pytest.mark.virtual_time
async def test_a_body_may_swallow_the_interrupt() -> None:
    """A body that catches the cancellation goes on, and is not cancelled a second time."""
    ctx = Context()
    asyncio.get_running_loop().call_later(5, ctx.cancel)
    async with ctx.interrupt():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(10)
    assert asyncio.get_running_loop().time() == 15
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@pytest.mark.virtual_time
async def test_a_cancellation_from_elsewhere_passes_through() -> None:
    """Only its own cancellation is swallowed."""
    ctx = Context()
    left = []

    async def body() -> None:
        async with ctx.interrupt():
            await asyncio.sleep(3600)
        left.append("quietly")

    task = asyncio.create_task(body())
    await asyncio.sleep(1)
    task.cancel("from elsewhere")
    with pytest.raises(asyncio.CancelledError, match="from elsewhere"):
        await task
    assert not left
    assert not ctx._waiters


@pytest.mark.virtual_time
@pytest.mark.parametrize("order", ["outside first", "context first", "while it cleans up"])
async def test_a_cancellation_from_elsewhere_at_the_same_moment_is_obeyed(order: str) -> None:
    """With a cancellation from elsewhere on top of its own, the interrupt does not swallow it."""
    ctx = Context()
    left = []

    async def body() -> None:
        async with ctx.interrupt():
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(1)
        left.append("quietly")

    task = asyncio.create_task(body())
    await asyncio.sleep(1)
    if order == "outside first":
        task.cancel()
        ctx.cancel()
    else:
        ctx.cancel()
        if order == "while it cleans up":
            await asyncio.sleep(0.5)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not left
    assert task.cancelling() == 1


@pytest.mark.virtual_time
async def test_a_cancellation_swallowed_before_does_not_confuse_it() -> None:
    """In a task that has survived a cancellation, an interrupt still tells its own apart."""
    ctx = Context()

    async def body() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        async with ctx.interrupt():
            await asyncio.sleep(3600)
        return "left quietly"

    task = asyncio.create_task(body())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(1)
    ctx.cancel()
    assert await task == "left quietly"


@pytest.mark.virtual_time
async def test_nested_interrupts_of_one_context_leave_together() -> None:
    """The body of the outer one does not go on after the inner one."""
    ctx = Context()
    asyncio.get_running_loop().call_later(5, ctx.cancel)
    async with ctx.interrupt():
        async with ctx.interrupt():
            await asyncio.sleep(3600)
        raise AssertionError
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
    assert asyncio.get_running_loop().time() == 5


@pytest.mark.virtual_time
async def test_of_nested_interrupts_only_the_one_that_is_done_leaves() -> None:
    """An inner context that is done interrupts its own body only, an outer one both."""
    outer = Context()
    loop = asyncio.get_running_loop()
    async with outer.interrupt():
        inner = outer.child()
        loop.call_later(5, inner.cancel)
        async with inner.interrupt():
            await asyncio.sleep(3600)
        assert loop.time() == 5
        loop.call_later(5, outer.cancel)
        async with Context().interrupt():
            await asyncio.sleep(3600)
        raise AssertionError
    assert loop.time() == 10
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@pytest.mark.virtual_time
async def test_an_interrupt_goes_together_with_timeouts_and_groups() -> None:
    """Timeouts and task groups inside of the body, or around it, keep their meaning."""
    ctx = Context()
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with ctx.interrupt(), asyncio.timeout(5):
            await asyncio.sleep(3600)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5), ctx.interrupt():
            await asyncio.sleep(3600)
    loop.call_later(5, ctx.cancel)
    async with asyncio.timeout(3600), ctx.interrupt(), asyncio.timeout(3600):
        async with asyncio.TaskGroup() as group:
            sleeping = group.create_task(asyncio.sleep(3600))
            await asyncio.sleep(3600)
        raise AssertionError
    assert sleeping.cancelled()
    assert loop.time() == 15


@in_each_loop
def test_a_thread_may_interrupt(loop_factory: Any) -> None:
    """A context that a thread ends interrupts bodies in the loop."""

    async def main() -> None:
        ctx = Context()
        thread = threading.Timer(0.01, ctx.cancel)
        thread.start()
        async with ctx.interrupt():
            await asyncio.sleep(3600)
        thread.join()

    run_in(loop_factory, main)


@pytest.mark.virtual_time
async def test_an_interrupt_needs_a_task() -> None:
    """Where there is no task to be cancelled, `interrupt` says so."""
    entering = Context().interrupt().__aenter__()
    raised: list[BaseException] = []

    def outside_of_tasks() -> None:
        try:
            entering.send(None)  # type: ignore[attr-defined]
        except RuntimeError as error:
            raised.append(error)

    asyncio.get_running_loop().call_soon(outside_of_tasks)
    await asyncio.sleep(1)
    assert "inside of a task" in str(raised[0])


# Items until it is done


class Source:
    """Numbers, one a second; says when it is closed."""

    def __init__(self, most: float = math.inf) -> None:
        self.most = most
        self.closed = 0

    async def numbers(self) -> AsyncIterator[int]:
        number = 0
        try:
            while number < self.most:
                await asyncio.sleep(1)
                yield number
                number += 1
        finally:
            await asyncio.sleep(0)
            self.closed += 1


@pytest.mark.virtual_time
async def test_items_come_until_it_is_done() -> None:
    """`until_done` gives the items of its source, ends when the context is done, and closes it."""
    ctx = Context()
    source = Source()
    asyncio.get_running_loop().call_later(3.5, ctx.cancel)
    assert [number async for number in ctx.until_done(source.numbers())] == [0, 1, 2]
    assert source.closed == 1
    assert asyncio.get_running_loop().time() == 3.5
    assert not ctx.performance


@pytest.mark.virtual_time
async def test_items_end_with_their_source() -> None:
    """A source that has no more ends the loop before the context does."""
    ctx = Context()
    source = Source(most=2)
    assert [number async for number in ctx.until_done(source.numbers())] == [0, 1]
    assert source.closed == 1
    assert not ctx.done()


@pytest.mark.virtual_time
async def test_an_item_that_is_none_is_an_item() -> None:
    """Any value may be an item."""

    async def values() -> AsyncIterator[object]:
        for value in (None, False, 0, StopAsyncIteration):
            yield value

    got = [value async for value in Context().until_done(values())]
    assert got == [None, False, 0, StopAsyncIteration]


@pytest.mark.virtual_time
async def test_nothing_is_asked_of_a_source_after_the_end() -> None:
    """When the context is done already there are no items, and the source is closed all the same."""
    ctx = Context()
    ctx.cancel()

    class Closed(Source):
        def __aiter__(self) -> "Closed":
            return self

        async def __anext__(self) -> int:
            raise AssertionError

        async def aclose(self) -> None:
            self.closed += 1

    source = Closed()
    assert [number async for number in ctx.until_done(source)] == []
    assert source.closed == 1


@pytest.mark.virtual_time
async def test_a_consumer_is_not_interrupted() -> None:
    """What is done with an item is brought to its end, and after that there is no other."""
    ctx = Context()
    asyncio.get_running_loop().call_later(1.5, ctx.cancel)
    handled = []
    async for number in ctx.until_done(Source().numbers()):
        await asyncio.sleep(10)
        handled.append(number)
    assert handled == [0]


@pytest.mark.virtual_time
@pytest.mark.parametrize("leave", ["raise", "break", "cancel"])
async def test_a_source_is_closed_when_its_consumer_leaves(leave: str) -> None:
    """A consumer that raises, breaks or is cancelled leaves no open source."""
    source = Source()

    async def consume() -> None:
        async for _ in Context().until_done(source.numbers()):
            if leave == "raise":
                raise LookupError
            if leave == "break":
                return
            await asyncio.sleep(3600)

    task = asyncio.create_task(consume())
    await asyncio.sleep(2)
    task.cancel()
    await asyncio.wait([task])
    await turns()
    assert source.closed == 1


@pytest.mark.virtual_time
async def test_a_source_may_be_closed_by_hand() -> None:
    """What `until_done` gives can be closed, and closes its source before that returns."""
    source = Source()
    with pytest.raises(LookupError):
        async with contextlib.aclosing(Context().until_done(source.numbers())) as numbers:
            async for _ in numbers:
                raise LookupError
    assert source.closed == 1


@pytest.mark.virtual_time
async def test_what_a_source_raises_comes_out() -> None:
    """An error of the source ends the loop with that error."""

    async def broken() -> AsyncIterator[int]:
        yield 1
        raise LookupError("broken")

    got = []
    with pytest.raises(LookupError, match="broken"):
        async for number in Context().until_done(broken()):
            got.append(number)
    assert got == [1]


@pytest.mark.virtual_time
async def test_a_source_that_can_not_be_closed_is_left_alone() -> None:
    """An iterator without `aclose` is a source as well."""

    class Ticks:
        def __aiter__(self) -> "Ticks":
            return self

        async def __anext__(self) -> float:
            await asyncio.sleep(1)
            return asyncio.get_running_loop().time()

    ctx = Context()
    asyncio.get_running_loop().call_later(2.5, ctx.cancel)
    assert [tick async for tick in ctx.until_done(Ticks())] == [1, 2]


@pytest.mark.virtual_time
async def test_an_item_that_a_source_saves_from_its_end_is_not_lost() -> None:
    """An item that the source still gives when it is interrupted is given on."""

    async def saving() -> AsyncIterator[str]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            yield "saved"

    ctx = Context()
    asyncio.get_running_loop().call_later(5, ctx.cancel)
    assert [item async for item in ctx.until_done(saving())] == ["saved"]


# Whose it is


class Seat:
    """Somebody whom a context belongs to."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.heard: list[Any] = []
        self.performance: Any = None

    def on_ready(self, context: Context, details: dict[str, object]) -> None:
        self.heard.append((context, details))

    def on_heartbeat(self) -> None:
        self.heard.append("heartbeat")

    def on_locate(self, context: Context, locate: Callable[[], str]) -> None:
        self.heard.append((context, locate()))


def test_a_context_of_nobody_has_no_path() -> None:
    """A context that belongs to no player has the path "", and says nothing to anyone."""
    ctx = Context().child()
    assert (ctx.path, ctx.performance, ctx.seat) == ("", None, None)
    ctx.ready(port=80)
    ctx.heartbeat()
    ctx.locate(lambda: "here")


def test_a_players_context_and_those_below_belong_to_it() -> None:
    """What a player says through any context below its own is heard as its own."""
    seat = Seat("api.worker")
    seat.performance = object()
    ctx = Context().of_player(seat)
    below = ctx.child().child()
    assert (below.path, below.performance) == ("api.worker", seat.performance)
    below.ready(port=80)
    ctx.ready()
    below.heartbeat()
    ctx.locate(lambda: "here")
    assert seat.heard == [(ctx, {"port": 80}), (ctx, {}), "heartbeat", (ctx, "here")]


def test_a_performance_takes_the_root_and_gives_it_back() -> None:
    """All contexts of a tree belong to what plays over its root, for as long as it does."""
    root = Context()
    below = root.child().child()
    seat = Seat("")
    assert below.take_root(seat) is root
    assert below.seat is seat
    root.sit(None)
    assert below.seat is None


@pytest.mark.virtual_time
async def test_who_keeps_a_player_may_grant_it_more_time() -> None:
    """The time of one run can be set anew by its keeper, also to a later moment."""
    ctx = Context().of_player(Seat("a"))
    ctx.end_by("enough", 5)
    assert ctx.remaining() == 5
    ctx.grant(8)
    assert ctx.remaining() == 8


def test_a_run_that_is_over_ends_what_was_made_for_it() -> None:
    """The context of a run is done when the run is, and so is all below it."""
    lonely = Context().of_player(Seat("a"))
    lonely.close()
    lonely.close()
    assert lonely.reason == "the run has ended"
    ctx = Context().of_player(Seat("a"))
    child = ctx.child()
    ctx.close()
    assert child.reason == "the run has ended"


@pytest.mark.virtual_time
async def test_the_end_of_a_run_wakes_who_waits_for_it() -> None:
    """A task that a player has left behind sees the end of its run."""
    ctx = Context().of_player(Seat("a"))
    task = asyncio.create_task(ctx.wait())
    await asyncio.sleep(0)
    ctx.close()
    await task


@pytest.mark.virtual_time
async def test_a_group_gives_its_players_their_share_of_the_time() -> None:
    """Players have their group's budget, or a share of what is left above if that is less."""
    parent = Context()
    players = [Context().of_player(Seat(name)) for name in "ab"]
    heard: list[float | None] = []
    group = GroupContext(parent, 9.0, lambda: players, lambda: heard.append(group.remaining()))
    assert group.loop is asyncio.get_running_loop()
    parent.cancel("enough", within=100)
    assert [one.remaining() for one in (group, *players)] == [9, 9, 9]
    assert {one.reason for one in players} == {"enough"}
    await turns()
    parent.cancel(within=20)
    await turns()
    parent.cancel(within=5)
    await turns()
    assert heard == [9, 4.25]
    assert players[0].remaining() == 4.25
    assert group.deadline == 4.25


@pytest.mark.virtual_time
async def test_a_group_hears_of_its_end_before_its_players_do() -> None:
    """When players wake up, their group has seen that they were asked."""
    parent = Context()
    order: list[str] = []
    player = Context().of_player(Seat("a"))
    GroupContext(parent, 9.0, lambda: [player], lambda: order.append("group"))
    group = GroupContext(parent, 9.0, lambda: [player], lambda: order.append("group"))

    async def play() -> None:
        await player.wait()
        order.append("player")

    task = asyncio.create_task(play())
    await asyncio.sleep(0)
    group.end_by("enough", 3.0)
    await task
    assert order == ["group", "player"]
    assert player.remaining() == 2.55
