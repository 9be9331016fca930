"""Tasks that never raise: what they came to is for others to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

Contained = asyncio.Task[BaseException | None]


async def _contained(work: Callable[[], Awaitable[object]]) -> BaseException | None:
    try:
        await work()
    except BaseException as error:
        # Also a SystemExit: out of a task it would end the loop, and all that runs in it.
        return error
    return None


def contained(work: Callable[[], Awaitable[object]], name: str) -> Contained:
    """A task that calls this; `outcome` is what it raised, a cancellation too."""
    return asyncio.get_running_loop().create_task(_contained(work), name=name)


def outcome(task: Contained) -> BaseException | None:
    """What a task that is done has raised."""
    # One that is cancelled before its first step never comes to contain anything.
    return asyncio.CancelledError() if task.cancelled() else task.result()


async def turns(number: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def all_done(tasks: Iterable[asyncio.Task[object]], deadline: float) -> bool:
    """Wait until these tasks are done, and tell whether they are; their results stay where they are.

    They get some turns of the loop in any case, so that who has been cancelled can take notice even
    where there is no time.
    """
    pending = {task for task in tasks if not task.done()}
    for _ in range(10):
        if not pending:
            return True
        await asyncio.sleep(0)
        pending = {task for task in pending if not task.done()}
    left = deadline - asyncio.get_running_loop().time()
    if pending and left > 0:
        _, pending = await asyncio.wait(pending, timeout=left)
    return not pending
