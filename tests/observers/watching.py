"""What the tests of observers share: a small play in virtual time that has one of everything."""

import asyncio
from collections.abc import Callable

from groups import Show
from orchestra import Conductor, Event, restarting
from orchestra.testing import FakePlayer, fails, hangs, plays, slow_stop

Observer = Callable[[Event], None]


def small_play() -> Conductor:
    """One that serves, one that fails once, one that takes 2 seconds to stop, one that hangs."""
    return Conductor(
        {
            "api": FakePlayer(plays(), ready_after=2, signals_ready=True),
            "jobs": Conductor(
                {"feed": restarting(FakePlayer(fails(OSError("gone"), after=1), plays()), [5])}
            ),
            "slow": FakePlayer(slow_stop(2)),
            "stuck": FakePlayer(hangs()),
        },
        timeout=10,
    )


async def watched(
    observer: Observer, conductor: Conductor, *steps: tuple[float, Callable[[], object]]
) -> Show:
    """Play it for a minute with this observer, and look at what there is to see meanwhile."""
    show = Show(conductor)
    show.performance.subscribe(observer)
    now = 0.0
    for moment, look in steps:
        await asyncio.sleep(moment - now)
        now = moment
        look()
    await asyncio.sleep(60 - now)
    await show.end("enough")
    return show
