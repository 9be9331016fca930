"""`run` inside of something that is around the whole performance, as the command line needs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestra import Conductor, Context, Performance
from orchestra.entry_points import run_within
from orchestra.testing import FakePlayer, ends, fails

seen: list[str] = []


@asynccontextmanager
async def around(performance: Performance) -> AsyncIterator[None]:
    seen.append(f"in, {performance.status().state}")
    try:
        yield
    finally:
        await asyncio.sleep(0)
        seen.append(f"out, {performance.status().state}")


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


def test_it_is_there_before_the_players_and_after_them() -> None:
    """It is entered before anything plays, and left when all has ended."""

    async def player(ctx: Context) -> None:
        seen.append("plays")

    run_within(around, Conductor({"a": player}))
    assert seen == ["in, waiting", "plays", "out, stopped"]


def test_who_gets_the_failure() -> None:
    """What went wrong is told before it is raised, and nothing is printed."""
    told: list[Exception] = []
    with pytest.raises(OSError, match="x") as caught:
        run_within(around, FakePlayer(fails(OSError("x"))), tell=told.append)
    assert told == [caught.value]
    assert seen == ["in, waiting", "out, failed"]


def test_what_is_around_it_can_not_be_entered() -> None:
    """Then nothing is played, and its error is raised."""
    player = FakePlayer(ends())

    @asynccontextmanager
    async def broken(performance: Performance) -> AsyncIterator[None]:
        raise OSError("the port is taken")
        yield

    with pytest.raises(OSError, match="taken"):
        run_within(broken, player, tell=lambda failure: None)
    assert player.runs == 0


def test_it_is_told_that_nothing_is_ready_any_more() -> None:
    """A performance calls `on_drain` when the first signal begins the delay."""

    async def main() -> None:
        drained = asyncio.Event()
        performance = Performance(asyncio.get_running_loop())
        performance.drain()
        performance.on_drain = drained.set
        performance.drain()
        await drained.wait()

    asyncio.run(main())
