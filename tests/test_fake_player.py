"""The player by script: what each step does, and what it records."""

import asyncio
from itertools import repeat
from typing import Any

import pytest

from orchestra.context import Context
from orchestra.testing import (
    FakePlayer,
    Take,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    run_virtual,
    slow_stop,
)


def play(
    player: FakePlayer, *, asked: float | None = None, cancelled: tuple[float, ...] = ()
) -> BaseException | None:
    """Play one run, ask and cancel it at those times, and return what it raises."""

    async def main() -> BaseException | None:
        loop = asyncio.get_running_loop()
        ctx = Context()
        task = asyncio.create_task(player.play(ctx))
        if asked is not None:
            loop.call_later(asked, ctx.cancel)
        for when in cancelled:
            loop.call_later(when, task.cancel)
        await asyncio.wait([task], timeout=100)
        if not task.done():
            return TimeoutError("still plays")
        return asyncio.CancelledError() if task.cancelled() else task.exception()

    return run_virtual(main)


def test_without_a_script_it_plays_until_asked() -> None:
    """The simplest fake player is a well-behaved one."""
    player = FakePlayer()
    assert play(player, asked=5) is None
    assert player.log == [(0.0, "started"), (5.0, "asked"), (5.0, "ended")]


def test_each_run_takes_the_next_step_and_the_last_repeats() -> None:
    """A script is one step a run."""
    player = FakePlayer(ends(after=1), fails(after=2), plays())
    raised = [play(player), play(player), play(player, asked=9), play(player, asked=7)]
    assert [type(error) for error in raised] == [type(None), RuntimeError, type(None), type(None)]
    assert (player.runs, player.asked, player.failed, player.ended) == (4, 2, 1, 4)
    assert player.playing == 0


@pytest.mark.parametrize("step", [fails, fails_stopping])
def test_it_raises_what_the_script_says(step: Any) -> None:
    """An instance is raised itself, a class as a new instance, and nothing as a `RuntimeError`."""
    boom = ValueError("boom")
    assert play(FakePlayer(step(boom)), asked=3) is boom
    assert type(play(FakePlayer(step(LookupError)), asked=3)) is LookupError
    assert type(play(FakePlayer(step()), asked=3)) is RuntimeError


@pytest.mark.parametrize("step", [fails(after=10), ends(after=10)])
def test_asked_before_its_time_it_ends_well(step: Any) -> None:
    """A step that has not come to its end heeds the stop."""
    player = FakePlayer(step)
    assert play(player, asked=4) is None
    assert player.log == [(0.0, "started"), (4.0, "asked"), (4.0, "ended")]


def test_a_slow_stop_takes_its_time() -> None:
    """It ends so many seconds after it was asked, and can be cancelled meanwhile."""
    player = FakePlayer(slow_stop(3))
    assert play(player, asked=5) is None
    assert player.log[-1] == (8.0, "ended")
    assert isinstance(play(player, asked=5, cancelled=(6,)), asyncio.CancelledError)
    assert player.log[-3:] == [(5.0, "asked"), (6.0, "cancelled"), (6.0, "ended")]


def test_a_hanging_player_ends_when_cancelled() -> None:
    """It sees that it is asked, and plays on."""
    player = FakePlayer(hangs())
    assert isinstance(play(player, asked=5, cancelled=(50,)), asyncio.CancelledError)
    assert [when for when, _ in player.log] == [0.0, 5.0, 50.0, 50.0]
    assert player.cancelled == 1


def test_it_ignores_cancellation_for_a_while() -> None:
    """From the first cancellation on, it takes so long to end."""
    player = FakePlayer(ignores_cancellation(for_=20))
    assert play(player, asked=5, cancelled=(10, 15)) is None
    assert player.log == [
        (0.0, "started"),
        (5.0, "asked"),
        (10.0, "cancelled"),
        (15.0, "cancelled"),
        (30.0, "ended"),
    ]


def test_it_ignores_cancellation_for_a_while_without_being_asked() -> None:
    """The same where it is cut off while it plays."""
    player = FakePlayer(ignores_cancellation(for_=20))
    assert play(player, cancelled=(10,)) is None
    assert player.log[-1] == (30.0, "ended")


@pytest.mark.leaves_tasks("it swallows every cancellation")
def test_it_ignores_cancellation_for_ever() -> None:
    """Nothing ends it, and the end of its loop is not noted as its own."""
    player = FakePlayer(ignores_cancellation())
    assert isinstance(play(player, asked=1, cancelled=(2, 3)), TimeoutError)
    assert (player.playing, player.asked) == (1, 1)
    assert player.cancelled >= 2  # and once more for each that the end of the run tries


def test_it_is_played_twice() -> None:
    """`playing` counts the runs that go on at the same time."""
    player = FakePlayer()

    async def main() -> None:
        ctx = Context()
        runs = [asyncio.create_task(player.play(ctx)) for _ in range(2)]
        await asyncio.sleep(1)
        assert player.playing == 2
        ctx.cancel()
        await asyncio.gather(*runs)

    run_virtual(main)
    assert player.playing == 0


class Seen(Context):
    """A context that knows who got ready."""

    times: list[float]

    def ready(self, **details: object) -> None:
        self.times.append(asyncio.get_running_loop().time())


@pytest.mark.parametrize(("asked", "times"), [(5, [2.0]), (1, [])])
def test_it_gets_ready_after_a_while(asked: float, times: list[float]) -> None:
    """It says that it is ready so many seconds after its start, if it still plays."""
    player = FakePlayer(ready_after=2)

    async def main() -> list[float]:
        ctx = Seen()
        ctx.times = []
        asyncio.get_running_loop().call_later(asked, ctx.cancel)
        await player.play(ctx)
        await asyncio.sleep(10)
        return ctx.times

    assert run_virtual(main) == times
    assert [when for when, what in player.log if what == "ready"] == times


def test_it_declares_what_it_is_told_to() -> None:
    """What a player may declare is as given, and there is a `backoff` only if one is given."""
    plain = FakePlayer()
    assert (plain.signals_ready, plain.start_timeout, plain.watchdog) == (False, None, None)
    assert not hasattr(plain, "backoff")
    player = FakePlayer(signals_ready=True, start_timeout=3, watchdog=4, backoff=repeat(1))
    assert (player.signals_ready, player.start_timeout, player.watchdog) == (True, 3, 4)
    assert next(iter(player.backoff())) == 1
    assert FakePlayer(ready_after=0).signals_ready


def test_a_step_of_ones_own() -> None:
    """Any async function that takes a `Take` is a step."""
    beats: list[bool] = []

    async def beats_twice(take: Take) -> None:
        while await take.sleep(1):
            beats.append(take.ctx.done())
        take.note("over")

    player = FakePlayer(beats_twice)
    assert play(player, asked=2.5) is None
    assert beats == [False, False]
    assert [what for _, what in player.log] == ["started", "asked", "over", "ended"]
