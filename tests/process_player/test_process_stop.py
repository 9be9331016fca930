"""How a player in a process is stopped: asked, then SIGTERM, then the end of its whole group."""

import asyncio
import os
import signal
from typing import Any

import process_plays as plays
import pytest
from process_kit import is_alive, pid_of, shown, until

from groups import start, stop_timeout, turns
from orchestra import Conductor, ConductorError, Context, CutOff, ProcessPlayer, StopTimeoutError
from orchestra.players._process import run as process_run
from orchestra.players._process.launch import ChildProcess

pytestmark = pytest.mark.real_time


class TellingContext(Context):
    """A bare context that tells when its player plays."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def ready(self, **details: object) -> None:
        self.told.set()


async def stopped(player: Any, timeout: float = 2.0, **terms: Any) -> tuple[StopTimeoutError, int]:
    """Have it stopped in its time, which does not work; what that comes to, and its pid."""
    with pytest.raises(ConductorError) as caught:
        async with shown(ProcessPlayer(player), timeout=timeout, **terms) as performance:
            pid = pid_of(performance)
    assert not is_alive(pid)
    return stop_timeout(caught.value), pid


async def test_it_is_asked_with_its_reason_and_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """The context there is done, for the same reason, with less time than there is here."""
    async with shown(ProcessPlayer(plays.Reports())):
        pass
    (record,) = [one for one in caplog.records if one.name == "reports"]
    assert record.getMessage().startswith("the playing block was left ")
    assert 0 < record.left < 9 * 0.85**2  # type: ignore[attr-defined]


async def test_it_has_all_time_where_nobody_sets_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A bare context that is cancelled without a limit sets none there."""
    ctx = TellingContext()
    task = asyncio.create_task(ProcessPlayer(plays.Reports()).play(ctx))
    await ctx.told.wait()
    ctx.cancel("enough")
    await task
    (record,) = [one for one in caplog.records if one.name == "reports"]
    assert record.left > 100_000  # type: ignore[attr-defined]


@pytest.mark.parametrize("function", [plays.stuck, plays.swallows, plays.stuck_thread])
async def test_who_does_not_stop_is_named_by_the_process(function: Any) -> None:
    """The child cuts it off by itself, and tells where it was stuck; nothing of it goes on."""
    error, pid = await stopped(function)
    assert error.left == ("group.it",)
    assert error.stuck["group.it"].startswith(f"process {pid}\nat ")
    assert "3600" in error.stuck["group.it"]
    assert error.abandoned == ()


async def test_the_stuck_are_named_down_to_the_leaves() -> None:
    """In a conductor there, the paths go on down to those that are stuck, and no further."""
    error, pid = await stopped(plays.stuck_group())
    assert sorted(error.left) == ["group.it.inner.blocks", "group.it.inner.stuck"]
    assert f"process {pid}\n" in error.stuck["group.it.inner.blocks"]
    assert "time.sleep(3600)" in error.stuck["group.it.inner.blocks"]


async def test_a_process_that_can_not_answer_is_killed() -> None:
    """Where C code holds the interpreter's lock, the pid is all that is known of who is stuck."""
    events: list[Any] = []
    error, pid = await stopped(plays.lock_group(), observers=[events.append])
    assert "group.it.holds" in error.left
    assert error.stuck["group.it.holds"] == f"process {pid}"
    assert CutOff in [type(event) for event in events]


async def test_dying_of_the_second_step_is_no_clean_stop() -> None:
    """A process that a SIGTERM ends, after it was asked in vain, has not stopped in time."""
    error, pid = await stopped(plays.dies_of_terminate)
    assert error.left == ("group.it",)
    assert f"process {pid}" in error.stuck["group.it"]


async def test_it_is_killed_in_time_without_a_supervisor() -> None:
    """Played with a bare context, it keeps to the time that this sets."""
    ctx = TellingContext()
    task = asyncio.create_task(ProcessPlayer(plays.blocks).play(ctx))
    await ctx.told.wait()
    ctx.cancel(within=0.5)
    with pytest.raises(StopTimeoutError) as caught:
        await task
    assert caught.value.left == ("",)


async def test_it_is_killed_at_once_where_there_is_no_time() -> None:
    """A bare context that is cancelled with no time to stop in leaves none."""
    ctx = TellingContext()
    task = asyncio.create_task(ProcessPlayer(plays.works).play(ctx))
    await ctx.told.wait()
    ctx.cancel(within=0)
    with pytest.raises(StopTimeoutError):
        await task


async def test_its_time_may_get_shorter() -> None:
    """A limit that is set later reaches it too."""
    ctx = TellingContext()
    task = asyncio.create_task(ProcessPlayer(plays.stuck).play(ctx))
    await ctx.told.wait()
    ctx.cancel("enough")
    await asyncio.sleep(0.3)
    ctx.cancel(within=3)
    with pytest.raises(StopTimeoutError) as caught:
        await task
    assert "await asyncio.sleep(3600)" in caught.value.stuck[""]


