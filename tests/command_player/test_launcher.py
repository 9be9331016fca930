"""The launcher: how long it lives, and what is when it is killed."""

import asyncio
import os
import signal
import socket
import sys
from itertools import repeat
from typing import Any

import pytest
from command_kit import Playing, beside, needs_linux, parent_of, read, run, running, sh, tag, until

from orchestra import (
    CommandFailedError,
    CommandPlayer,
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    playing,
    restarting,
)
from orchestra._launch import beside as beside_module
from orchestra._launch import launcher as launcher_module
from orchestra._launch.order import Order, User
from orchestra._launch.process import Process
from orchestra._launch.refusal import refused

pytestmark = pytest.mark.real_time


def launcher() -> int:
    """The one that this program has."""
    (found,) = [pid for pid in beside() if parent_of(pid) == os.getpid()]
    return found


def children_of(pid: int) -> set[int]:
    return {int(child) for child in read(f"/proc/{pid}/task/{pid}/children").split()}


@needs_linux
@pytest.mark.parametrize("name", beside_module.IGNORED)
async def test_no_signal_hits_it_before_it_ignores_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What all processes of a program are sent passes it by, and its commands hold back nothing."""
    begin = launcher_module.Launcher._begin

    def begin_and_be_hit(self: launcher_module.Launcher) -> None:
        begin(self)
        assert self._process is not None
        self._process.send_signal(getattr(signal, name))

    monkeypatch.setattr(launcher_module.Launcher, "_begin", begin_and_be_hit)
    lines = await run(["grep", "SigBlk", "/proc/self/status"])
    assert lines.printed == [("stdout", "SigBlk:\t0000000000000000")]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


# How long it lives


@needs_linux
async def test_it_lives_as_long_as_a_command_may_play() -> None:
    """It is there for all of them, also between two runs, and gone with the last."""
    conductor = Conductor(
        {
            "a": CommandPlayer(sh("exit 1"), backoff=[0.3] * 100),
            "b": CommandPlayer(sh("exec sleep 100")),
        },
        stop_when="never",
    )
    async with playing(conductor):
        first = launcher()
        await conductor.remove("b")
        await until(lambda: conductor.status().players["a"].restarts >= 2)
        assert launcher() == first
        await conductor.remove("a")
        assert not beside()
        conductor.add("c", CommandPlayer(sh("exec sleep 100")))
        await until(lambda: conductor.status().players["c"].ready)
        assert launcher() != first
    assert not beside()


@needs_linux
async def test_it_is_held_by_a_group_that_may_come_back() -> None:
    """A command that can be played again with its group keeps it."""
    failing = asyncio.Event()

    async def fails() -> None:
        await failing.wait()
        failing.clear()
        raise LookupError

    group = Conductor({"a": CommandPlayer(sh("exec sleep 100")), "b": fails}, backoff=[0.05])
    conductor = Conductor({"group": group})
    async with playing(conductor):
        first = launcher()
        failing.set()
        await until(lambda: conductor.status().players["group"].restarts == 1)
        await until(lambda: conductor.status().players["group"].ready)
        assert launcher() == first
    assert not beside()


@needs_linux
async def test_many_restarts_leave_nothing() -> None:
    """After 1,000 restarts there is no zombie, and no descriptor more than before."""
    before = set(os.listdir("/proc/self/fd"))
    children_before = children_of(os.getpid())
    times = 1000 if launcher_module.PROGRAM[0] == "-I" else 50  # to measure each takes its time
    player = restarting(CommandPlayer("true"), repeat(0), on="always")
    conductor = Conductor({"a": player})
    async with playing(conductor):
        await until(lambda: conductor.status().players["a"].restarts >= times, timeout=55)
        assert children_of(os.getpid()) - children_before == {launcher()}
        assert len(children_of(launcher())) < 20  # those that are about to end
        assert len(set(os.listdir("/proc/self/fd")) - before) <= 8
    assert set(os.listdir("/proc/self/fd")) == before


async def test_many_start_at_once() -> None:
    """More than its socket can hold at a time."""
    conductor = Conductor({f"p{number}": CommandPlayer("true") for number in range(150)})
    await conductor.play(Context())


def test_a_loop_that_is_closed_around_it_takes_it_along() -> None:
    """A command whose loop just stops is killed, once nobody holds it any more."""
    import gc
    import warnings

    mark = tag()
    loop = asyncio.new_event_loop()
    loop.create_task(CommandPlayer(["sleep", mark]).play(Context()))
    loop.run_until_complete(until(lambda: running(mark)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(until(lambda: not asyncio.all_tasks(loop) - own(loop)))
        loop.close()
        gc.collect()
    assert not running(mark)


def own(loop: Any) -> set[Any]:
    return {asyncio.current_task(loop)}


# What may happen to it


@needs_linux
async def test_a_launcher_that_was_killed_is_replaced() -> None:
    """Commands that run go on, and the next one gets a new launcher."""
    async with Playing(sh("exec sleep 100")) as play:
        first = launcher()
        os.kill(first, signal.SIGKILL)
        await until(lambda: not os.path.exists(f"/proc/{first}/exe"))
        await until(lambda: is_zombie(first))
        assert (await run("echo hello")).lines == ["hello"]
        assert play.status.ready
        assert await play.stop() is None


def is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@needs_linux
async def test_a_command_whose_minder_was_killed_is_killed() -> None:
    """With all that it has started; its player fails, and says why."""
    mark = tag()
    async with Playing(sh("(setsid sleep $1 &) ; sleep $1 & exec sleep $1", mark)) as play:
        await until(lambda: len(running(f"sleep\0{mark}")) == 3)
        os.kill(parent_of(play.pid), signal.SIGKILL)
        await asyncio.wait([play.task])
        error = await play.stop()
        await until(lambda: not running(mark))
    assert isinstance(error, ConductorError)
    assert "the process that minds sh has ended, and so sh was killed" in str(error.exceptions[0])


@needs_linux
async def test_a_command_that_is_killed_from_outside_fails() -> None:
    """It comes out as it is, and others go on."""
    async with Playing(sh("exec sleep 100")) as play:
        os.kill(play.pid, signal.SIGKILL)
        await asyncio.wait([play.task])
        error = await play.stop()
    assert isinstance(error, ConductorError)
    assert isinstance(error.exceptions[0], CommandFailedError)


@pytest.mark.parametrize("size", [0, 1_000_000])
async def test_a_launcher_that_does_not_end_is_killed(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it for long, and a command that it has lost is a failure."""
    code = "import os, time; os.read(int(__import__('sys').argv[1]), 1); time.sleep(100)"
    monkeypatch.setattr(launcher_module, "PROGRAM", ("-c", code))
    monkeypatch.setattr(launcher_module, "TIME_TO_END", 0.1)
    with pytest.raises(OrchestraError, match="the process that minds true has ended"):
        async with asyncio.timeout(20):
            await CommandPlayer("true", env={"A": "x" * size}).play(Context())


