"""What the type checkers make of `replicate` and of periodic players; never run."""

from datetime import timedelta
from typing import assert_type

from orchestra import Conductor, Context, PeriodicPlayer, Player, ThreadPlayer, replicate
from orchestra.players.replicate import Replicas


class Worker:
    def __init__(self, shard: int = 0) -> None: ...

    async def play(self, ctx: Context) -> None: ...


async def work(ctx: Context) -> None: ...


def in_a_thread() -> None: ...


async def scale() -> None:
    replicas = replicate(Worker, 3, timeout=5, stop_when="any")
    assert_type(replicas, Replicas)
    assert_type(await replicas.scale(5), None)
    assert_type(await replicas.rolling_restart(), None)
    for given in (Worker(), work, in_a_thread, lambda shard: Worker(shard)):
        replicate(given, 2)
    replicate(work, 2, stop_when="some")  # type: ignore[arg-type]


every: Player = PeriodicPlayer(work, every=60)
by_the_calendar: Player = PeriodicPlayer(in_a_thread, cron="*/5 * * * *", timezone="Europe/Berlin")
Conductor({"a": PeriodicPlayer(Worker(), timedelta(minutes=1), on_error="log"), "b": every})
ThreadPlayer(in_a_thread, overlap=True)
PeriodicPlayer(work, every=60, on_error="logs")  # type: ignore[arg-type]
