"""What the type checkers take for a player, and what they do not; never run."""

import functools
import itertools
from collections.abc import Generator, Iterable
from typing import assert_type

from orchestra import (
    Conductor,
    ConstantBackoff,
    Context,
    ExponentialBackoff,
    Player,
    PlayerFunc,
    PlayerWithBackoff,
    ThreadPlayer,
    as_player,
    restarting,
)


class Worker:
    async def play(self, ctx: Context) -> None: ...


class Patient:
    signals_ready = True
    watchdog = 5.0

    async def play(self, ctx: Context) -> int:
        return 5

    def backoff(self) -> Iterable[float]:
        return [1, 5, 30]


class Generous:
    def play(self, ctx: Context, more: int = 0) -> "Generous":
        return self

    def __await__(self) -> Generator[None, None, None]:
        yield


async def cooperative(ctx: Context) -> None: ...


async def simple() -> int:
    return 5


async def with_queue(ctx: Context, queue: list[int]) -> None: ...


def plain(ctx: Context) -> None: ...


def takes_player(player: Player) -> None: ...


def takes_player_with_backoff(player: PlayerWithBackoff) -> None: ...


def are_players() -> None:
    takes_player(Worker())
    takes_player(Patient())
    takes_player(Generous())
    takes_player(PlayerFunc(cooperative))
    takes_player(PlayerFunc(simple))
    takes_player(ThreadPlayer(plain))
    takes_player(Conductor())
    takes_player_with_backoff(Patient())
    takes_player_with_backoff(Conductor())
    assert_type(as_player(cooperative), Player)
    assert_type(restarting(Worker(), [1, 5, 30]), Player)
    assert_type(restarting(simple, itertools.repeat(0), on="always"), Player)
    restarting(plain, ExponentialBackoff())
    restarting(plain, ConstantBackoff(5))
    Conductor(
        {
            "worker": Worker(),
            "patient": Patient(),
            "cooperative": cooperative,
            "simple": simple,
            "with_queue": functools.partial(with_queue, queue=[1]),
            "plain": plain,
            "lambda": lambda: None,
            "function": PlayerFunc(simple),
            "thread": ThreadPlayer(plain),
            "group": Conductor(),
            "restarting": restarting(simple, (1, 2.5)),
        }
    )


def orders(players: dict[str, Player], names: dict[str, list[str]], some: set[str]) -> None:
    Conductor(players, after={"api": ["db"], "db": ("cache",), "worker": some})
    Conductor(players, after=names)
    Conductor(players, after={"api": {"db": "ready", "migrate": "done"}, "worker": ["db"]})
    Conductor(players, after=[("api", "db")])  # type: ignore[arg-type]


def backoffs() -> None:
    for backoff in (ExponentialBackoff(initial=1, jitter=0.1), ConstantBackoff(5, max_restarts=3)):
        for delay in backoff:
            assert_type(delay, float)
    delays: Iterable[float] = ExponentialBackoff(per=60, max_restarts=5, reset_after=10)
    assert_type(next(iter(delays)), float)


class PlaysNothing:
    def play(self) -> None: ...


def are_none() -> None:
    takes_player(PlaysNothing())  # type: ignore[arg-type]
    takes_player(cooperative)  # type: ignore[arg-type]
    takes_player_with_backoff(Worker())  # type: ignore[arg-type]
    PlayerFunc(plain)  # type: ignore[arg-type]
    restarting(simple, ["1"])  # type: ignore[list-item]
    restarting(simple, [1], on="sometimes")  # type: ignore[arg-type]
    ExponentialBackoff("1")  # type: ignore[arg-type]
    ConstantBackoff()  # type: ignore[call-arg]
    ConstantBackoff(1).delay = 2  # type: ignore[misc]
