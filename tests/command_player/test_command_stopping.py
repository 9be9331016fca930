"""How a command is stopped, and what ends with it."""

import asyncio
import os
import signal

import pytest
from command_kit import Playing, needs_linux, python, running, sh, tag, until

from orchestra import CommandFailedError, CommandPlayer, ConductorError, Context, StopTimeoutError
from orchestra.players._command import run as command_run

pytestmark = pytest.mark.real_time

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
FOREVER = "import time\nprint('up')\nwhile True: time.sleep(100)"


def answering(then: str) -> list[str]:
    """A command that does this when it is asked to stop."""
    return sh(f"trap '{then}' TERM; echo up; while :; do sleep 0.02; done")


def timeout_in(error: Exception | None) -> StopTimeoutError:
    assert isinstance(error, ConductorError)
    (found,) = error.exceptions
    assert isinstance(found, StopTimeoutError)
    return found


# Asked to stop


async def test_it_is_asked_by_its_stop_signal() -> None:
    """It has its time, and what it prints in it is heard."""
    async with Playing(answering("echo asked; exit 0")) as play:
        await play.printed("up")
        assert await play.stop() is None
        assert play.logger.out == ["up", "asked"]


@pytest.mark.parametrize("then", ["exit 0", "exit 143", "trap - TERM; kill -TERM $$"])
async def test_an_end_by_the_signal_is_clean(then: str) -> None:
    """With 0, by the signal, or with the code that says the same: it was asked to."""
    async with Playing(answering(then)) as play:
        await play.printed("up")
        assert await play.stop() is None


async def test_any_other_end_is_a_failure_also_then() -> None:
    """What goes wrong while it stops is not lost."""
    async with Playing(answering("echo can not save; exit 4")) as play:
        await play.printed("up")
        error = await play.stop()
    assert isinstance(error, ConductorError)
    (failed,) = error.exceptions
    assert isinstance(failed, CommandFailedError)
    assert failed.returncode == 4
    assert failed.lines[-1] == "can not save"


async def test_one_that_is_suspended_hears_of_it() -> None:
    """It is woken up, so that it can stop."""
    async with Playing(answering("exit 0")) as play:
        await play.printed("up")
        os.kill(play.pid, signal.SIGSTOP)
        assert await play.stop() is None


async def test_it_may_be_stopped_before_it_is_ready() -> None:
    """A stop in the middle of its start is a stop."""
    from orchestra.probes import output

    player = CommandPlayer(answering("echo asked; exit 0"), ready=output("never"))
    ctx = Context()
    play = Playing(player)
    play.ctx = ctx
    task = asyncio.create_task(play.conductor.play(ctx))
    await until(lambda: "up" in play.logger.lines)
    assert not play.status.ready
    ctx.cancel()
    await task
    assert play.logger.out == ["up", "asked"]


async def test_it_may_be_stopped_at_any_moment_of_its_start() -> None:
    """Nothing is left of it, and nothing went wrong."""
    mark = tag()
    for turns in range(0, 60, 3):
        ctx = Context()
        task = asyncio.create_task(CommandPlayer(["sleep", mark]).play(ctx))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        ctx.cancel(within=20)
        await task
        assert not running(mark)


async def test_it_may_be_cut_off_at_any_moment_of_its_start() -> None:
    """Nothing is left of it, whatever was going on."""
    mark = tag()
    for turns in range(0, 60, 3):
        task = asyncio.create_task(CommandPlayer(["sleep", mark]).play(Context()))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not running(mark))


async def test_one_that_is_stopped_while_it_can_not_start() -> None:
    """The error is still that it is not there."""
    for turns in range(0, 40, 2):
        ctx = Context()
        task = asyncio.create_task(CommandPlayer("no-such-command").play(ctx))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        ctx.cancel(within=20)
        try:
            await task
        except FileNotFoundError:
            pass


