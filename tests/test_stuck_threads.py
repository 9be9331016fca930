"""Threads that were abandoned and still go on: who may start beside them, and what is told of them."""

import asyncio
import gc
import logging
import threading
from typing import Any

import pytest

from groups import Show, show, start, stop_timeout, turns
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    PlayerStatus,
    ThreadPlayer,
    playing,
    restarting,
)
from orchestra.testing import FakePlayer, ignores_cancellation, run_virtual
from virtual import until


class Stuck:
    """A function that does not look at its context; it waits for as long as the test wants."""

    def __init__(self, error: Exception | None = None) -> None:
        self.began = 0
        self.ended = 0
        self.until = Context()
        self._error = error

    def bind(self) -> None:
        """Wait by the time of the running loop, so that virtual time goes on."""
        self.until.bind()

    def __call__(self) -> None:
        self.began += 1
        self.until.wait_sync()
        self.ended += 1
        if self._error is not None:
            raise self._error

    async def release(self) -> None:
        self.until.cancel()
        await until(lambda: self.ended == self.began)
        await asyncio.sleep(1)


@pytest.fixture
def stuck() -> Stuck:
    return Stuck()


class Lines:
    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def info(self, msg: str, **attrs: object) -> None: ...

    def error(self, msg: str, **attrs: object) -> None:
        self.errors.append((msg, attrs))

    def with_group(self, name: str) -> "Lines":
        return self


class Watched(ThreadPlayer):
    """A thread that is expected to give heartbeats."""

    watchdog = 5.0


def status(playing: Show) -> PlayerStatus:
    return playing.conductor.status().players["a"]


@pytest.mark.virtual_time
async def test_no_second_copy_is_started_silently(stuck: Stuck) -> None:
    """A restart fails as long as the old thread goes on, and says where that is; then it starts."""
    stuck.bind()
    lines = Lines()
    player = restarting(Watched(stuck), [1] * 20)
    playing = await show(Conductor({"a": player}, logger=lines), after=10)
    assert stuck.began == 1
    assert status(playing).details["zombies"] == 1
    error = lines.errors[-1][1]["error"]
    assert type(error) is OrchestraError
    first, *lines_of_code = str(error).splitlines()
    assert first == "not started: an earlier run, which was abandoned, still goes on"
    assert any("in __call__: self.until.wait_sync()" in line for line in lines_of_code)
    stuck.until.cancel()
    await until(lambda: stuck.ended == 1)
    stuck.until = Context()
    stuck.bind()
    await asyncio.sleep(2)
    assert stuck.began == 2
    assert "zombies" not in status(playing).details
    stuck.until.cancel()
    await playing.end()


@pytest.mark.virtual_time
async def test_a_second_copy_on_request(stuck: Stuck) -> None:
    """With `overlap=True` it is started beside them; the log says beside how many, and where they are."""
    stuck.bind()
    lines = Lines()
    player = restarting(Watched(stuck, overlap=True), [1] * 20)
    playing = await show(Conductor({"a": player}, logger=lines), after=14)
    assert stuck.began == 3
    assert status(playing).details["zombies"] == 2
    assert "zombies=2" in str(status(playing))
    told = [(msg, attrs) for msg, attrs in lines.errors if "beside" in msg]
    assert [msg for msg, _ in told] == [
        "a: started beside others: an earlier run, which was abandoned, still goes on",
        "a: started beside others: 2 earlier runs, which were abandoned, still go on",
    ]
    assert [attrs["zombies"] for _, attrs in told] == [1, 2]
    assert told[1][1]["where"].count("in __call__: self.until.wait_sync()") == 2
    await stuck.release()
    assert "zombies" not in status(playing).details
    await playing.end()


@pytest.mark.virtual_time
@pytest.mark.parametrize("overlap", [False, True])
async def test_a_group_that_is_played_again(stuck: Stuck, overlap: bool) -> None:
    """What is left of an earlier performance counts as what is left of an earlier run."""
    stuck.bind()
    conductor = Conductor({"a": ThreadPlayer(stuck, overlap=overlap)}, timeout=1)
    for number in (1, 2):
        again = await show(conductor, after=1)
        assert stuck.began == (number if overlap else 1)
        error = await again.end()
        if number == 2 and not overlap:
            assert "not started: an earlier run" in str(error)
        else:
            assert stop_timeout(error).left == ("a",)
    assert status(again).details["zombies"] == (2 if overlap else 1)
    await stuck.release()


