"""WSGI applications: frameworks, bodies, and threads that can't be cut off."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from server_kit import SOON, Play, connected, get, serving, taking_less_than, until

from orchestra.servers import wsgi_adapter

pytestmark = pytest.mark.real_time


class Wsgi:
    """A WSGI application whose paths are its methods."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.gate = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        handler: Callable[..., Any] = getattr(self, environ["PATH_INFO"].strip("/") or "hello")
        return handler(environ, start_response)

    def hello(self, environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    def slow(self, environ: Any, start_response: Any) -> list[bytes]:
        self.log.append("entered")
        assert self.gate.wait(30)
        self.log.append("left")
        return self.hello(environ, start_response)

    def length(self, environ: Any, start_response: Any) -> list[bytes]:
        self.log.append("entered")
        try:
            length = len(environ["wsgi.input"].read())
        except OSError as error:
            self.log.append(error)
            raise
        start_response("200 OK", [])
        return [str(length).encode()]

    def ticks(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"1\n"
        assert self.gate.wait(30)
        yield b"2\n"

    def endless(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 100_000
                self.log.append("sent")
        finally:
            self.log.append("closed")

    def fail(self, environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError("the handler failed")

    def stop(self, environ: Any, start_response: Any) -> list[bytes]:
        return next(iter([]))


def flask_app() -> Any:
    from flask import Flask, request

    app = Flask("tests")

    @app.post("/length")
    def length() -> str:
        return str(len(request.get_data()))

    return app


def bottle_app() -> Any:
    from bottle import Bottle, request

    app = Bottle()

    @app.post("/length")
    def length() -> str:
        return str(len(request.body.read()))

    return app


@pytest.mark.parametrize("make", [Wsgi, flask_app, bottle_app])
async def test_applications_of_frameworks(make: Callable[[], Any]) -> None:
    """They are recognised without being told, and a large body arrives whole."""
    async with serving(make()) as url, httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(url + "/length", content=b"x" * 5_000_000)
        assert answer.text == "5000000"


async def test_a_function_that_says_no_more_than_its_parameters() -> None:
    """A function with any two parameters is WSGI."""

    def app(one: Any, two: Any) -> list[bytes]:
        two("200 OK", [])
        return [one["REQUEST_METHOD"].encode()]

    async with serving(app) as url:
        assert await get(url) == "GET"


async def test_parts_of_an_answer_are_sent_as_they_come() -> None:
    """An answer in parts is not held back until it is complete."""
    app = Wsgi()
    client = httpx.AsyncClient(timeout=20)
    async with serving(app) as url, client, client.stream("GET", url + "/ticks") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "1"
        app.gate.set()
        assert await anext(lines) == "2"


async def test_requests_are_handled_side_by_side() -> None:
    """Each has a thread of its own, and those that wait hold up nobody."""
    app = Wsgi()
    async with serving(app) as url:
        slow = [asyncio.create_task(get(url, "/slow")) for _ in range(5)]
        await until(lambda: len(app.log) == 5)
        assert await get(url) == "hello"
        app.gate.set()
        assert await asyncio.gather(*slow) == ["hello"] * 5


@pytest.mark.parametrize("path", ["/fail", "/stop"])
async def test_an_error_in_a_handler_is_the_clients_only(path: str) -> None:
    """The client gets a 500, for a StopIteration too, which futures do not take."""
    async with serving(Wsgi()) as url, httpx.AsyncClient(timeout=10) as client:
        assert (await client.get(url + path)).status_code == 500
        assert (await client.get(url)).text == "hello"


async def test_half_a_body_is_no_body() -> None:
    """When a client leaves in the middle of its request, reading it is an error, and not the end."""
    app = Wsgi()
    async with serving(app) as url:
        async with connected(url) as (_, writer):
            writer.write(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            await until(lambda: app.log)
        await until(lambda: len(app.log) == 2)
    assert isinstance(app.log[1], ConnectionResetError)


async def test_a_request_in_its_thread_finishes() -> None:
    """A stop waits for a request that a thread is at."""
    app = Wsgi()
    async with Play(app) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await until(lambda: app.log)
        play.ctx.cancel()
        asyncio.get_running_loop().call_later(0.3, app.gate.set)
        assert await request == "hello"
        await play.task


async def test_a_thread_that_hangs_is_named() -> None:
    """It is left behind with the line where it is; its client is cut off."""
    app = Wsgi()
    async with Play(app, shutdown_timeout=0.2) as play:
        request = asyncio.create_task(get(play.url, "/slow"))
        await until(lambda: app.log)
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        with pytest.raises(httpx.HTTPError):
            await request
        assert error.abandoned == ("api",)
        assert "1 request was cut off" in error.stuck["api"]
        assert "in slow: assert self.gate.wait(30)" in error.stuck["api"]
        app.gate.set()


@pytest.mark.parametrize("what", ["body", "answer"])
async def test_a_thread_that_waits_for_its_client_is_let_go(what: str) -> None:
    """When a request is cut off, what it reads or writes fails, and its thread ends."""
    app = Wsgi()
    async with Play(app, shutdown_timeout=0.6) as play, connected(play.url) as (_, writer):
        if what == "answer":
            writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: app.log)
            await asyncio.sleep(0.2)
        else:
            writer.write(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            await until(lambda: app.log)
            # Often enough that the client does not count as silent.
            ticking = asyncio.create_task(trickle(writer))
        error = await play.fails_to_stop()
        if what == "body":
            ticking.cancel()
    assert "1 request was cut off" in error.stuck["api"]
    await until(lambda: not busy())
    assert app.log[-1] == "closed" if what == "answer" else isinstance(app.log[-1], OSError)


async def trickle(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)


def busy() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("wsgi-")]


async def test_those_that_wait_for_a_thread_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that no thread was free for are cut off as well, and are not handled afterwards."""
    monkeypatch.setattr(wsgi_adapter, "THREADS", 1)
    app = Wsgi()
    async with Play(app, shutdown_timeout=0.2) as play:
        requests = [asyncio.create_task(get(play.url, "/slow")) for _ in range(2)]
        await until(lambda: app.log)
        await asyncio.sleep(0.2)
        error = await play.fails_to_stop()
        assert "2 requests were cut off" in error.stuck["api"]
        assert "waiting for a thread" in error.stuck["api"]
        app.gate.set()
        for request in requests:
            with pytest.raises(httpx.HTTPError):
                await request
    await until(lambda: not busy())
    assert app.log == ["entered", "left"]


async def test_threads_end_with_their_run() -> None:
    """After a stop no thread is left, and a restart begins with new ones."""
    async with Play(Wsgi()) as play:
        assert await get(play.url) == "hello"
        (before,) = busy()
        await play.conductor.restart("api")
        await until(lambda: not before.is_alive())
        assert await get(play.url) == "hello"
        await play.stop()
        with taking_less_than(SOON):
            while busy():
                time.sleep(0.001)