async def test_one_that_hears_of_the_stop_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tells all processes at once, as systemd does, tells the command as well: that is clean."""
    monkeypatch.setattr(command_run, "MOMENT", 20)
    async with Playing(sh("exec sleep 100")) as play:
        os.kill(play.pid, signal.SIGTERM)
        await until(lambda: not os.path.exists(f"/proc/{play.pid}/exe"))
        assert await play.stop() is None


# Its group


async def test_its_group_is_asked_with_it() -> None:
    """What it has started hears the signal as well, and has a moment after it."""
    child = (
        "trap 'sleep 0.1; echo child asked; exit' TERM; echo child; while :; do sleep 0.02; done"
    )
    parent = 'trap "exit 0" TERM; sh -c "$1" & echo parent; while :; do sleep 0.02; done'
    async with Playing(sh(parent, child)) as play:
        await play.printed("child")
        assert await play.stop() is None
        assert "child asked" in play.logger.lines


async def test_the_signal_may_be_for_the_program_alone() -> None:
    """With `stop_group=False` it looks after its children itself, as long as it runs."""
    child = "trap 'echo child asked' TERM; echo child; while :; do sleep 0.02; done"
    parent = 'trap "echo asked; exit 0" TERM; sh -c "$1" & while :; do sleep 0.02; done'
    async with Playing(sh(parent, child), stop_group=False) as play:
        await play.printed("child")
        assert await play.stop() is None
        assert "asked" in play.logger.lines
        assert "child asked" not in play.logger.lines


async def test_what_it_has_started_ends_with_it() -> None:
    """When the program has ended by itself, nothing is left of its group."""
    mark = tag()
    async with Playing(sh("sleep $1 & sleep $1 & exit 0", mark)) as play:
        await asyncio.wait([play.task])
        assert not running(mark)


async def test_grandchildren_that_are_deaf_end_with_it() -> None:
    """Those that ignore the signal are killed, soon after the program has ended."""
    mark = tag()
    script = "sh -c \"trap '' TERM; echo deaf; sleep $1; sleep $1\" & wait"
    async with Playing(sh(script, mark)) as play:
        await play.printed("deaf")
        assert await play.stop() is None
        assert not running(mark)


@needs_linux
async def test_what_has_left_its_group_ends_with_it() -> None:
    """Also who has a session of its own by now, and has lost its parent."""
    mark = tag()
    script = "(setsid sleep $1 &) ; (setsid setsid sh -c 'sleep $1; true' sh $1 &); exec sleep 100"
    async with Playing(sh(script, mark)) as play:
        await until(lambda: len(running(f"sleep\0{mark}")) == 2)
        assert await play.stop() is None
        assert not running(mark)


@needs_linux
async def test_others_are_left_alone() -> None:
    """What another command has started goes on, in its group or out of it."""
    mark, other = tag(), tag()
    script = "setsid sleep $1 & exec sleep 100"
    async with Playing(sh(script, other)) as others:
        async with Playing(sh(script, mark)) as play:
            await until(lambda: running(f"sleep\0{mark}") and running(f"sleep\0{other}"))
            assert await play.stop() is None
        assert not running(mark)
        assert len(running(f"sleep\0{other}")) == 1
        assert await others.stop() is None


# Its time is over


async def test_one_that_ignores_the_signal_is_killed_in_time() -> None:
    """It is killed before the time of its group is over, and the error says who and where."""
    mark = tag()
    async with Playing(python(DEAF + FOREVER, mark), timeout=1) as play:
        await play.printed("up")
        pid = play.pid
        error = timeout_in(await play.stop())
    assert error.left == ("a",)
    assert not error.abandoned
    name = os.path.basename(os.path.realpath("/proc/self/exe")).rstrip(".0123456789")
    assert f"process {pid} ({name}" in error.stuck["a"]
    assert "has not ended after SIGTERM" in error.stuck["a"]
    assert not running(mark)


async def test_it_may_have_less_time_than_its_group() -> None:
    """`stop_timeout` bounds it."""
    async with Playing(python(DEAF + FOREVER), timeout=3600, stop_timeout=0.1) as play:
        await play.printed("up")
        error = timeout_in(await play.stop())
    assert "has not ended after SIGTERM for 0.1 s, and was killed" in error.stuck["a"]


async def test_the_time_of_its_context_counts_without_a_conductor() -> None:
    """Who plays it himself gets the same error."""
    ctx = Context()
    logger: list[str] = []
    task = asyncio.create_task(CommandPlayer(python(DEAF + FOREVER)).play(ctx))
    await asyncio.sleep(0.5)
    ctx.cancel(within=0.2)
    try:
        await task
    except StopTimeoutError as error:
        logger.append(error.stuck[error.left[0]])
    # On a slow machine it had not come to the point where it is deaf.
    assert not logger or "was killed" in logger[0]


async def test_a_group_without_time_cuts_it_off() -> None:
    """With a timeout of 0 it is killed at once."""
    mark = tag()
    async with Playing(python(DEAF + FOREVER, mark), timeout=0) as play:
        await play.printed("up")
        error = timeout_in(await play.stop())
    assert error.left == ("a",)
    assert f"process {play.status.details['pid']} (" in error.stuck["a"]
    assert not error.stuck["a"].endswith("was killed")
    # It is abandoned, since to kill it takes some time, which it has not.
    await until(lambda: not running(mark))
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_it_is_cut_off_by_a_cancellation() -> None:
    """Cancelled, it is killed at once, and nothing is left when the task ends."""
    mark = tag()
    async with Playing(python(DEAF + FOREVER, mark)) as play:
        await play.printed("up")
        play.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await play.task
        assert not running(mark)
        play.task = asyncio.create_task(asyncio.sleep(0))


async def test_children_of_one_that_is_killed_are_killed() -> None:
    """The whole of it is gone, also those who are deaf themselves."""
    mark = tag()
    script = 'trap "" TERM; (setsid sleep $1 &); sleep $1 & echo up; while :; do sleep $1; done'
    async with Playing(sh(script, mark), stop_timeout=0.2) as play:
        await until(lambda: len(running(f"sleep\0{mark}")) == 3)
        timeout_in(await play.stop())
        assert not running(mark)
