"""Plays processes of every kind, until it is killed."""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import process_plays as plays

from orchestra import Conductor, ProcessPlayer, run

EVER = itertools.repeat(0.0)

if __name__ == "__main__":
    conductor = Conductor(
        {
            "plain": ProcessPlayer(plays.works),
            "thread": ProcessPlayer(plays.stuck_thread),
            "blocked": ProcessPlayer(plays.blocks_at_once),
            "lock": ProcessPlayer(plays.Family("lock")),
            "tree": ProcessPlayer(plays.nested_family()),
            "flapping": ProcessPlayer(plays.Family("exit"), backoff=EVER),
            "forked": ProcessPlayer(plays.Family(), start_method="forkserver"),
        },
        timeout=1,
    )
    print("playing", flush=True)
    run(conductor)
