"""A player in a process of its own: what it finds there, and what is refused."""

import asyncio
import functools
import multiprocessing
import os
import signal
import threading
from multiprocessing import forkserver
from typing import Any

import process_plays as plays
import pytest
import uvloop
from process_kit import pid_of, shown, until

from groups import play
from orchestra import (
    Conductor,
    Context,
    ProcessPlayer,
    StartTimeoutError,
    WatchdogError,
    playing_in_thread,
    restarting,
)

pytestmark = pytest.mark.real_time


async def test_it_plays_in_a_process_of_its_own() -> None:
    """It has a session and a group of its own, a context under its full path, and its own tree."""
    async with shown(ProcessPlayer(plays.Reports(answer=42))) as performance:
        status = performance.status().find("group.it")
        assert (status.kind, status.state) == ("process", "ready")
        told = status.details
        assert told["answer"] == 42
        assert told["path"] == told["local"] == "group.it"
        assert told["pid"] != os.getpid() == told["parent"]
        assert told["group"] is True
        assert (told["done"], told["remaining"]) == (False, None)


async def test_a_fork_server_can_make_the_process(fork_server: None) -> None:
    """With `start_method="forkserver"` it is a child of the fork server, and all else is the same."""
    player = ProcessPlayer(plays.Reports(), start_method="forkserver")
    async with shown(player) as performance:
        told = performance.status().find("group.it").details
        assert told["pid"] != os.getpid() != told["parent"]
        assert told["group"] is True


async def test_a_fork_server_imports_once(
    fork_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What processes need is there when they are forked, and so is what the program has named."""
    forkserver._forkserver._stop()
    monkeypatch.setattr(forkserver._forkserver, "_preload_modules", ["mailbox"])
    player = ProcessPlayer(plays.sees_modules, start_method="forkserver")
    async with shown(player) as performance:
        assert performance.status().find("group.it").details["mailbox"]
    assert forkserver._forkserver._preload_modules == ["mailbox", "orchestra.players._child"]


@pytest.mark.parametrize("function", [plays.works, plays.thread, plays.ends])
async def test_functions_play_there_too(function: Any) -> None:
    """Async and plain functions, with the context or without, become players as anywhere."""
    async with shown(ProcessPlayer(function)) as performance:
        assert performance.status().find("group.it").ready or function is plays.ends


async def test_it_plays_without_a_supervisor(caplog: pytest.LogCaptureFixture) -> None:
    """Played with a bare context, it is a player of no path."""
    ctx = Context()
    task = asyncio.create_task(ProcessPlayer(plays.logs).play(ctx))
    await until(lambda: any(record.getMessage() == "bare" for record in caplog.records))
    ctx.cancel("enough")
    await task
    assert caplog.records[-1].path == ""  # type: ignore[attr-defined]


async def test_nothing_is_started_for_a_context_that_is_done() -> None:
    """It ends at once, as there is nothing to do."""
    ctx = Context()
    ctx.cancel()
    await ProcessPlayer(plays.BreaksOnArrival("die")).play(ctx)


async def test_details_are_merged() -> None:
    """What it tells later is added to its details; what can't be sent is shown as text."""
    async with shown(ProcessPlayer(plays.Later())) as performance:
        details = lambda: performance.status().find("group.it").details  # noqa: E731
        await until(lambda: "second" in details())
        assert details()["first"] == 1
        assert "lock" in str(details()["odd"])


async def test_the_context_there_can_be_cancelled() -> None:
    """Cancelling it there ends the player, and nobody else."""
    other = asyncio.Event()

    async def waits(ctx: Context) -> None:
        other.set()
        await ctx.wait()

    ctx = Context()
    conductor = Conductor({"it": ProcessPlayer(plays.cancels_itself), "other": waits})
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: conductor.status().find("it").state == "stopped")
    assert conductor.status().find("other").ready
    ctx.cancel()
    await task


async def test_it_is_cut_off_without_heartbeats() -> None:
    """A watchdog of the player works across the processes, also when the loop there is blocked."""
    error = await play(Conductor({"it": ProcessPlayer(plays.Beats())}))
    assert isinstance(error, Exception)
    assert isinstance(error.failures["it"], WatchdogError)  # type: ignore[attr-defined]


async def test_a_start_may_take_too_long() -> None:
    """A process that hangs while it imports is killed after `start_timeout` seconds."""
    player = ProcessPlayer(plays.BreaksOnArrival("hang"), start_timeout=0.5)
    error = await play(Conductor({"it": player}))
    assert isinstance(error.failures["it"], StartTimeoutError)  # type: ignore[union-attr]


