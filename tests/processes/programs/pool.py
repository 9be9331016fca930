"""A call in asyncio's pool of threads that never returns, or returns after the performance."""

import asyncio
import atexit
import sys
import threading
import time

from orchestra import run

returns = threading.Event()


def work() -> None:
    print("ready", flush=True)
    returns.wait()


async def worker() -> None:
    await asyncio.to_thread(work)


def own_work() -> None:
    time.sleep(1.5)
    print("own work is done", flush=True)


def late() -> None:
    time.sleep(1.5)
    print("late", flush=True)


run(worker, timeout=0.1)
print("after", flush=True)
if "returns" in sys.argv:
    # A program that goes on: what it does at its own end is its own business.
    atexit.register(late)
    threading.Thread(target=own_work).start()
    returns.set()