@pytest.mark.virtual_time
async def test_overlap_is_for_those_who_mean_it() -> None:
    """Another player may have something of that name; only a plain True means this."""

    class Player(FakePlayer):
        overlap = 0.5

    player = Player(ignores_cancellation(for_=100))
    conductor = Conductor({"a": player}, timeout=1)
    for _ in range(2):
        await (await show(conductor, after=1)).end()
    assert player.runs == 1
    await asyncio.sleep(200)


@pytest.mark.virtual_time
async def test_a_thread_that_was_let_go(stuck: Stuck) -> None:
    """One that nobody waits for any more is not forgotten either, by its path."""
    stuck.bind()
    player = ThreadPlayer(stuck)
    task = start(player)
    for _ in range(2):
        await turns()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(OrchestraError, match="an earlier thread still goes on") as raised:
        await player.play(Context())
    assert "in __call__: self.until.wait_sync()" in str(raised.value)
    other = await show(Conductor({"elsewhere": player}, timeout=1), after=1)
    assert stuck.began == 2
    await stuck.release()
    await other.end()
    await player.play(Context())
    assert stuck.began == 3


@pytest.mark.parametrize("overlap", [False, True])
def test_a_thread_that_outlives_its_loop_is_remembered(stuck: Stuck, overlap: bool) -> None:
    """A program that begins anew in another loop does not get a second copy silently either."""
    conductor = Conductor({"a": ThreadPlayer(stuck, overlap=overlap)}, timeout=0.1)

    async def main(began: int) -> None:
        try:
            async with playing(conductor):
                await until(lambda: stuck.began == began)
        except* (OrchestraError, TimeoutError):
            pass

    asyncio.run(main(1))
    asyncio.run(main(1 + overlap))
    assert stuck.began == 1 + overlap
    stuck.until.cancel()
    for thread in threading.enumerate():
        if thread.name == "a":
            thread.join()


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_thread_raises_that_was_let_go(when: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback, whether it came just before or long after."""
    error = LookupError("late")
    stuck = Stuck(error)
    caplog.set_level(logging.ERROR)

    async def main() -> None:
        task = start(ThreadPlayer(stuck))
        await until(lambda: stuck.began == 1)
        task.cancel()
        await turns()
        if when == "before":
            stuck.until.cancel()
            for thread in threading.enumerate():
                if thread.name == "Stuck":
                    thread.join()
        task.cancel()
        with pytest.raises((asyncio.CancelledError, LookupError)) as raised:
            await task
        if when == "after":
            stuck.until.cancel()
            await until(lambda: bool(caplog.records))
        else:
            assert caplog.records or raised.value is error

    asyncio.run(main())
    if caplog.records:
        assert caplog.messages == ["a thread failed after it was abandoned: LookupError: late"]
        (record,) = caplog.records
        assert record.exc_info is not None
        assert record.exc_info[1] is error
    gc.collect()


@pytest.mark.virtual_time
async def test_the_traceback_of_a_thread_is_that_of_the_thread() -> None:
    """What is raised has the frames of the function, down to the line."""

    def inner() -> None:
        raise LookupError("boom")

    def outer() -> None:
        inner()

    with pytest.raises(LookupError) as raised:
        await ThreadPlayer(outer).play(Context())
    assert [entry.name for entry in raised.traceback][-2:] == ["outer", "inner"]


@pytest.mark.virtual_time
async def test_where_a_stuck_thread_is_also_when_it_is_seen_late(stuck: Stuck) -> None:
    """A player that is removed while its thread is stuck, and added again, is refused with the place."""
    stuck.bind()
    playing = await show(Conductor({"a": stuck, "b": FakePlayer()}, timeout=1), after=1)
    with pytest.raises(TimeoutError):
        await playing.conductor.remove("a")
    playing.conductor.add("a", stuck)
    await asyncio.sleep(1)
    assert stuck.began == 1
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert "in __call__: self.until.wait_sync()" in str(error.failures["a"])
    await stuck.release()


def test_the_plain_form_does_not_overlap() -> None:
    """A function that is made into a player is the careful kind."""
    assert ThreadPlayer(lambda: None).overlap is False
    assert ThreadPlayer(lambda: None, overlap=True).overlap is True
    assert run_virtual(Conductor({"a": lambda: None}).play(Context())) is None
