"""How every server stops: gracefully while there is time, and in time whatever its clients do."""

import asyncio
import contextlib
import logging
import re
import socket
from typing import Any

import pytest
from script import Script
from server_kit import SOON, Play, refuses, taking_less_than, until, where
from subject import Ask, Subject

pytestmark = pytest.mark.real_time


def play(subject: Subject, script: Script, **kwargs: Any) -> Play:
    return Play(subject.app(script), **subject.kwargs, **kwargs)


async def ask_once(subject: Subject, address: str, what: str) -> str:
    async with subject.talk(address) as ask:
        return await ask(what)


@pytest.mark.keeps("in flight")
async def test_a_request_in_flight_finishes(subject: Subject) -> None:
    """After the stop new connections are refused, and a request in its handler is answered in full."""
    script = Script()
    async with play(subject, script) as playing:
        request = asyncio.create_task(ask_once(subject, playing.url, "slow"))
        await script.entered.wait()
        playing.ctx.cancel()
        await until(lambda: refuses(playing.url))
        assert not playing.task.done()
        script.gate.set()
        assert await request == "slow"
        with taking_less_than(SOON):
            await playing.task


@pytest.mark.keeps("idle")
async def test_idle_connections_are_closed(subject: Subject) -> None:
    """Clients that keep their connections and ask nothing do not hold the stop."""
    async with play(subject, Script()) as playing, contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            ask = await stack.enter_async_context(subject.talk(playing.url))
            assert await ask("hello") == "hello"
        with taking_less_than(SOON):
            await playing.stop()
        # Nothing of it lives on.
        with pytest.raises(subject.cut):
            await ask("hello")


@pytest.mark.keeps("half-sent")
async def test_half_sent_requests_do_not_hold_the_stop(subject: Subject) -> None:
    """Clients that connect and do not finish what they ask are let go."""
    async with play(subject, Script()) as playing, contextlib.AsyncExitStack() as stack:
        for half in subject.half_sent:
            sock = stack.enter_context(socket.create_connection(where(playing.url)))  # type: ignore[arg-type]
            sock.sendall(half)
        await asyncio.sleep(0.1)
        with taking_less_than(SOON):
            await playing.stop()


@pytest.mark.keeps("websockets")
async def test_websockets_get_a_proper_close(subject: Subject) -> None:
    """The client gets a close frame that says that the server goes (1001) or restarts (1012)."""
    script = Script()
    async with play(subject, script) as playing:
        client = asyncio.create_task(subject.websocket(playing.url, script))
        await script.entered.wait()
        with taking_less_than(SOON):
            await playing.stop()
        assert await client in (1001, 1012)
        await script.gone.wait()


@pytest.mark.keeps("event streams")
async def test_event_streams_get_a_proper_end(subject: Subject) -> None:
    """An endless stream ends as a complete answer, its handler hears of it, and nothing counts as cut."""
    script = Script()
    async with play(subject, script) as playing:
        client = asyncio.create_task(subject.listen(playing.url, script))
        await script.entered.wait()
        with taking_less_than(SOON):
            await playing.stop()
        assert await client, "the stream was cut off"
        await script.gone.wait()


@pytest.mark.keeps("lifespan")
async def test_the_application_ends_once(subject: Subject) -> None:
    """It starts once before the first request, and ends once after the last, also after a restart."""
    script = Script()
    async with play(subject, script) as playing:
        assert script.log == ["starting", "started"]
        request = asyncio.create_task(ask_once(subject, playing.url, "slow"))
        await script.entered.wait()
        restart = asyncio.create_task(playing.conductor.restart("api"))
        await asyncio.sleep(0.1)
        assert "ended" not in script.log
        script.gate.set()
        assert await request == "slow"
        await restart
        await playing.stop()
    assert script.log == ["starting", "started", "ended"] * 2


async def cut_off(subject: Subject, ask: Ask, what: str) -> None:
    with pytest.raises(subject.cut):
        await ask(what)


@pytest.mark.keeps("cut off")
@pytest.mark.parametrize(("timeout", "shutdown_timeout"), [(20, 0.3), (1, 10)])
async def test_what_hangs_is_cut_off_and_counted(
    subject: Subject, timeout: float, shutdown_timeout: float
) -> None:
    """Over its shutdown_timeout, or what the group has, clients are cut off; the error says how many."""
    script = Script()
    limits: dict[str, Any] = {"timeout": timeout, "shutdown_timeout": shutdown_timeout}
    async with play(subject, script, **limits) as playing, contextlib.AsyncExitStack() as stack:
        requests = []
        for _ in range(2):
            ask = await stack.enter_async_context(subject.talk(playing.url))
            requests.append(asyncio.create_task(cut_off(subject, ask, "slow")))
            await script.entered.wait()
            script.entered._event.clear()
        with taking_less_than(SOON):
            error = await playing.fails_to_stop()
        await asyncio.gather(*requests)
        # On a machine that is busy enough, the conductor is the one that cuts it off.
        assert re.match(
            r"(process \d+\n)?2 requests were (cut off|in progress)", error.stuck["api"]
        )
        assert refuses(playing.url)
        script.gate.set()


@pytest.mark.keeps("cut off")
async def test_what_is_cut_off_is_not_logged_as_served(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    """No line of an access log says that a request was answered which was not."""
    script = Script()
    with caplog.at_level(logging.INFO, subject.access_logger or "orchestra"):
        async with play(subject, script, shutdown_timeout=0.3) as playing:
            async with subject.talk(playing.url) as ask:
                request = asyncio.create_task(cut_off(subject, ask, "slow"))
                await script.entered.wait()
                await playing.fails_to_stop()
                await request
                script.gate.set()
                await asyncio.sleep(0.1)
    lines = [one.getMessage() for one in caplog.records if one.name == subject.access_logger]
    assert [line for line in lines if "slow" in line and " 200" in line] == []


@pytest.mark.keeps("cancelled")
async def test_handlers_that_are_cut_off_are_cancelled(subject: Subject) -> None:
    """A handler is cancelled, so that it can clean up; the error has the line where it was."""
    script = Script()
    async with play(subject, script, shutdown_timeout=0.3) as playing:
        async with subject.talk(playing.url) as ask:
            request = asyncio.create_task(cut_off(subject, ask, "slow"))
            await script.entered.wait()
            error = await playing.fails_to_stop()
            await request
    assert script.cancelled == 1
    assert error.abandoned == ()
    assert "self.gate.wait()" in error.stuck["api"]


@pytest.mark.keeps("cut off")
async def test_a_handler_that_goes_on_holds_nobody(subject: Subject) -> None:
    """A handler that can't be ended is named as left behind, or killed, and the stop ends in time."""
    script = Script()
    async with play(subject, script, shutdown_timeout=0.2) as playing:
        async with subject.talk(playing.url) as ask:
            request = asyncio.create_task(cut_off(subject, ask, "stubborn"))
            await script.entered.wait()
            with taking_less_than(SOON):
                error = await playing.fails_to_stop()
            await request
            assert error.abandoned == (() if subject.apart else ("api",))
            script.gate.set()
            await asyncio.sleep(0.1)
