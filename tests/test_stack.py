"""Where something is right now: the await chain of a task, the stack of a thread."""

import asyncio
import gc
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from orchestra import Conductor, Context, StopTimeoutError, _stack
from virtual import until


def functions(text: str) -> list[str]:
    """The names of the functions in a text of places, the outermost first."""
    return re.findall(r"^at .+?:\d+ in ([^\s:]+)", text, re.MULTILINE)


async def where(awaitable: Any) -> str:
    """Where a task is that waits for this."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(1)
    text = _stack.of_task(task)
    task.cancel()
    await asyncio.wait([task])
    return text


async def innermost() -> None:
    await asyncio.get_running_loop().create_future()


async def middle() -> None:
    await innermost()


# Tasks


@pytest.mark.virtual_time
async def test_the_await_chain_goes_down_to_the_innermost_frame() -> None:
    """Each line has the file, the line, the function and the source."""
    text = await where(middle())
    outer, inner = text.splitlines()
    assert re.fullmatch(rf"at {re.escape(__file__)}:\d+ in middle: await innermost\(\)", outer)
    assert re.fullmatch(
        rf"at {re.escape(__file__)}:\d+ in innermost: await asyncio\.get_running_loop\(\).+", inner
    )


@pytest.mark.virtual_time
async def test_a_task_that_is_over_is_nowhere() -> None:
    """There is nothing to say about a task that has ended, or that was never there."""
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    assert _stack.of_task(task) == ""
    assert _stack.of_task(None) == ""


@pytest.mark.virtual_time
async def test_the_chain_goes_on_in_the_tasks_that_are_waited_for() -> None:
    """Behind a task, a shield or a gathering, the chain of those tasks follows."""

    async def waits_for_a_task() -> None:
        await asyncio.create_task(middle())

    async def waits_for_several() -> None:
        await asyncio.gather(middle(), asyncio.sleep(0), asyncio.sleep(3600))

    assert functions(await where(waits_for_a_task())) == ["waits_for_a_task", "middle", "innermost"]
    several = functions(await where(waits_for_several()))
    assert several == ["waits_for_several", "middle", "innermost", "sleep"]


@pytest.mark.virtual_time
async def test_a_task_that_several_wait_for_is_shown_once() -> None:
    """However many ways lead to a task, its chain is told one time."""
    shared = asyncio.create_task(middle())

    async def waits() -> None:
        await shared

    async def waits_for_several() -> None:
        await asyncio.gather(waits(), waits())

    found = functions(await where(waits_for_several()))
    assert found == ["waits_for_several", "waits", "middle", "innermost", "waits"]
    await asyncio.wait([shared])


async def numbers() -> AsyncIterator[int]:
    yield 1
    await innermost()


async def doubled() -> AsyncIterator[int]:
    async for number in numbers():
        yield number * 2


@pytest.mark.virtual_time
async def test_the_chain_goes_through_async_generators() -> None:
    """Who waits in an `async for` is shown where its generator waits."""

    async def consumes() -> None:
        async for _ in doubled():
            pass

    async def asks() -> None:
        iterator = doubled()
        await anext(iterator, None)
        await anext(iterator, None)

    async def until_done() -> None:
        async for _ in Context().until_done(doubled()):
            pass

    for consumer in (consumes, asks):
        found = functions(await where(consumer()))
        assert found == [consumer.__name__, "doubled", "numbers", "innermost"]
    found = functions(await where(until_done()))
    assert found[0] == "until_done"
    assert found[-3:] == ["doubled", "numbers", "innermost"]


@pytest.mark.virtual_time
async def test_the_chain_goes_through_generators_and_awaitables() -> None:
    """Objects with an `__await__` of their own are part of the chain."""

    class Coroutine:
        def __await__(self) -> Generator[Any, None, None]:
            return middle().__await__()

    class Steps:
        def __await__(self) -> Generator[Any, None, None]:
            yield from middle().__await__()

    async def waits(awaitable: Any) -> None:
        await awaitable

    assert functions(await where(waits(Coroutine()))) == ["waits", "middle", "innermost"]
    assert functions(await where(waits(Steps()))) == ["waits", "__await__", "middle", "innermost"]


@pytest.mark.virtual_time
async def test_a_task_that_waits_for_a_context_is_shown_where_it_does() -> None:
    """What a context waits with tells nothing."""

    async def worker(ctx: Context) -> None:
        await ctx.wait()

    text = await where(worker(Context()))
    assert functions(text) == ["worker", "wait"]


def test_a_task_that_blocks_its_loop_is_shown_where_it_does() -> None:
    """From another thread, a coroutine that runs right now is seen down to the line it runs."""
    texts: list[str] = []
    tasks: list[Any] = []
    seen = threading.Event()

    def blocks() -> None:
        seen.wait(10)

    async def worker() -> None:
        await nested()

    async def nested() -> None:
        tasks.append(asyncio.current_task())
        blocks()

    def look() -> None:
        while not tasks or "blocks" not in (text := _stack.of_task(tasks[0])):
            time.sleep(0.001)
        texts.append(text)
        seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    asyncio.run(worker())
    thread.join()
    assert functions(texts[0])[:3] == ["worker", "nested", "blocks"]


@pytest.mark.virtual_time
async def test_whether_a_task_has_begun_is_known() -> None:
    """A task has begun with the first step of its coroutine."""
    task = asyncio.create_task(asyncio.sleep(5))
    assert not _stack.has_begun(task)
    await asyncio.sleep(0)
    assert _stack.has_begun(task)
    await task
    assert _stack.has_begun(task)
    assert not _stack.has_begun(None)


@pytest.mark.virtual_time
async def test_a_stuck_player_is_told_without_our_own_frames() -> None:
    """The chain of a player begins with the player."""

    async def _live(ctx: Context) -> None:
        await middle()

    with pytest.raises(ExceptionGroup) as raised:
        ctx = Context()
        asyncio.get_running_loop().call_later(1, ctx.cancel)
        await Conductor({"a": _live}, timeout=5).play(ctx)
    (error,) = raised.value.exceptions
    assert isinstance(error, StopTimeoutError)
    assert functions(error.stuck["a"]) == ["_live", "middle", "innermost"]


# Threads


def waits(event: threading.Event) -> None:
    event.wait()


def test_the_stack_of_a_thread_has_its_innermost_frame_last() -> None:
    """The frames of `threading` itself are left out, those of files with a like name are not."""
    event = threading.Event()
    code = compile("def waits_too(waits, event):\n    waits(event)\n", "/my/threading.py", "exec")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    thread = threading.Thread(target=namespace["waits_too"], args=(waits, event))
    thread.start()

    async def main() -> None:
        await until(lambda: "event.wait()" in _stack.of_thread(thread.ident))

    asyncio.run(main())
    text = _stack.of_thread(thread.ident)
    event.set()
    thread.join()
    assert functions(text) == ["waits_too", "waits"]
    assert text.startswith("at /my/threading.py:2 in waits_too\n")
    assert text.endswith("in waits: event.wait()")


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_while_frames_are_looked_at(
    collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11 may hang if it is, and so it is put off until after the look."""
    seen: list[bool] = []
    look = sys._current_frames

    def watched() -> Any:
        seen.append(gc.isenabled())
        return look()

    monkeypatch.setattr(sys, "_current_frames", watched)
    if not collects:
        gc.disable()
    try:
        assert threading.get_ident() in _stack.current_frames()
        assert seen == [False]
        assert gc.isenabled() == collects
    finally:
        gc.enable()


