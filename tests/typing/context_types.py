"""The types of a context, as its users see them; checked by mypy and pyright, and never run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import assert_type

from orchestra import Context, Performance


class Queue:
    def __aiter__(self) -> AsyncIterator[bytes]:
        raise NotImplementedError


async def play(ctx: Context, source: AsyncIterator[str], queue: Queue) -> None:
    assert_type(ctx.child(), Context)
    assert_type(ctx.child(timeout=5), Context)
    assert_type(ctx.cancel("enough", within=1.5), None)
    assert_type(ctx.done(), bool)
    assert_type(ctx.reason, object | None)
    assert_type(ctx.remaining(), float | None)
    assert_type(ctx.path, str)
    assert_type(ctx.performance, Performance | None)
    assert_type(await ctx.wait(), None)
    assert_type(await ctx.sleep(60), bool)
    assert_type(ctx.wait_sync(), bool)
    assert_type(ctx.wait_sync(timeout=0.5), bool)
    assert_type(ctx.ready(addresses=["http://localhost"], pid=17), None)
    assert_type(ctx.heartbeat(), None)

    async for item in ctx.until_done(source):
        assert_type(item, str)
    async for message in ctx.until_done(queue):
        assert_type(message, bytes)
    async with aclosing(ctx.until_done(queue)) as messages:
        assert_type(await anext(messages), bytes)
    until: AsyncIterator[str] = ctx.until_done(source)
    assert_type(await anext(until), str)

    async with ctx.interrupt() as nothing:
        assert_type(nothing, None)
    # What stands after the body can be reached.
    assert_type(asyncio.get_running_loop(), asyncio.AbstractEventLoop)


def refused(ctx: Context) -> None:
    ctx.cancel(within="5")  # type: ignore[arg-type]
    ctx.child(5)  # type: ignore[call-arg]
    ctx.reason = "mine"  # type: ignore[misc]
    ctx.until_done([1, 2])  # type: ignore[arg-type]
