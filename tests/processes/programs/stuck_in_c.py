"""A player that is stuck in C, where no signal handler of Python's can run, in the loop given."""

import ctypes
import sys

import uvloop

from orchestra import Conductor, Context, run

mutex = ctypes.create_string_buffer(256)
lock = ctypes.CDLL(None).pthread_mutex_lock


async def blocker(ctx: Context) -> None:
    print("blocked", flush=True)
    lock(mutex)
    lock(mutex)  # of the same thread: it never returns


run(
    Conductor({"blocker": blocker}, timeout=0.1),
    loop_factory=uvloop.new_event_loop if "uvloop" in sys.argv else None,
)