def test_a_thread_that_is_over_is_nowhere() -> None:
    """There is nothing to say about a thread that has ended, or has not begun."""
    thread = threading.Thread(target=lambda: None)
    assert _stack.of_thread(thread.ident) == ""
    thread.start()
    thread.join()
    assert _stack.of_thread(-1) == ""


def test_a_thread_that_waits_for_its_context_is_shown_where_it_does() -> None:
    """What a context waits with tells nothing, in a thread as well."""
    texts: list[str] = []

    async def main() -> None:
        ctx = Context()
        idents: list[int] = []

        def work() -> None:
            idents.append(threading.get_ident())
            ctx.wait_sync()

        task = asyncio.create_task(asyncio.to_thread(work))
        await until(lambda: bool(idents) and bool(ctx._waiters))
        texts.append(_stack.of_thread(idents[0]))
        ctx.cancel()
        await task

    asyncio.run(main())
    assert functions(texts[0])[-2:] == ["work", "wait_sync"]


def steps() -> Iterator[_stack.Place]:
    yield ("/no/such/file.py", 7, "work")
    yield (__file__, 1, "module")


def test_places_are_told_with_their_source_where_that_is_known() -> None:
    """A file that can't be read has its line told without the source."""
    first, second = _stack.in_words(steps()).splitlines()
    assert first == "at /no/such/file.py:7 in work"
    assert second.startswith(f'at {__file__}:1 in module: """Where something is')
