"""A forked child that gets the same Ctrl-C, by os.fork or by multiprocessing."""

import asyncio
import multiprocessing
import os
import signal
import sys
import time

from orchestra import Conductor, Context, run


def child() -> None:
    try:
        print("child\n", end="", flush=True)
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        print("child interrupted\n", end="", flush=True)


async def worker(ctx: Context) -> None:
    if "fork" in sys.argv:
        pid = os.fork()
        if not pid:
            child()
            os._exit(0)
        wait = lambda: os.waitpid(pid, 0)  # noqa: E731
    else:
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        wait = process.join
    print("ready\n", end="", flush=True)
    await ctx.wait()
    wait()
    print("asked\n", end="", flush=True)
    # Until the test has had its say, a second signal would cut this off.
    await asyncio.to_thread(sys.stdin.readline)
    print("stopped\n", end="", flush=True)


# As in a terminal, also where the tests run in the background of a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
run(Conductor({"worker": worker}, timeout=600))
