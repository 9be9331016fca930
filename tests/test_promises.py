"""The ten promises of the design, one test each; the files about each subject say more.

The whole of what is said about signals, exit codes and orphans needs processes of its own, and is
tested in `tests/processes/` and with the players that make them.
"""

import asyncio
import signal
import subprocess
import sys
from itertools import repeat
from typing import Any

import pytest

from groups import Show, crew, failure, nest, now, play, show, start, stop_timeout, turns, when
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Event,
    ExponentialBackoff,
    play_until_signal,
    restarting,
)
from orchestra.testing import (
    FakePlayer,
    Take,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)

abandons = pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")


@abandons
@pytest.mark.virtual_time
async def test_stop_is_bounded() -> None:
    """Promise 1, stop is bounded: a conductor ends within its timeout plus a tenth, and inner ones first."""
    leaf = FakePlayer(ignores_cancellation(for_=1000))
    playing = await show(nest(4, leaf, timeout=9), after=1)
    found = stop_timeout(await playing.end())
    assert found.left == found.abandoned == ("g.g.g.leaf",)
    assert now() <= 1 + 9.9
    ends = [
        event.path for event in playing.events if type(event).__name__ in ("Abandoned", "Failed")
    ]
    assert ends == ["g.g.g.leaf", "g.g.g", "g.g", "g"]


@pytest.mark.virtual_time
async def test_stop_is_graceful_on_every_path() -> None:
    """Promise 2, stop is graceful on every path: each player is asked and awaited before `play` ends."""
    for path in ("context", "stop", "failure", "any"):
        players = crew(3, slow_stop(3))
        trigger: dict[str, Any] = {
            "failure": {"bad": FakePlayer(fails(after=1))},
            "any": {"first": FakePlayer(ends(after=1))},
        }
        conductor = Conductor(
            {**players, **trigger.get(path, {})}, stop_when="any" if path == "any" else "all"
        )
        playing = Show(conductor)
        await asyncio.sleep(1)
        if path == "context":
            playing.ctx.cancel()
        elif path == "stop":
            playing.performance.stop()
        await asyncio.wait([playing.task])
        assert (playing.task.exception() is None) == (path != "failure")
        counts = [(one.asked, one.cancelled, one.ended) for one in players.values()]
        assert counts == [(1, 0, 1)] * 3


@abandons
@pytest.mark.virtual_time
async def test_three_steps() -> None:
    """Promise 3, three steps: asked, cut off, and abandoned where even that does not help."""
    players = {
        "good": FakePlayer(),
        "stuck": FakePlayer(hangs()),
        "deaf": FakePlayer(ignores_cancellation(for_=1000)),
    }
    found = stop_timeout(await failure(Conductor(players, timeout=5), asked=1))
    assert [when(player, "asked") for player in players.values()] == [[1], [1], [1]]
    assert [when(player, "cancelled") for player in players.values()] == [[], [6], [6]]
    assert found.left == ("stuck", "deaf")
    assert found.abandoned == ("deaf",)


@pytest.mark.real_time
async def test_signals() -> None:
    """Promise 4, signals: the first asks, the second cuts off, and the handlers are put back after."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[str] = []

    async def stubborn(ctx: Context) -> None:
        signal.raise_signal(signal.SIGTERM)
        await ctx.wait()
        seen.append("asked")
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            seen.append("cut off")
            raise

    with pytest.raises(ConductorError) as caught:
        await play_until_signal(Conductor({"a": stubborn}, timeout=500), signal.SIGTERM)
    assert stop_timeout(caught.value).left == ("a",)
    assert seen == ["asked", "cut off"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.virtual_time
async def test_a_cancellation_from_outside_is_a_cut_off() -> None:
    """The task that plays a conductor is cancelled: its players are, and it goes on upwards."""
    players = crew(3, hangs())
    task = start(Conductor(players))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [when(player, "cancelled") for player in players.values()] == [[1]] * 3


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("raise OSError('boom')", 1),
        ("signal.raise_signal(signal.SIGTERM); await ctx.wait()", 0),
        ("signal.raise_signal(signal.SIGTERM); await asyncio.sleep(1000)", 1),
    ],
)
def test_exit_codes(body: str, code: int) -> None:
    """Promise 5, exit codes: a script that calls `run` exits 0 after a clean stop, else not."""
    script = f"""