async def test_a_launcher_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for it can be cut off, while the order is under way and later."""
    monkeypatch.setattr(launcher_module, "PROGRAM", ("-c", "import time; time.sleep(100)"))
    monkeypatch.setattr(launcher_module, "TIME_TO_END", 0.01)
    for size in (0, 1_000_000):
        task = asyncio.create_task(CommandPlayer("true", env={"A": "x" * size}).play(Context()))
        await asyncio.sleep(0.05)
        task.cancel()
        if not size:
            await asyncio.sleep(0.05)
            assert not task.done()  # it has told the minder to kill it, and waits for that
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_launcher_that_is_busy_or_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can take no more is asked again; in the place of one that is gone comes another."""
    really, errors = socket.send_fds, [BlockingIOError(), BrokenPipeError()]

    def send_fds(*args: Any) -> int:
        if errors:
            raise errors.pop()
        return really(*args)

    monkeypatch.setattr(socket, "send_fds", send_fds)
    assert (await run("echo hello")).lines == ["hello"]


@needs_linux
async def test_what_can_not_be_killed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as what has other rights than this program; the end does not wait for it."""
    code = (
        "import sys; from orchestra._launch import beside; beside.kill = lambda pid: False\n"
        "beside.main(int(sys.argv[1]), int(sys.argv[2]))"
    )
    monkeypatch.setattr(launcher_module, "PROGRAM", ("-c", code))
    mark = tag()
    async with Playing(sh("setsid sleep $1 & sleep 0.3", mark)) as play:
        await asyncio.wait([play.task])
        (pid,) = running(f"sleep\0{mark}")
        assert play.logger.errors == [
            f"a: processes that sh has started could not be killed: {pid}"
        ]
        os.kill(pid, signal.SIGKILL)


# What its minder tells


async def minded() -> tuple[Process, socket.socket]:
    """A process whose minder is the test."""
    ours, minder = socket.socketpair()
    ours.setblocking(False)
    process = Process("db", ours)
    await process.send_order(b"order")
    assert minder.recv(100) == b"order"
    return process, minder


async def test_a_minder_that_breaks_says_why() -> None:
    """The trouble that it had is in the error."""
    process, minder = await minded()
    with minder:
        minder.sendall(beside_module.message("broken", "Traceback: ..."))
    await process.until_over()
    assert "and so db was killed:\nTraceback: ..." in str(process.lost())
    with pytest.raises(OrchestraError, match="the process that minds db has ended"):
        await process.until_started(Order(("db",)))


async def test_a_minder_that_is_gone_hears_nothing() -> None:
    """To kill what it minds is to let go of it."""
    process, minder = await minded()
    process._receive()  # nothing has come
    minder.close()
    process.kill()
    assert process.is_over
    process.kill()


@pytest.mark.parametrize("executable", ["", None])
async def test_a_program_that_knows_of_no_python(
    executable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't start commands, and says so."""
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(OrchestraError, match="this program knows of no Python"):
        await CommandPlayer("true").play(Context())


async def test_a_python_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says comes out."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(FileNotFoundError, match="/no/such/python"):
        await CommandPlayer("true").play(Context())


def test_a_refusal_for_want_of_processes() -> None:
    """It is in the system's words."""
    order = Order(("a/b",), user=User(5, 6))
    assert "b can't start: no process for it: Resource temp" in str(refused(order, "fork", 11))
    assert "b can't start as user 5 and group 6: Operation" in str(refused(order, "user", 1))
