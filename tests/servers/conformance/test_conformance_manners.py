"""What no server touches, and what becomes of one that breaks or is cut off."""

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Any

import pytest
from script import Script
from server_kit import SOON, Play, refuses, served, taking_less_than
from subject import Subject

from orchestra import Conductor, ConductorError, Context, PlayerAbortedError

pytestmark = pytest.mark.real_time


def play(subject: Subject, script: Script, **kwargs: Any) -> Play:
    return Play(subject.app(script), **subject.kwargs, **kwargs)


@pytest.mark.keeps("manners")
async def test_signals_logging_and_loop_policy_are_left_alone(subject: Subject) -> None:
    """While it plays and after it, they are what they were."""

    def state() -> list[Any]:
        names = ["", subject.name, subject.access_logger]
        loggers = [logging.getLogger(name) for name in names]
        return [
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
            asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None,
            asyncio.get_running_loop().get_exception_handler(),
        ]

    before = state()
    async with play(subject, Script()) as playing:
        async with subject.talk(playing.url) as ask:
            assert await ask("hello") == "hello"
        assert state() == before
    assert state() == before


@pytest.mark.keeps("access log")
@pytest.mark.parametrize("access_log", [True, False])
async def test_the_access_log_can_be_switched_off(
    subject: Subject, caplog: pytest.LogCaptureFixture, access_log: bool
) -> None:
    """Each request is a record of a standard logger, unless access_log is False."""
    with caplog.at_level(logging.INFO, subject.access_logger):
        async with play(subject, Script(), access_log=access_log) as playing:
            async with subject.talk(playing.url) as ask:
                assert await ask("hello") == "hello"
    records = [one for one in caplog.records if one.name == subject.access_logger]
    assert bool([one for one in records if "hello" in one.getMessage()]) is access_log


@pytest.mark.keeps("exit")
async def test_an_exit_in_a_handler_does_not_end_the_program(subject: Subject) -> None:
    """It is the client's trouble, or a failure of the player, and never takes the loop down."""
    conductor = Conductor({"api": served(subject.app(Script()), **subject.kwargs)})
    ctx = Context()
    playing = asyncio.create_task(conductor.play(ctx))
    while not conductor.status().players["api"].ready:
        await asyncio.sleep(0.001)
    details: Any = conductor.status().players["api"].details
    with contextlib.suppress(Exception):
        async with subject.talk(details["addresses"][0]) as ask:
            await ask("exit")
    await asyncio.sleep(0.1)
    if not playing.done():
        async with subject.talk(details["addresses"][0]) as ask:
            assert await ask("hello") == "hello"
    ctx.cancel()
    with contextlib.suppress(ConductorError):
        await playing


@pytest.mark.keeps("failing start")
async def test_an_exit_in_the_start_is_a_failure(subject: Subject) -> None:
    """A SystemExit raised while the application starts is a failure of the player."""
    script = Script()
    script.on_start = sys.exit
    player = served(subject.app(script), **subject.kwargs)
    with pytest.raises(ConductorError) as caught:
        await Conductor({"api": player}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, PlayerAbortedError)


@pytest.mark.keeps("crash")
async def test_a_crash_of_the_servers_loop_is_a_failure(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the loop of the server breaks, the player fails, and nobody listens any more."""
    crash = subject.crash(monkeypatch)
    conductor = Conductor({"api": served(subject.app(Script()), **subject.kwargs)})
    playing = asyncio.create_task(conductor.play(Context()))
    while not conductor.status().players["api"].ready:
        await asyncio.sleep(0.001)
    details: Any = conductor.status().players["api"].details
    crash()
    with pytest.raises(ConductorError), taking_less_than(SOON):
        await playing
    assert refuses(details["addresses"][0])


@pytest.mark.keeps("nothing left")
@pytest.mark.parametrize("what", ["hello", "slow"])
async def test_a_cut_off_leaves_nothing_serving(subject: Subject, what: str) -> None:
    """When the task that plays is cancelled, connections are aborted and nobody listens any more."""
    script = Script()
    player, ctx = served(subject.app(script), **subject.kwargs), Context()
    conductor = Conductor({"api": player})
    task = asyncio.create_task(conductor.play(ctx))
    while not conductor.status().players["api"].ready:
        await asyncio.sleep(0.001)
    details: Any = conductor.status().players["api"].details
    url = details["addresses"][0]
    async with subject.talk(url) as ask:
        assert await ask("hello") == "hello"
        request = asyncio.create_task(ask(what))
        if what == "slow":
            await script.entered.wait()
        else:
            await request
        task.cancel()
        with pytest.raises(asyncio.CancelledError), taking_less_than(SOON):
            await task
        assert refuses(url)
        (outcome,) = await asyncio.gather(request, return_exceptions=True)
        assert what == "hello" or isinstance(outcome, subject.cut)
        with pytest.raises(subject.cut):
            await ask("hello")
    script.gate.set()


@pytest.mark.keeps("nothing left")
async def test_a_cut_off_in_the_middle_of_the_start_leaves_nothing(subject: Subject) -> None:
    """Cancelled at any step of its start, the player leaves nobody listening and no task behind."""
    for steps in range(0, 30, 3):
        task = asyncio.create_task(served(subject.app(Script()), **subject.kwargs).play(Context()))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    # That no task, thread or socket is left is checked after each test.