import asyncio, signal
from orchestra import Conductor, run

async def player(ctx):
    {body}

run(Conductor({{"a": player}}, timeout=0.1))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == code, result.stderr
    assert ("Error" in result.stderr) == bool(code)


@pytest.mark.virtual_time
async def test_no_storm() -> None:
    """Promise 6, no storm: crash loops are spread and limited, stoppable, and forgotten when healthy."""
    backoff = ExponentialBackoff(max_restarts=3)
    crash = crew(20, fails(), fails(), plays())
    playing = await show(
        Conductor({name: restarting(player, backoff) for name, player in crash.items()}), after=30
    )
    assert len({when(player, "started")[1] for player in crash.values()}) > 15
    assert await playing.end() is None

    limited = FakePlayer(fails())
    await failure(Conductor({"a": restarting(limited, backoff)}))
    assert limited.runs == 4

    asleep = FakePlayer(fails(after=1), backoff=[1000])
    began = now()
    assert await play(Conductor({"a": asleep}), asked=5) is None
    assert now() == pytest.approx(began + 5)

    healthy = FakePlayer(fails(after=100), backoff=[1])
    playing = await show(Conductor({"a": healthy}), after=1000)
    assert healthy.runs == 10
    assert await playing.end() is None


@pytest.mark.virtual_time
async def test_no_orphans() -> None:
    """Promise 7, no orphans: no task is left of a tree that was started, changed, failed and stopped."""
    flaky = FakePlayer(fails(after=1), plays(), backoff=[1])
    conductor = Conductor(
        {
            "flaky": flaky,
            "g": Conductor(
                {"a": FakePlayer(hangs()), "b": FakePlayer(fails_stopping())}, ordered=True
            ),
            "dog": FakePlayer(hangs(), ends(), watchdog=1, backoff=[1]),
        },
        timeout=3,
    )
    playing = await show(conductor, after=5)
    conductor.add("c", FakePlayer())
    await conductor.restart("c")
    await conductor.remove("flaky")
    assert isinstance(await playing.end(), ConductorError)
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.virtual_time
async def test_self_nesting() -> None:
    """Promise 8, self-nesting: a conductor met again is skipped; a plain player plays twice."""
    player = FakePlayer(ends(after=1))
    shared = Conductor({"x": player, "y": player})
    shared.add("me", shared)
    playing = Show(Conductor({"one": shared, "two": shared}))
    await asyncio.wait([playing.task])
    assert playing.task.exception() is None
    assert player.runs == 2
    assert [playing.state(path) for path in ("one.me", "two")] == ["skipped", "skipped"]


@pytest.mark.virtual_time
async def test_observers_and_loggers_cannot_hurt() -> None:
    """Promise 9, observers and loggers cannot hurt: whatever they raise, supervision goes on."""

    class Logger:
        def info(self, msg: str, **attrs: object) -> None:
            raise RuntimeError("info")

        def error(self, msg: str, **attrs: object) -> None:
            raise RuntimeError("error")

        def with_group(self, name: str) -> "Logger":
            raise RuntimeError("with_group")

    def observe(event: Event) -> None:
        raise SystemExit("observer")

    player = FakePlayer(fails(after=1), plays(), backoff=repeat(1))
    playing = Show(Conductor({"g": Conductor({"a": player})}, logger=Logger()))
    playing.performance.subscribe(observe)
    await asyncio.sleep(5)
    assert player.runs == 2
    assert await playing.end() is None
    assert playing.kinds("g.a")[-1] == "Stopped"


@pytest.mark.virtual_time
async def test_time_is_injected() -> None:
    """Promise 10, time is injected: a week of delays, watchdogs and stops is over in no time."""

    async def beats(take: Take) -> None:
        while await take.ctx.sleep(3600):
            take.ctx.heartbeat()

    day = 24 * 3600.0
    player = FakePlayer(fails(after=day), beats, watchdog=2 * day, backoff=[day])
    slow = FakePlayer(slow_stop(day / 2))
    playing = await show(Conductor({"a": player, "b": slow}, timeout=day), after=7 * day)
    status = playing.conductor.status().players["a"]
    assert status.uptime == pytest.approx(5 * day)
    assert await playing.end() is None
    first, last = playing.events[0], playing.events[-1]
    assert last.time - first.time == pytest.approx(7.5 * day)
