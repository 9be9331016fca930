"""Plays a function in so many Python processes: `processes.py FOLDER CHILD SIZE METHOD`."""

import os
import sys
from functools import partial
from pathlib import Path

from orchestra import Conductor, Context, ProcessPlayer, run


async def child(folder: str, ctx: Context) -> None:
    """Say that it runs, and wait."""
    Path(folder, "pids", str(os.getpid())).touch()
    await ctx.wait()


if __name__ == "__main__":
    folder, size, method = sys.argv[1], int(sys.argv[3]), sys.argv[4]
    players = {
        f"child{number}": ProcessPlayer(partial(child, folder), start_method=method)  # type: ignore[arg-type]
        for number in range(size)
    }
    run(Conductor(players))
