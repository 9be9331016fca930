"""Plays commands of every kind, until it is killed; `programs/commands.py MARK`."""

import asyncio
import itertools
import os
import sys

from orchestra import CommandPlayer, Conductor, run
from orchestra.probes import command

MARK = sys.argv[1]


def sh(script: str) -> list[str]:
    return ["sh", "-c", script, "sh", MARK]


def player(script: str, **options: object) -> CommandPlayer:
    return CommandPlayer(sh(script), backoff=itertools.repeat(0.0), **options)  # type: ignore[arg-type]


conductor = Conductor(
    {
        "plain": CommandPlayer(["sleep", MARK], backoff=itertools.repeat(0.0)),
        "deaf": player("trap '' TERM INT HUP; while :; do sleep $1; done"),
        "children": player("sleep $1 & sleep $1 & wait"),
        "leaves": player("(setsid sleep $1 &); (setsid setsid sleep $1 &); sleep $1"),
        "flood": player("while :; do echo $1; done"),
        "flapping": player("sleep $1 & exit 1"),
        "probed": player("sleep $1", ready=command(sh("sleep 0.05; exit 1; sleep $1"))),
    },
    timeout=1,
)


async def forks() -> None:
    """A child that is no other program has all of the descriptors."""
    if os.fork() == 0:
        import time

        time.sleep(60)
        os._exit(0)
    await asyncio.Event().wait()


if "forks" in sys.argv:
    conductor.add("forks", forks)
print("playing", flush=True)
run(conductor)
