"""How a server starts, and what becomes of an application that does not."""

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest
from server_kit import App, address, get, refuses, served, serving, taking_less_than, until
from starlette.applications import Starlette

from orchestra import (
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    PlayerAbortedError,
    StartTimeoutError,
    playing,
)

pytestmark = pytest.mark.real_time


async def raising(error: BaseException) -> None:
    raise error


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_it_is_ready_only_when_the_application_has_started() -> None:
    """While the application starts, the player is not ready; then it is, with its address."""
    script = App()
    script.on_start = script.gate.wait
    conductor = Conductor({"api": served(script)})
    ctx = Context()
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: script.log)
    assert not conductor.status().players["api"].ready
    script.gate.set()
    await until(lambda: conductor.status().players["api"].ready)
    (url,) = conductor.status().players["api"].details["addresses"]  # type: ignore[attr-defined]
    assert await get(url) == "hello"
    ctx.cancel()
    await task


async def test_a_failing_start_raises_what_the_application_raised() -> None:
    """The application's own exception comes out, not one of the server's."""
    script = App()
    script.on_start = lambda: raising(ConnectionError("no database"))
    with pytest.raises(ConnectionError, match="no database"):
        await served(script).play(Context())


async def test_a_failing_start_of_starlette_raises_its_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the framework reports the failure, its exception comes out all the same, logged once."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        raise ConnectionError("no database")
        yield

    conductor = Conductor({"api": served(Starlette(lifespan=lifespan))})
    with caplog.at_level(logging.INFO), pytest.raises(ConductorError) as caught:
        await conductor.play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, ConnectionError)
    assert sum("Traceback" in (record.exc_text or "") for record in caplog.records) == 1


async def test_a_failure_that_is_only_told_is_raised_too() -> None:
    """An application that says that its start failed, and raises nothing, fails with its message."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        await for_ever()

    with pytest.raises(OrchestraError, match="no database"):
        await served(app).play(Context())


async def test_an_exit_in_the_application_does_not_end_the_program() -> None:
    """A SystemExit raised in the start is a failure of the player."""
    script = App()
    script.on_start = lambda: raising(SystemExit(3))
    with pytest.raises(ConductorError) as caught:
        await Conductor({"api": served(script)}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, PlayerAbortedError)


async def test_an_application_without_a_lifespan_is_served() -> None:
    """One that raises at the lifespan's scope, as the standard allows, is served without."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP")
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"served"})

    async with serving(app) as url:
        assert await get(url) == "served"


@pytest.mark.parametrize("takes_first", [False, True])
async def test_an_application_that_knows_requests_only_is_served(takes_first: bool) -> None:
    """One that answers whatever it is called with is served as well."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if takes_first:
            await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"served"})

    async with serving(app) as url:
        assert await get(url) == "served"


async def test_a_start_that_hangs_is_bounded_by_start_timeout() -> None:
    """It fails after the start_timeout of the player, naming the line, and nobody listens any more."""
    script = App()
    script.on_start = for_ever
    player = served(script)
    player.start_timeout = 0.1
    with taking_less_than(20), pytest.raises(ConductorError) as caught:
        await Conductor({"api": player}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, StartTimeoutError)
    assert "in for_ever" in "".join(error.__notes__)


async def test_a_stop_during_the_start_ends_it() -> None:
    """Asked to stop while the application starts, it ends the application and returns."""
    script = App()
    script.on_start = for_ever
    ctx = Context()
    task = asyncio.create_task(served(script).play(ctx))
    await until(lambda: script.log)
    ctx.cancel()
    with taking_less_than(9):
        await task
    assert script.log == ["starting"]


async def test_a_server_that_ends_by_itself_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server's own loop returns, the player fails, and nothing serves any more."""
    import uvicorn

    stop = asyncio.Event()
    monkeypatch.setattr(uvicorn.Server, "main_loop", lambda self: stop.wait())
    with pytest.raises(OrchestraError, match="uvicorn ended by itself"):
        async with serving(App()) as url:
            stop.set()
            await for_ever()
    assert refuses(url)


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1)], ids=repr)
async def test_a_crash_of_the_servers_loop_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """What the server's own loop raises is raised, and a SystemExit never gets out."""
    import uvicorn

    stop = asyncio.Event()

    async def main_loop(self: uvicorn.Server) -> None:
        await stop.wait()
        raise error

    monkeypatch.setattr(uvicorn.Server, "main_loop", main_loop)
    script = App()
    conductor = Conductor({"api": served(script)})
    task = asyncio.create_task(conductor.play(Context()))
    await until(lambda: conductor.status().players["api"].ready)
    stop.set()
    with pytest.raises(ConductorError) as caught:
        await task
    (raised,) = caught.value.exceptions
    assert raised is error if isinstance(error, Exception) else isinstance(raised, OrchestraError)
    assert script.log[-1] == "ended", "the application was not told"


async def test_an_application_whose_lifespan_breaks_is_a_failure() -> None:
    """What a lifespan raises while it should rest, as a task group in it does, is raised at once."""
    broken = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async def background() -> None:
            await broken.wait()
            raise ConnectionError("lost the database")

        async with asyncio.TaskGroup() as group:
            group.create_task(background())
            yield

    with pytest.raises(ExceptionGroup) as caught:
        async with playing(served(Starlette(lifespan=lifespan))) as performance:
            assert address(performance)
            broken.set()
            await for_ever()
    assert caught.group_contains(ConnectionError)


async def test_an_application_that_breaks_as_soon_as_it_has_started() -> None:
    """A failure between the application's start and the server's is not overlooked."""
    script = App()
    script.broken.set()
    with taking_less_than(20), pytest.raises(ConnectionError, match="broken"):
        await served(script).play(Context())