async def test_it_is_stopped_in_the_middle_of_its_start() -> None:
    """As long as nothing plays there, it is ended by a SIGTERM, which is a clean stop."""
    ctx = Context()
    conductor = Conductor({"it": ProcessPlayer(plays.BreaksOnArrival("hang"))})
    task = start(conductor, ctx)
    await asyncio.sleep(0.3)
    ctx.cancel()
    await task


async def test_a_cut_off_kills_the_group_at_once() -> None:
    """Cancelled, it does not wait for anything but the end of the process."""
    task = asyncio.create_task(ProcessPlayer(plays.works).play(Context()))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_cancels_twice_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits no more for the end of the process, which is ended all the same."""
    killed: list[ChildProcess] = []
    monkeypatch.setattr(ChildProcess, "kill", lambda self: killed.append(self))
    task = asyncio.create_task(ProcessPlayer(plays.works).play(Context()))
    await asyncio.sleep(0.3)
    task.cancel()
    await turns()
    monkeypatch.undo()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(killed[0].pid)


async def test_a_cut_off_does_not_hide_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the player raised there comes out, even though it is cut off before its process ends."""
    monkeypatch.setattr(process_run, "EXIT_WITHIN", 3600)
    told = asyncio.Event()
    take = process_run.ProcessRun._on_outcome
    monkeypatch.setattr(
        process_run.ProcessRun, "_on_outcome", lambda *args: (take(*args), told.set())
    )
    task = asyncio.create_task(ProcessPlayer(plays.fails_with_a_thread).play(Context()))
    await told.wait()
    task.cancel()
    with pytest.raises(LookupError):
        await task


async def test_it_ends_with_its_player(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that goes on after its player, for a thread's sake, is killed."""
    monkeypatch.setattr(process_run, "EXIT_WITHIN", 0.05)
    await ProcessPlayer(plays.leaves_a_thread).play(Context())


async def test_what_holds_up_its_end_is_ended_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    """Where a thread goes on after the player, a SIGTERM ends the process, and nothing is printed."""
    async with shown(ProcessPlayer(plays.waits_with_a_thread), timeout=1.0) as performance:
        pid = pid_of(performance)
    assert not is_alive(pid)
    assert capfd.readouterr().err == ""


async def test_a_signal_from_elsewhere_stops_it_gracefully() -> None:
    """A SIGTERM from outside asks, a second cuts off; a SIGINT is not heard."""
    with pytest.raises(ConductorError) as caught:
        async with shown(ProcessPlayer(plays.stuck)) as performance:
            pid = pid_of(performance)
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
            status = lambda: performance.status().find("group.it")  # noqa: E731
            await until(lambda: status().state == "stopping")
            os.kill(pid, signal.SIGTERM)
            await asyncio.sleep(30)
    assert stop_timeout(caught.value).left == ("group.it",)


async def test_nothing_of_its_group_outlives_it() -> None:
    """Children of the process that are left in its group are killed when it has ended."""
    for mode in ("", "exit"):
        conductor = Conductor({"it": ProcessPlayer(plays.Family(mode))})
        ctx = Context()
        task = start(conductor, ctx)
        await until(lambda: conductor.status().find("it").details)  # noqa: B023
        children: Any = conductor.status().find("it").details["children"]
        if not mode:
            ctx.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: not any(map(is_alive, children)))  # noqa: B023


async def test_its_end_is_seen_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a `pidfd`, as on macOS, the end of the connection tells of the end."""
    monkeypatch.delattr(os, "pidfd_open")
    async with shown(ProcessPlayer(plays.works)) as performance:
        assert performance.status().ready
    conductor = Conductor({"it": ProcessPlayer(plays.Dies("exit"))})
    with pytest.raises(ConductorError) as caught:
        await conductor.play(Context())
    assert caught.value.failures["it"].exitcode == 7  # type: ignore[attr-defined]
    error, _ = await stopped(plays.holds_the_lock)
    assert error.left == ("group.it",)


async def test_the_start_may_be_cancelled(fork_server: None) -> None:
    """A process that the fork server has not made yet ends by itself."""
    task = asyncio.create_task(
        ProcessPlayer(plays.works, start_method="forkserver").play(Context())
    )
    await turns(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_restarts_leave_nothing_behind() -> None:
    """Many runs leave no zombie and no file descriptor."""
    before = len(os.listdir("/proc/self/fd"))
    player = ProcessPlayer(plays.Dies("exit"), backoff=[0.0] * 20)
    conductor = Conductor({"it": player})
    with pytest.raises(ConductorError):
        await conductor.play(Context())
    assert conductor.status().find("it").restarts == 20
    assert len(os.listdir("/proc/self/fd")) <= before + 1
