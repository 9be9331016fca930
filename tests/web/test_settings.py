"""What a player was made with, and what of that is nobody's business."""

import asyncio
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orchestra import (
    CommandPlayer,
    Conductor,
    ConstantBackoff,
    Context,
    ExponentialBackoff,
    Performance,
    PeriodicPlayer,
    ProcessPlayer,
    ServerPlayer,
    ThreadPlayer,
    playing,
    restarting,
)
from orchestra.demo.primes import count_primes
from orchestra.probes import tcp
from orchestra.testing import FakePlayer
from orchestra.web.console.settings import in_words, plain, settings_of

pytestmark = pytest.mark.virtual_time


async def worker(ctx: Context) -> None:
    await ctx.wait()


async def app(scope: Any, receive: Any, send: Any) -> None: ...


class Players(Conductor):
    """A group that shows players of all kinds, none of which is started."""

    def __init__(self, **players: Any) -> None:
        super().__init__({**players, "worker": worker}, idle=list(players))


async def settings(player: Any) -> dict[str, Any]:
    async with playing(Players(it=player)) as performance:
        found, variables = settings_of(performance, "it")
        return {**found, "variables": variables}


async def test_of_a_command() -> None:
    """The program's name, how it is stopped, and names of variables; no arguments, and no values."""
    command = CommandPlayer(
        ["/usr/bin/env", "--password=hunter2"],
        env={"TOKEN": "hunter2", "A": "b"},
        stop_signal="SIGINT",
        ready=tcp("127.0.0.1", 1),
        alive=tcp("127.0.0.1", 1),
        every=3,
        backoff=ConstantBackoff(2, max_restarts=3),
    )
    found = await settings(command)
    assert "hunter2" not in str(found)
    assert found["variables"] == ["A", "TOKEN"]
    assert found["program"] == "env"
    assert found["stop_signal"] == "SIGINT"
    assert found["alive_every"] == 3
    assert found["backoff"].startswith("ConstantBackoff(delay=2")
    assert found["restarts"] == "on failure"
    assert (await settings(CommandPlayer("true")))["ready"] is None


async def test_of_other_kinds() -> None:
    """Each kind tells what matters of it."""
    assert (await settings(PeriodicPlayer(worker, every=5, timeout=2)))["timeout"] == 2
    assert (await settings(PeriodicPlayer(worker, every=5)))["when"] == "every 5 s"
    assert (await settings(ProcessPlayer(count_primes)))["start_method"] == "spawn"
    assert (await settings(ThreadPlayer(lambda: None, overlap=True)))["overlap"] is True
    found = await settings(ServerPlayer(app, port=8080))
    assert (found["place"], found["library"], found["tls"]) == ("127.0.0.1:8080", "uvicorn", False)
    group = Conductor({"a": worker, "b": worker}, after={"b": ["a"]}, timeout=3)
    found = await settings(group)
    assert (found["timeout"], found["after"]) == (3, {"b": "a"})
    found = await settings(restarting(worker, [1, 2.5], on="always"))
    assert found["player"] == "worker"
    assert (found["backoff"], found["restarts"]) == ("1, 2.5", "always")


async def test_of_players_of_ones_own() -> None:
    """A player shows what it wants to; one whose backoff fails is shown all the same."""

    class Own(FakePlayer):
        def shown_settings(self) -> dict[str, object]:
            return {
                "queue": "jobs",
                "path": Path("/srv"),
                "client": object(),
                "ratio": float("inf"),
            }

        def backoff(self) -> Iterable[float]:
            raise ValueError("no")

    own = Own()
    own.watchdog = 5.0
    found = await settings(own)
    assert found["watchdog"] == 5
    assert (found["queue"], found["path"], found["client"]) == ("jobs", "/srv", "object")
    assert found["ratio"] == "inf"
    assert found["backoff"] == "ValueError: no"

    class Other(FakePlayer):
        shown_settings = {"secret": "hunter2"}  # something else by that name

    assert "secret" not in await settings(Other())


async def test_where_there_is_no_player_here() -> None:
    """A group over a bare context is nobody's player; a path that nobody has is an error."""
    ctx = Context()
    performance = Performance.over(ctx)
    task = asyncio.ensure_future(Conductor({"a": worker}).play(ctx))
    await asyncio.sleep(0)
    assert settings_of(performance, "") == ({}, [])
    with pytest.raises(KeyError):
        settings_of(performance, "b")
    ctx.cancel()
    await task


def test_values_that_json_has() -> None:
    """What is none of the usual values is shown as what it is, and not as what it says."""
    assert plain(signal.SIGTERM) == "SIGTERM"
    assert plain({"a": (1, None, {2})}) == {"a": [1, None, [2]]}
    assert plain(1.5) == 1.5
    assert plain(sys) == "module"


def test_backoffs_in_words() -> None:
    """Those that this library has are shown in full."""
    assert in_words(ExponentialBackoff(initial=1)).startswith("ExponentialBackoff(initial=1,")
