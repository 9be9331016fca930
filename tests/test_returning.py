"""What a player is told that keeps something open from one run to the next."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from groups import play, show
from orchestra import Conductor, Context, playing, restarting
from orchestra._returning import is_supervised, may_return, when_gone
from orchestra.testing import FakePlayer, ends, fails, plays, slow_stop

pytestmark = pytest.mark.virtual_time


class Shop:
    """Keeps its door open as long as another run may follow, and says what it knew in each run."""

    def __init__(self, *script: Any, backoff: Iterable[float] = ()) -> None:
        self.inside = FakePlayer(*script)
        self.delays = backoff
        self.open = False
        self.closed = 0
        self.supervised: list[bool] = []
        self.expected: list[bool] = []  # at the end of each run: may another follow?
        self.forget: Callable[[], None] = lambda: None

    def backoff(self) -> Iterable[float]:
        return self.delays

    async def play(self, ctx: Context) -> None:
        self.forget()
        self.open = True
        self.supervised.append(is_supervised(ctx, self.play))
        try:
            await self.inside.play(ctx)
        finally:
            self.expected.append(may_return(ctx, self.play))
            self.forget = when_gone(ctx, self.play, self.close)

    def close(self) -> None:
        assert self.open
        self.open = False
        self.closed += 1


async def test_a_run_of_somebody_elses_doing_is_the_only_one() -> None:
    """Whoever calls `play` by himself asks for one run, in a tree or outside of any."""
    shop = Shop(ends())
    assert await play(shop) is None

    async def wrapper(ctx: Context) -> None:
        await shop.play(ctx)

    async with playing(restarting(wrapper, [60])):
        pass
    assert (shop.supervised, shop.expected, shop.closed) == ([False] * 2, [False] * 2, 2)


async def test_it_stays_open_while_its_own_backoff_has_delays_left() -> None:
    """The last failure, which no restart follows, closes it."""
    shop = Shop(fails(after=1), fails(after=1), backoff=[10])
    playing = await show(Conductor({"shop": shop}), after=5)
    assert shop.open
    await asyncio.wait([playing.task])
    assert (shop.open, shop.closed, shop.inside.runs) == (False, 1, 2)
    assert await playing.end() is not None


async def test_an_end_without_a_backoff_closes_it() -> None:
    """Whether it ends well or fails, in a group that comes back only as a whole or not at all."""
    shop = Shop(ends(after=1))
    playing = await show(Conductor({"shop": shop, "other": FakePlayer()}), after=2)
    assert (shop.expected, shop.open) == ([False], False)
    assert await playing.end() is None


async def test_a_restart_leaves_it_open() -> None:
    """Its context is done then as well, but for another run."""
    shop = Shop()
    playing = await show(Conductor({"shop": shop}), after=1)
    await playing.conductor.restart("shop")
    assert (shop.expected, shop.open, shop.closed) == ([True], True, 0)
    assert await playing.end() is None
    assert (shop.expected, shop.closed) == ([True, False], 1)


async def test_a_group_that_comes_back_leaves_it_open() -> None:
    """A sibling fails, the group stops, waits for its backoff, and plays all of them again."""
    shop = Shop()
    troubled = FakePlayer(fails(after=1), plays())
    group = Conductor({"shop": shop, "troubled": troubled}, backoff=[10])
    playing = await show(Conductor({"group": group}), after=5)
    assert (shop.expected, shop.open, shop.inside.runs) == ([True], True, 1)
    await asyncio.sleep(10)
    assert (shop.open, shop.closed, shop.inside.runs) == (True, 0, 2)
    assert await playing.end() is None
    assert shop.closed == 1


async def test_a_group_that_gives_up_closes_it() -> None:
    """The look goes on to the groups above, from the inside outwards."""
    shop = Shop()
    troubled = FakePlayer(fails(after=1), fails(after=1))
    group = Conductor({"shop": shop, "troubled": troubled}, backoff=[10])
    playing = await show(Conductor({"group": group}), after=5)
    assert shop.open
    await asyncio.wait([playing.task])
    assert (shop.open, shop.closed) == (False, 1)
    assert await playing.end() is not None


async def test_a_stop_during_the_backoff_closes_it() -> None:
    """Its own, and that of a group above it."""
    own = Shop(fails(after=1), backoff=[3600])
    above = Shop(fails(after=1))
    for shop, conductor in (
        (own, Conductor({"shop": own})),
        (above, Conductor({"group": Conductor({"shop": above}, backoff=[3600])})),
    ):
        playing = await show(conductor, after=5)
        assert shop.open
        assert await playing.end() is None
        assert (shop.open, shop.closed) == (False, 1)


async def test_one_that_is_removed_is_closed_though_its_group_may_come_back() -> None:
    """It alone ends, and nobody brings it back."""
    shop = Shop(slow_stop(1))
    group = Conductor({"shop": shop}, stop_when="never", backoff=[10])
    playing = await show(Conductor({"group": group}), after=1)
    await group.remove("shop")
    assert (shop.expected, shop.open) == ([False], False)
    assert await playing.end() is None


async def test_the_look_goes_from_its_own_backoff_to_that_of_its_group() -> None:
    """While it waits for its own next run its group fails, and that comes back."""
    shop = Shop(fails(after=1), plays(), backoff=[3600])
    troubled = FakePlayer(fails(after=3), plays())
    group = Conductor({"shop": shop, "troubled": troubled}, backoff=[10])
    playing = await show(Conductor({"group": group}), after=5)
    assert (shop.open, shop.closed, playing.state("group")) == (True, 0, "backing off")
    assert await playing.end() is None
    assert (shop.open, shop.closed) == (False, 1)


async def test_a_backoff_that_raises_brings_nobody_back() -> None:
    """Its supervisor comes to the same end, and tells what it raised."""

    class Troubled(Shop):
        def backoff(self) -> Iterable[float]:
            raise OSError("no backoff today")

    shop = Troubled(fails(after=1))
    error = await play(Conductor({"shop": shop}))
    assert "no backoff today" in str(error)
    assert (shop.expected, shop.closed) == ([False], 1)


async def test_the_next_run_ends_the_watch() -> None:
    """What was asked for after one run is not told after another."""
    shop = Shop(fails(after=1), plays(), backoff=[1])
    playing = await show(Conductor({"shop": shop}), after=5)
    shop.forget()
    assert await playing.end() is None
    assert shop.closed == 1


async def test_a_player_without_a_backoff_does_not_return() -> None:
    """In a group without one, its only run is the last."""

    class Plain:
        known: bool | None = None

        async def play(self, ctx: Context) -> None:
            self.known = may_return(ctx, self.play)

    plain = Plain()
    assert await play(Conductor({"plain": plain})) is None
    assert plain.known is False


async def test_a_run_that_gets_ready_tells_nothing() -> None:
    """A next run may take its time until it takes over: only an end is an end."""

    class Slow(Shop):
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            ctx.ready()
            await ctx.sleep(1)
            await super().play(ctx)

    shop = Slow(fails(after=1), plays(), backoff=[1])
    playing = await show(Conductor({"shop": shop}), after=10)
    assert (shop.open, shop.closed) == (True, 0)
    assert await playing.end() is None
    assert shop.closed == 1


async def test_a_root_is_asked_like_any_other_player() -> None:
    """Nobody is above it, so its own backoff decides, and its stop is for good."""
    shop = Shop(fails(after=1), plays(), backoff=[1, 1])
    async with playing(shop) as performance:
        await asyncio.sleep(5)
        await performance.restart("Shop")
        assert (shop.expected, shop.open) == ([True, True], True)
    assert (shop.expected, shop.closed) == ([True, True, False], 1)


async def test_one_that_is_stopped_by_hand_is_closed() -> None:
    """Whoever starts it again opens it again."""
    shop = Shop()
    playing = await show(Conductor({"shop": shop}), after=1)
    await playing.conductor.stop("shop")
    assert (shop.expected, shop.open) == ([False], False)
    await playing.conductor.start("shop")
    assert shop.open
    assert await playing.end() is None
    assert shop.closed == 2
