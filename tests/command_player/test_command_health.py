"""A command and its probes: when it is ready, and when it is alive no longer."""

import asyncio
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from command_kit import Lines, Playing, needs_linux, parent_of, python, running, sh, tag, until

from orchestra import (
    CommandPlayer,
    Conductor,
    ConductorError,
    Context,
    ProbeFailedError,
    StartTimeoutError,
    StopTimeoutError,
)
from orchestra.probes import after, command, output, tcp

pytestmark = pytest.mark.real_time

SERVER = (
    "import socket, sys, time\n"
    "time.sleep(0.1)\n"
    "sock = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "print('listening')\n"
    "while True: sock.accept()\n"
)


@pytest.fixture
def port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def failure_of(play: Playing) -> Exception:
    await asyncio.wait([play.task])
    error = await play.stop()
    assert isinstance(error, ConductorError)
    (found,) = error.exceptions
    return found


async def test_it_is_ready_when_its_probe_passes(port: int) -> None:
    """Not before; and where it serves is in the status."""
    async with Playing(python(SERVER, port), ready=tcp("127.0.0.1", port)) as play:
        assert play.logger.lines == ["listening"]
        assert play.status.details["addresses"] == (f"tcp://127.0.0.1:{port}",)


async def test_it_is_ready_by_a_line() -> None:
    """Also by the first line, and by stderr."""
    async with Playing(sh("echo Ready >&2; exec sleep 100"), ready=output("^Ready$")) as play:
        assert play.logger.lines == ["Ready"]
        assert set(play.status.details) == {"pid"}


async def test_it_is_ready_after_a_time() -> None:
    """Where nothing else tells."""
    async with Playing(sh("exec sleep 100"), ready=after(0.05)) as play:
        assert play.status.ready


async def test_one_that_is_to_end_is_ready_when_it_has() -> None:
    """With `after(math.inf)` those that come after it wait for its end."""
    order: list[str] = []
    logger = Lines()

    async def dependent() -> None:
        order.extend(logger.out)

    first = CommandPlayer(sh("sleep 0.1; echo done"), ready=after(math.inf))
    conductor = Conductor({"a": first, "b": dependent}, after={"b": ["a"]}, logger=logger)
    await conductor.play(Context())
    assert order == ["done"]


async def test_it_is_ready_by_a_command(tmp_path: Path) -> None:
    """The command is run in the same directory, with the same environment."""
    async with Playing(
        sh("sleep 0.1; touch $NAME; exec sleep 100"),
        cwd=tmp_path,
        env={"NAME": "file"},
        ready=command(sh("test -e $NAME"), interval=0.02),
    ) as play:
        assert (tmp_path / "file").exists()
        assert play.logger.lines == []


async def test_a_probe_that_is_a_command_may_hang(tmp_path: Path) -> None:
    """It is killed when its time is over, and tried again."""
    mark = tag()
    script = "test -e first && exit; touch first; sleep $1"
    probe = command(sh(script, mark), timeout=0.3, interval=0)
    async with Playing(sh("exec sleep 100"), cwd=tmp_path, ready=probe):
        assert not running(mark)


async def test_a_probe_that_can_not_be_run() -> None:
    """It fails as it would by itself, and what is wrong shows where the command is."""
    player = CommandPlayer(sh("exec sleep 100"), ready=command("no-such-command"))
    ctx, conductor = Context(), Conductor({"a": player}, timeout=0)
    task = asyncio.create_task(conductor.play(ctx))
    life = await until(lambda: conductor._group and conductor._group.lives["a"])
    await until(lambda: "FileNotFoundError" in life.where())
    ctx.cancel()
    with pytest.raises(ConductorError) as caught:
        await task
    (error,) = caught.value.exceptions
    assert isinstance(error, StopTimeoutError)
    assert "is not ready yet: command('no-such-command'): FileNotFoundError" in error.stuck["a"]
    await until(lambda: len(asyncio.all_tasks()) == 1)


@needs_linux
async def test_a_probe_whose_minder_was_killed() -> None:
    """That look has failed; the next one is another."""
    mark = tag()
    player = CommandPlayer(
        sh("exec sleep 100"), ready=command(["sleep", mark], timeout=60, interval=60)
    )
    conductor = Conductor({"a": player})
    async with asyncio.TaskGroup() as group:
        ctx = Context()
        task = group.create_task(conductor.play(ctx))
        (pid,) = await until(lambda: running(f"sleep\0{mark}"))
        os.kill(parent_of(pid), signal.SIGKILL)
        life = conductor._group and conductor._group.lives["a"]
        await until(lambda: life and "the process that minds sleep has ended" in life.where())
        ctx.cancel()
        await task


