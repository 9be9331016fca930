"""A player that blocks the loop: for good, or until it has read a line."""

import sys
import threading
import time

from orchestra import Conductor, Context, run


async def blocker(ctx: Context) -> None:
    print("blocked\n", end="", flush=True)
    match sys.argv[1]:
        case "sleep":
            print("unflushed")
            time.sleep(3600)
        case "busy":
            while True:
                pass
        case "print":
            while True:
                print("x" * 10_000, file=sys.stderr)
    sys.stdin.readline()
    await ctx.wait()
    print(f"asked: {ctx.reason}\n", end="", flush=True)


def thread(ctx: Context) -> None:
    main = threading.main_thread().ident
    if "print" in sys.argv:
        # Until it stays where it is: nobody reads what it prints.
        lasti = -1
        while lasti != (now := sys._current_frames()[main].f_lasti):
            lasti = now
            time.sleep(0.1)
        print("full\n", end="", flush=True)
    ctx.wait_sync()
    print(f"thread asked: {ctx.reason}\n", end="", flush=True)


drain = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
players = {"thread": thread, "blocker": blocker}
run(Conductor(players, timeout=600 if "input" in sys.argv else 0.1), drain_delay=drain)
print("after")
