"""The stop signal: done or not, why, how long there is; from any thread and in any loop."""

import asyncio
import contextlib
import gc
import math
import signal
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
from orchestra.testing import VirtualLoop, run_virtual
from virtual import start, until, virtual_loop

NONSENSE = [-1, math.nan, "5", None, True, 1j, 10**400]

in_each_loop = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])


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
        seen = [(number, within) for number, (at, within) in enumerate(cancels) if at in line[index]]
        assert ctx.done() == bool(seen)
        assert ctx.reason == (seen[0][0] if seen else None)
        if seen:
            shortest = min((within for _, within in seen if within is not None), default=math.inf)
            remaining = ctx.remaining()
            assert remaining is not None
            assert remaining == shortest or shortest - 50 < remaining <= shortest


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
        assert child.remaining() == ctx.remaining() == pytest.approx(60, abs=5)
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
    """A timeout that is over for nobody ends nothing."""
    root = Context()
    held = [root.child(timeout=5)]
    loop = asyncio.get_running_loop()
    loop.call_at(5, held.clear)  # in the same pass as the timer, after it was found due
    loop.call_at(5 - 1e-10, lambda: None)
    await asyncio.sleep(10)
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
        asyncio.tasks._PyTask(ctx.wait(), loop=loop) for _ in range(2)  # type: ignore[attr-defined]
    )
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    ctx.cancel()
    await waits
    with pytest.raises(asyncio.CancelledError):
        await cancelled


@pytest.mark.virtual_time
async def test_one_who_ends_the_loop_does_not_keep_the_others() -> None:
    """A `SystemExit` out of one who was woken goes its way after the others have been woken."""
    ctx = Context()

    async def leave() -> None:
        await ctx.wait()
        raise SystemExit(3)

    async def go_on() -> bool:
        await ctx.wait()
        return True

    main = VirtualLoop()
    try:
        before, leaver, after = (main.create_task(one()) for one in (go_on, leave, go_on))
        main.call_later(1, ctx.cancel)
        with pytest.raises(SystemExit):
            main.run_until_complete(after)
        assert before.result()
        assert main.run_until_complete(after)
        assert isinstance(leaver.exception(), SystemExit)
    finally:
        main.close()
