"""Plays processes, and forks one off that goes on and holds whatever this program has open."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import process_plays as plays

from orchestra import Conductor, Context, ProcessPlayer, run


async def fork(ctx: Context) -> None:
    if not os.fork():
        while True:
            signal.pause()
    print("playing", flush=True)
    await ctx.wait()


if __name__ == "__main__":
    mode = sys.argv[1]
    run(Conductor({"family": ProcessPlayer(plays.Family(mode)), "fork": fork}, ordered=True))
