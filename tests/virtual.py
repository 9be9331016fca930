"""What the tests of virtual time share."""

import asyncio
import threading
import time
from collections.abc import Callable

from orchestra.testing import VirtualLoop

LONG = 1_000_000.0  # seconds that no test could wait for


def virtual_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def start(
    function: Callable[[], object], *, announced: bool = True, name: str | None = None
) -> threading.Thread:
    """Run the function in a thread, as the outside work of the running loop."""
    work = virtual_loop().outside_work() if announced else None

    def body() -> None:
        if work is None:
            function()
        else:
            with work:
                function()

    thread = threading.Thread(target=body, name=name)
    thread.start()
    return thread


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread does; a poll without virtual time."""
    while not condition():
        time.sleep(0.0005)
        await asyncio.sleep(0)


async def until_idle(threads: int = 1) -> None:
    """Wait until so many threads wait for the loop's time, and their timers are set."""
    waiting = virtual_loop()._outside._waiting
    await until(lambda: sum(one.idle for one in waiting.copy()) == threads)