async def test_one_that_is_not_ready_in_time() -> None:
    """Its start is bounded as that of any other player."""
    player = CommandPlayer(sh("exec sleep 100"), ready=output("never"))
    player.start_timeout = 0.1
    async with Playing(player) as play:
        error = await failure_of(play)
    assert isinstance(error, StartTimeoutError)
    assert "process" in str(error.__notes__)


async def test_it_may_end_before_it_is_ready() -> None:
    """That is an end like any other, good or bad."""
    async with Playing(sh("exit 0"), ready=output("never")) as play:
        await asyncio.wait([play.task])
    async with Playing(sh("exit 3"), ready=output("never")) as play:
        assert "exited with code 3" in str(await failure_of(play))


async def test_one_that_is_ill_is_stopped_and_fails(tmp_path: Path) -> None:
    """It is asked to stop, and the error names the probe and what was wrong."""
    script = "trap 'echo asked; exit 0' TERM; touch well; echo up; while :; do sleep 0.02; done"
    player = CommandPlayer(
        sh(script),
        cwd=tmp_path,
        ready=output("up"),
        alive=command(sh("test -e well || { echo unwell; exit 7; }")),
        every=0.05,
        failures=2,
    )
    async with Playing(player) as play:
        await asyncio.sleep(0.2)
        (tmp_path / "well").unlink()
        error = await failure_of(play)
    assert isinstance(error, ProbeFailedError)
    assert str(error).startswith("sh: command(")
    assert str(error).endswith("failed 2 times in a row: ChildProcessError: exit code 7: unwell")
    assert "asked" in error.__notes__[0]


async def test_one_that_is_ill_and_deaf_is_killed(port: int) -> None:
    """It has its stop timeout; the error is still what was wrong with it."""
    mark = tag()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    async with Playing(
        python(code, mark),
        alive=tcp("127.0.0.1", port),
        every=0.2,
        failures=1,
        stop_timeout=0.1,
    ) as play:
        error = await failure_of(play)
    assert isinstance(error, ProbeFailedError)
    assert not running(mark)


async def test_one_that_is_ill_comes_back(port: int) -> None:
    """It is a failure like any other: the backoff decides."""
    code = "import os, time; print('up'); time.sleep(100)"
    player = CommandPlayer(
        python(code), alive=tcp("127.0.0.1", port), every=0.05, failures=1, backoff=[0] * 50
    )
    async with Playing(player) as play:
        await until(lambda: play.status.restarts >= 2)


async def test_a_probe_that_passes_feeds_the_watchdog() -> None:
    """A command whose liveness probe passes is not cut off by its watchdog."""

    class Watched(CommandPlayer):
        watchdog = 5.0

    async with Playing(Watched(sh("exec sleep 100"), alive=after(0), every=0.02)) as play:
        await asyncio.sleep(0.2)
        assert play.status.ready


async def test_a_probe_may_be_your_own(tmp_path: Path) -> None:
    """Whatever has `on`, `interval`, `timeout` and `address`; what it raises means: not yet."""

    class Exists:
        interval, timeout, address = 0.02, 1.0, None

        def on(self, program: Any) -> Any:
            async def check() -> None:
                os.stat(tmp_path / "file")

            return check

    async with Playing(
        sh("sleep 0.1; touch $1; exec sleep 100", tmp_path / "file"), ready=Exists()
    ):
        assert (tmp_path / "file").exists()


async def test_where_it_is_shows_in_the_error() -> None:
    """One that is cut off while it is not ready says so."""
    player = CommandPlayer(sh("trap '' TERM; echo up; sleep 100"), ready=output("never"))
    ctx, logger = Context(), Lines()
    conductor = Conductor({"a": player}, timeout=0, logger=logger)
    task = asyncio.create_task(conductor.play(ctx))
    life = await until(lambda: conductor._group and conductor._group.lives["a"])
    await until(lambda: "up" in logger.lines and "not ready" in life.where())
    ctx.cancel()
    with pytest.raises(ConductorError) as caught:
        await task
    (error,) = caught.value.exceptions
    assert isinstance(error, StopTimeoutError)
    assert "(sh) is not ready yet" in error.stuck["a"]
    # Without any time it is abandoned, though it is dead a moment later.
    await until(lambda: len(asyncio.all_tasks()) == 1)