async def test_a_backoff_starts_a_new_process() -> None:
    """With a backoff of its own, it comes back in another process."""
    pids: list[int] = []
    player = ProcessPlayer(plays.Dies("nothing"), backoff=[0.0])
    async with shown(player) as performance:
        pids.append(pid_of(performance))
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: performance.status().find("group.it").restarts == 1)
        await until(lambda: performance.status().find("group.it").ready)
        assert pid_of(performance) not in pids


async def test_a_backoff_inside_restarts_within_the_process() -> None:
    """A player with a backoff is restarted in its process, which its status here shows."""
    events: list[Any] = []
    player = ProcessPlayer(restarting(plays.Flaky(2), [0.01] * 2))
    async with shown(player, observers=[events.append]) as performance:
        await until(lambda: performance.status().find("group.it").restarts == 2)
        status = performance.status().find("group.it")
        assert status.error == "ConnectionError: not yet"
    kinds = [type(event).__name__ for event in events if event.path == "group.it"]
    again = ["Failed", "BackingOff", "Started"]
    assert [kind for kind in kinds if kind != "Ready"] == [
        "Started", *again, *again, "Stopping", "Stopped",
    ]  # fmt: skip


async def test_it_shares_what_processes_share() -> None:
    """Queues and the like of `multiprocessing` can be given to what plays there."""
    context = multiprocessing.get_context("spawn")
    numbers, answers = context.Queue(), context.Queue()
    numbers.put(21)
    await ProcessPlayer(functools.partial(plays.echoes, numbers, answers)).play(Context())
    assert answers.get() == 42
    for queue in (numbers, answers):
        queue.close()
        queue.join_thread()


def test_it_plays_in_the_loop_of_a_thread() -> None:
    """In `playing_in_thread`, which is no main thread, it works the same."""
    with playing_in_thread(Conductor({"it": ProcessPlayer(plays.works)})) as performance:
        assert performance.status().find("it").ready


def test_it_plays_on_uvloop_on_both_sides() -> None:
    """The loop here may be another, and so may be the one there."""
    player = ProcessPlayer(plays.Reports(), loop_factory=uvloop.new_event_loop)
    conductor = Conductor({"it": player})
    with playing_in_thread(conductor, loop_factory=uvloop.new_event_loop) as performance:
        assert performance.status().find("it").details["loop"] == "uvloop"


async def test_the_loop_goes_on_while_it_starts() -> None:
    """The start of a process does not keep the others: the loop turns meanwhile."""
    turns = 0

    async def counts(ctx: Context) -> None:
        nonlocal turns
        while not ctx.done():
            turns += 1
            await asyncio.sleep(0.001)

    async with shown(ProcessPlayer(plays.works)) as performance:
        pass
    task = asyncio.create_task(counts(ctx := Context()))
    async with shown(ProcessPlayer(plays.works)) as performance:
        assert performance.status().ready
        ctx.cancel()
    await task
    assert turns > 5


class Local:
    """Holds what can't be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    async def play(self, ctx: Context) -> None: ...


@pytest.mark.parametrize("given", [lambda: None, Local()])
def test_what_cannot_be_pickled_is_refused_at_once(given: Any) -> None:
    """A lambda, or an object with a lock, is a `TypeError` that says what, why and what to do."""
    with pytest.raises(TypeError, match="can't be sent to another process") as raised:
        ProcessPlayer(given)
    assert "lambda" in str(raised.value)
    assert "importable" in str(raised.value)


@pytest.mark.parametrize(
    ("terms", "match"),
    [
        ({"start_method": "fork_server"}, "Did you mean 'forkserver'"),
        ({"start_timeout": -1}, "start_timeout"),
        ({"backoff": [-1]}, "delay"),
    ],
)
def test_wrong_arguments_are_refused_at_once(terms: Any, match: str) -> None:
    """What makes no sense is a `ValueError` that names it."""
    with pytest.raises(ValueError, match=match):
        ProcessPlayer(plays.works, **terms)


def test_it_says_what_it_plays() -> None:
    """Its name is that of what it plays, and its limits are those that the player declares."""
    player = ProcessPlayer(plays.Beats())
    assert player.__name__ == "Beats"
    assert repr(player).startswith("ProcessPlayer(<process_plays.Beats")
    assert (player.watchdog, player.start_timeout) == (0.5, None)
    assert list(player.backoff()) == []
    assert list(ProcessPlayer(plays.works, backoff=[1]).backoff()) == [1]
