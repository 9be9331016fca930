"""As many threads as given that never return, each a player; they have the seconds given to stop."""

import asyncio
import sys
import threading

from orchestra import Conductor, Context, StopTimeoutError, run

NUMBER, TIMEOUT = int(sys.argv[1]), float(sys.argv[2])
begun: list[int] = []


def never_returns(ctx: Context) -> None:
    begun.append(1)
    threading.Event().wait()


async def tells(ctx: Context) -> None:
    while len(begun) < NUMBER:
        await ctx.sleep(0.005)
    print("ready", flush=True)
    await ctx.wait()
    print("asked", flush=True)
    try:
        await asyncio.sleep(TIMEOUT / 10)
    except asyncio.CancelledError:
        print("cut off", flush=True)


players = {f"thread-{number}": never_returns for number in range(NUMBER)}
try:
    run(Conductor({**players, "tells": tells}, timeout=TIMEOUT))
except* StopTimeoutError as group:
    (error,) = group.exceptions
    assert isinstance(error, StopTimeoutError)
    print(f"left: {len(error.left)}", flush=True)
    raise
