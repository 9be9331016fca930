"""What is particular to applications of aiohttp."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from server_kit import SOON, Play, connected, get, refuses, served, serving, taking_less_than, until

from orchestra import AlreadyPlayingError, Conductor, Context

pytestmark = pytest.mark.real_time

NUMBER = web.AppKey("number", int)


class Site:
    """An application that notes what happens to it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered, self.gate = asyncio.Event(), asyncio.Event()
        self.app = web.Application()
        for name in ("startup", "shutdown", "cleanup"):
            getattr(self.app, f"on_{name}").append(functools.partial(self.note, name))
        self.app.router.add_get("/", self.hello)
        self.app.router.add_get("/slow", self.slow)

    async def note(self, name: str, app: web.Application) -> None:
        self.log.append(name)

    async def hello(self, request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def slow(self, request: web.Request) -> web.Response:
        self.entered.set()
        await self.gate.wait()
        self.log.append("slow is done")
        return web.Response(text="slow")

    def handler(self, path: str) -> Callable[[Any], Any]:
        """Makes the decorated function the handler of a path."""
        return lambda function: self.app.router.add_route("*", path, function)


# --- Its life


async def test_an_application_has_a_life_in_each_run() -> None:
    """One instance is started and ended anew in each run, and may set its state up anew."""
    site = Site()

    async def setup(app: web.Application) -> AsyncIterator[None]:
        # Which aiohttp does not like in an application that has been started.
        app[NUMBER] = app.get(NUMBER, 0) + 1
        yield
        site.log.append(f"context {app[NUMBER]}")

    site.app.cleanup_ctx.append(setup)
    async with Play(site.app) as play:
        await play.conductor.restart("api")
        assert await get(play.url) == "hello"
    once = ["startup", "shutdown", "cleanup"]
    expected = [[*once[:2], f"context {number}", once[2]] for number in (1, 2)]
    assert site.log == [*expected[0], *expected[1]]


def test_an_application_may_be_played_on_one_loop_after_the_other() -> None:
    """It does not belong to the loop of its first run."""
    app = web.Application()

    async def main() -> None:
        async with serving(app) as url:
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await get(url)

    asyncio.run(main())
    asyncio.run(main())


def made_plain() -> web.Application:
    return Site().app


def made_without_saying_so():  # type: ignore[no-untyped-def]
    return Site().app


async def made_async() -> web.Application:
    await asyncio.sleep(0)
    return Site().app


@pytest.mark.parametrize("factory", [made_plain, made_without_saying_so, made_async])
async def test_a_function_makes_an_application_for_each_run(factory: Any) -> None:
    """A function that makes the application, async or not, is called in each run."""
    made = []

    @functools.wraps(factory)
    def counted() -> Any:
        made.append(factory())
        return made[-1]

    async with Play(counted) as play:
        await play.conductor.restart("api")
        assert await get(play.url) == "hello"
    assert len(made) == 2


async def test_an_async_function_that_does_not_say_what_it_makes() -> None:
    """With server="aiohttp" it is known what it is about."""

    async def make():  # type: ignore[no-untyped-def]
        return Site().app

    async with serving(make, server="aiohttp") as url:
        assert await get(url) == "hello"


async def test_a_function_that_makes_something_else() -> None:
    """That is an error with what it has made."""

    def make() -> web.Application:
        return "nonsense"  # type: ignore[return-value]

    with pytest.raises(TypeError, match="'nonsense'"):
        await served(make).play(Context())


async def test_one_application_twice_at_a_time() -> None:
    """An application that is played is refused to another player."""
    site = Site()
    async with Play(site.app) as play:
        with pytest.raises(AlreadyPlayingError):
            await served(site.app).play(Context())
        assert await get(play.url) == "hello"
    async with Play(site.app):
        pass


async def test_contexts_are_left_when_the_start_fails() -> None:
    """What was entered before the failure is left, in the applications inside as well."""
    site, inner = Site(), web.Application()

    async def context(app: web.Application) -> AsyncIterator[None]:
        yield
        site.log.append("left")

    async def fail(app: web.Application) -> None:
        raise ConnectionError("no database")

    site.app.cleanup_ctx.append(context)
    inner.cleanup_ctx.append(context)
    site.app.add_subapp("/inner", inner)
    site.app.on_startup.append(fail)
    with pytest.raises(ConnectionError, match="no database"):
        await served(site.app).play(Context())
    assert site.log == ["startup", "left", "left"]


async def test_a_failing_shutdown_spoils_nothing_else() -> None:
    """A request in flight is answered and on_cleanup is run, and then the exception comes out."""
    site = Site()

    async def fail(app: web.Application) -> None:
        raise ConnectionError("could not say goodbye")

    site.app.on_shutdown.append(fail)
    with pytest.raises(ConnectionError, match="goodbye"):
        async with serving(site.app) as url:
            request = asyncio.create_task(get(url, "/slow"))
            await site.entered.wait()
            asyncio.get_running_loop().call_later(0.1, site.gate.set)
    assert await request == "slow"
    assert site.log == ["startup", "shutdown", "slow is done", "cleanup"]


async def test_nothing_that_goes_wrong_in_the_end_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where more than one step of the end fails, the first comes out, and the others are logged."""
    site = Site()

    async def fail(what: str, app: web.Application) -> None:
        raise ConnectionError(what)

    site.app.on_shutdown.append(functools.partial(fail, "first"))
    site.app.on_cleanup.append(functools.partial(fail, "second"))
    with pytest.raises(ConnectionError, match="first"):
        async with serving(site.app):
            pass
    assert "ConnectionError: second" in caplog.text


async def test_a_task_group_of_the_application() -> None:
    """A context may hold a task group; when a task of it fails, so does the player, with that."""
    site, breaking = Site(), asyncio.Event()

    async def fail() -> None:
        await breaking.wait()
        raise ConnectionError("the consumer is broken")

    async def background(app: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fail())
            yield
            task.cancel()

    site.app.cleanup_ctx.append(background)
    async with serving(site.app) as url:
        assert await get(url) == "hello"
    assert site.log == ["startup", "shutdown", "cleanup"]
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(site.app):
            breaking.set()
            await asyncio.sleep(20)
    assert caught.group_contains(ConnectionError, match="the consumer is broken")


@pytest.mark.parametrize("step", ["shutdown", "cleanup"])
async def test_an_end_that_hangs_is_cut_off(step: str) -> None:
    """Where on_shutdown or on_cleanup does not come to its end, the error says so, and where."""
    site = Site()

    async def hang(app: web.Application) -> None:
        await asyncio.Event().wait()

    getattr(site.app, f"on_{step}").append(hang)
    async with Play(site.app, shutdown_timeout=0.2) as play:
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
    assert "lifespan was cut off" in error.stuck["api"]
    assert "in hang" in error.stuck["api"]
    # What does not hang is run all the same, once.
    assert site.log == ["startup", "shutdown", "cleanup"]


async def test_a_cut_off_ends_the_application_all_the_same() -> None:
    """After a request that was cut off, on_shutdown and on_cleanup have been run, once."""
    site = Site()
    async with Play(site.app, shutdown_timeout=0.2) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await site.entered.wait()
        error = await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await request
    assert error.stuck["api"].startswith("1 request was cut off")
    assert site.log == ["startup", "shutdown", "cleanup"]


# --- Requests in flight


async def test_a_client_is_told_not_to_use_the_connection_again() -> None:
    """The answer to a request in flight says that the connection closes."""
    site = Site()
    async with Play(site.app) as play, httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(play.url + "/slow"))
        await site.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        site.gate.set()
        assert (await request).headers["connection"] == "close"


async def read_all(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def test_a_body_that_is_being_sent_may_be_finished() -> None:
    """An upload goes on during the stop for as long as its client keeps sending."""
    site = Site()
    site.handler("/body")(read_all)
    async with Play(site.app) as play, connected(play.url) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        await asyncio.sleep(0.05)
        play.ctx.cancel()
        for _ in range(10):
            await asyncio.sleep(0.12)  # less than the silence that is suffered, more in the sum
            writer.write(b"x" * 10)
        assert (await reader.read()).endswith(b"100")


async def test_a_half_sent_body_does_not_hold_the_stop() -> None:
    """A client that is silent in the middle of the body of its request is let go."""
    site, lost = Site(), []

    @site.handler("/body")
    async def body(request: web.Request) -> web.Response:
        site.entered.set()
        try:
            return await read_all(request)
        except ConnectionError as error:
            lost.append(error)
            raise

    async with Play(site.app) as play, connected(play.url) as (_, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await site.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert lost


async def test_a_handler_that_does_not_want_the_body_may_finish() -> None:
    """Whether the rest of the body comes or not: it is not waited for, not even after the answer."""
    site = Site()
    site.handler("/post")(site.slow)
    async with Play(site.app) as play, connected(play.url) as (reader, writer):
        writer.write(b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await site.entered.wait()
        play.ctx.cancel()
        await asyncio.sleep(1)
        site.gate.set()
        with taking_less_than(SOON):
            assert (await reader.read()).endswith(b"slow")
            await play.task


async def test_a_handler_whose_client_has_gone_is_waited_for() -> None:
    """It goes on without its client, and is not cut off by a stop."""
    site = Site()
    async with Play(site.app) as play:
        async with connected(play.url) as (_, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await site.entered.wait()
        await asyncio.sleep(0.05)
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        assert not play.task.done()
        site.gate.set()
        await play.task
    assert site.log == ["startup", "shutdown", "slow is done", "cleanup"]


async def test_a_handler_whose_client_has_gone_is_cut_off_too() -> None:
    """Over the time it is cancelled, and counted."""
    site = Site()
    async with Play(site.app, shutdown_timeout=0.2) as play:
        async with connected(play.url) as (_, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await site.entered.wait()
        error = await play.fails_to_stop()
    assert error.stuck["api"].startswith("1 request was cut off")
    assert error.abandoned == ()


async def test_requests_sent_in_advance_are_answered() -> None:
    """Of a connection with several requests under way, all are answered."""
    site = Site()
    async with Play(site.app) as play, connected(play.url) as (reader, writer):
        writer.write(
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + 2 * b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        await site.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        site.gate.set()
        answers = await reader.read()
    assert answers.count(b"200 OK") == 3
    assert answers.count(b"Connection: close") == 1


async def test_a_request_on_its_way_is_served() -> None:
    """A request that reaches the server together with the order to stop is answered."""
    async with Play(Site().app) as play, connected(play.url) as (reader, writer):
        await asyncio.sleep(0.05)
        play.ctx.cancel()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")


async def test_an_answer_that_its_client_does_not_take_is_cut_off() -> None:
    """It is not called served."""
    site = Site()

    @site.handler("/large")
    async def large(request: web.Request) -> web.Response:
        site.entered.set()
        return web.Response(text="x" * 20_000_000)

    async with Play(site.app, shutdown_timeout=0.3) as play, connected(play.url) as (_, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await site.entered.wait()
        error = await play.fails_to_stop()
    assert error.stuck["api"].startswith("1 request was cut off")


async def test_a_handler_that_fails_is_the_clients_trouble() -> None:
    """It is answered with 500, and HTTP errors that a handler raises are answers, also in a stop."""
    site = Site()

    @site.handler("/fail/{how}")
    async def fail(request: web.Request) -> web.Response:
        site.entered.set()
        await site.gate.wait()
        if request.match_info["how"] == "http":
            raise web.HTTPConflict
        raise RuntimeError("the handler failed")

    async with Play(site.app) as play, httpx.AsyncClient() as client:
        requests = [
            asyncio.create_task(client.get(f"{play.url}/fail/{how}")) for how in ("http", "badly")
        ]
        await site.entered.wait()
        await asyncio.sleep(0.1)
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        site.gate.set()
        answers = await asyncio.gather(*requests)
    assert [one.status_code for one in answers] == [409, 500]
    assert [one.headers["connection"] for one in answers] == ["close", "close"]


# --- Websockets, and events


async def test_the_application_may_close_its_websockets_itself() -> None:
    """What on_shutdown says to a websocket is what its client hears."""
    site, open_ones = Site(), []

    @site.handler("/ws")
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        open_ones.append(socket)
        async for _ in socket:
            pass
        return socket

    async def close(app: web.Application) -> None:
        for socket in open_ones:
            await socket.close(code=4000, message=b"see you")

    site.app.on_shutdown.append(close)
    async with Play(site.app) as play, aiohttp.ClientSession() as client:
        async with client.ws_connect(play.url + "/ws") as socket:
            await until(lambda: open_ones)
            play.ctx.cancel()
            await socket.receive()
            assert socket.close_code == 4000
        with taking_less_than(SOON):
            await play.task


async def test_a_websocket_may_answer_before_it_is_closed() -> None:
    """A handler that is busy with what its client has said has a moment to answer it."""
    site = Site()

    @site.handler("/ws")
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            site.entered.set()
            await site.gate.wait()
            await socket.send_str(message.data)
        return socket

    async with (
        Play(site.app) as play,
        aiohttp.ClientSession() as client,
        client.ws_connect(play.url + "/ws") as socket,
    ):
        await socket.send_str("question")
        await site.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        site.gate.set()
        assert (await socket.receive()).data == "question"
        await socket.receive()
        assert socket.close_code == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_websocket_that_only_sends_is_closed() -> None:
    """Its handler need not listen: it hears when it sends, or when it asks."""
    site = Site()

    @site.handler("/ws")
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while not socket.closed:
            await socket.send_str("tick")
            await asyncio.sleep(0.01)
        site.log.append("over")
        return socket

    async with (
        Play(site.app) as play,
        aiohttp.ClientSession() as client,
        client.ws_connect(play.url + "/ws") as socket,
    ):
        await socket.receive()
        play.ctx.cancel()
        with taking_less_than(SOON):
            async for message in socket:
                assert message.data == "tick"
            await play.task
        assert socket.close_code == aiohttp.WSCloseCode.GOING_AWAY
    assert "over" in site.log


async def test_a_silent_websocket_does_not_hold_the_stop() -> None:
    """A client that does not answer the goodbye is let go."""
    site = Site()

    @site.handler("/ws")
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    upgrade = (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with Play(site.app) as play, connected(play.url) as (reader, writer):
        writer.write(upgrade)
        await reader.readuntil(b"\r\n\r\n")
        with taking_less_than(SOON):
            await play.stop()


async def test_a_handler_of_events_may_have_the_last_word() -> None:
    """It is cancelled, and what it sends then is still part of the answer, which comes to its end."""
    site = Site()

    @site.handler("/events")
    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: tick\n\n")
                site.entered.set()
                await asyncio.sleep(0.05)
        finally:
            await response.write(b"data: bye\n\n")

    async with Play(site.app) as play:
        request = asyncio.create_task(get(play.url, "/events"))
        await site.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
        assert (await request).endswith("data: bye\n\n")


# --- Another loop


def test_on_uvloop() -> None:
    """It serves and stops the same way on uvloop."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        site = Site()
        async with Play(site.app) as play:
            await play.conductor.restart("api")
            assert await get(play.url) == "hello"
            request = asyncio.create_task(get(play.url, "/slow"))
            await site.entered.wait()
            play.ctx.cancel()
            await until(lambda: refuses(play.url))
            site.gate.set()
            assert await request == "slow"
        site.gate.clear()
        site.entered.clear()
        async with Play(site.app, shutdown_timeout=0.2) as play:
            request = asyncio.create_task(get(play.url, "/slow"))
            await site.entered.wait()
            error = await play.fails_to_stop()
            assert error.stuck["api"].startswith("1 request was cut off")
            with suppress(httpx.HTTPError):
                await request

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_two_applications_in_one_conductor() -> None:
    """Each has its own."""
    one, other = Site(), Site()
    conductor = Conductor({"one": served(one.app), "other": served(other.app)})
    ctx = Context()
    playing = asyncio.create_task(conductor.play(ctx))
    await until(lambda: conductor.status().ready)
    ctx.cancel()
    await playing
    assert one.log == other.log == ["startup", "shutdown", "cleanup"]
