"""ASGI applications on the servers that are asked for by name: what is particular about them."""

import asyncio
import contextlib
import re
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from server_kit import (
    SOON,
    App,
    Play,
    connected,
    get,
    host_and_port,
    refuses,
    serving,
    taking_less_than,
    until,
)
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.parametrize("server", ["hypercorn"]),
]

authority = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def client(http2: bool = True) -> httpx.AsyncClient:
    """One that speaks HTTP/2, if the server does."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return httpx.AsyncClient(http2=http2, verify=context, timeout=20)


# HTTP/2


class Counting(App):
    """Counts the requests that wait in their handler."""

    waiting = 0

    async def slow(self, scope: Any, receive: Any, send: Any) -> None:
        self.waiting += 1
        await super().slow(scope, receive, send)


async def test_http2_over_tls(server: str, files: tuple[Path, Path]) -> None:
    """A client that can speak HTTP/2 gets it, many requests over one connection."""
    async with serving(App(), server=server, tls=files) as url, client() as http:
        answers = await asyncio.gather(*(http.get(url) for _ in range(20)))
        assert {(one.text, one.http_version) for one in answers} == {("hello", "HTTP/2")}
        large = await http.post(url + "/body", content=b"x" * 1_000_000)
        assert large.text == "1000000"


async def test_http1_over_tls(server: str, files: tuple[Path, Path]) -> None:
    """A client that speaks HTTP/1.1 only gets that."""
    async with serving(App(), server=server, tls=files) as url, client(http2=False) as http:
        assert (await http.get(url)).http_version == "HTTP/1.1"


async def test_http2_without_tls(server: str) -> None:
    """A client that begins with HTTP/2 gets it without TLS as well."""
    http = httpx.AsyncClient(http1=False, http2=True)
    async with serving(App(), server=server) as url, http:
        assert (await http.get(url)).http_version == "HTTP/2"


async def test_http2_requests_in_flight_finish(
    server: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """All requests of a connection are answered when the stop comes, and the connection is closed."""
    # httpx fails when a connection is announced to end while it still has requests (python-hyper/h2).
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed, see scripts/system-packages")
    script, trusted = Counting(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    async with Play(script, server=server, tls=files) as play:
        options = ["--silent", "--http2", "--parallel", "--cacert", str(trusted)]
        options += ["--write-out", " %{http_version} %{http_code}\\n"]
        asked = await asyncio.create_subprocess_exec(
            curl, *options, *[play.url + "/slow"] * 3, stdout=asyncio.subprocess.PIPE
        )
        await until(lambda: script.waiting == 3)
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        asyncio.get_running_loop().call_later(0.1, script.gate.set)
        output, _ = await asked.communicate()
        # Curl writes down what comes as it comes, one answer in the middle of another.
        said = output.decode()
        assert (said.count("slow"), said.count(" 2 200")) == (3, 3)
        with taking_less_than(SOON):
            await play.task
    assert script.log == ["starting", "started", "ending", "ended"]


async def test_http2_requests_that_hang_are_cut_off(server: str, files: tuple[Path, Path]) -> None:
    """Each of them is counted and cancelled, though they share a connection."""
    script = Counting()
    async with (
        client() as http,
        Play(script, server=server, tls=files, shutdown_timeout=0.3) as play,
    ):
        requests = [asyncio.create_task(http.get(play.url + "/slow")) for _ in range(3)]
        await until(lambda: script.waiting == 3)
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
        for outcome in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(outcome, httpx.HTTPError)
    assert re.match("3 requests were (cut off|in progress)", error.stuck["api"])
    assert script.cancelled == 3
    assert script.served == 0


# Clients that are slow, silent or gone


async def test_a_client_that_takes_its_time_gets_its_answer(server: str) -> None:
    """An answer on its way when the stop comes is sent to its end, however slowly it is taken."""
    async with Play(App(), server=server) as play, connected(play.url) as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1000)
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        await asyncio.sleep(1.2)
        assert len(await reader.read()) > 19_999_000
        with taking_less_than(SOON):
            await play.task


async def test_a_client_that_takes_nothing_is_cut_off(server: str) -> None:
    """An answer that its client does not take is counted as a request that was cut off."""
    script = App()
    playing = Play(script, server=server, shutdown_timeout=0.5)
    async with playing as play, connected(play.url) as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1000)
        with taking_less_than(SOON):
            error = await play.fails_to_stop()
    assert "1 request was cut off" in error.stuck["api"]
    assert script.log[-1] == "ended"


async def test_half_a_body_does_not_hold_the_stop(server: str) -> None:
    """A client that is silent in the middle of its body has left, as the application sees it."""
    script = App()
    async with Play(script, server=server) as play, connected(play.url) as (_, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await script.entered.wait()
        with taking_less_than(SOON):
            await play.stop()
    assert "disconnected" in script.log


async def test_a_body_that_is_being_sent_may_be_finished(server: str) -> None:
    """A client that goes on sending during a stop is heard to the end."""
    script = App()
    async with Play(script, server=server) as play, connected(play.url) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 80\r\n\r\n")
        await script.entered.wait()
        play.ctx.cancel()
        for _ in range(8):
            await asyncio.sleep(0.15)
            writer.write(b"x" * 10)
        assert (await reader.read()).endswith(b"\r\n\r\n80")
        await play.task


async def test_a_connection_just_made_is_served(server: str) -> None:
    """A client that has connected before the stop, and asks a moment after it, is answered or refused."""
    for _ in range(10):
        async with Play(App(), server=server) as play, connected(play.url) as (reader, writer):
            await asyncio.sleep(0)
            play.ctx.cancel()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                answer = await reader.read()
                assert not answer or answer.endswith(b"hello")


async def test_many_idle_connections(server: str) -> None:
    """A hundred connections that were kept are closed at once."""
    async with Play(App(), server=server) as play, contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            reader, writer = await stack.enter_async_context(connected(play.url))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"hello")
        with taking_less_than(SOON):
            await play.stop()
        assert await reader.read() == b""


async def test_a_client_that_leaves_is_forgotten(server: str) -> None:
    """A connection that its client closes leaves nothing behind, long before the server stops."""
    async with Play(App(), server=server) as play:
        before = len(asyncio.all_tasks())
        async with connected(play.url) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"hello")
        with taking_less_than(4):
            await until(lambda: len(asyncio.all_tasks()) <= before)


# Applications


async def test_work_after_the_answer_is_waited_for(server: str) -> None:
    """What the application does after its answer is part of the request."""
    done: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0.5)
        done.append("later")

    async def handler(request: Request) -> PlainTextResponse:
        return PlainTextResponse("now", background=BackgroundTask(later))

    async with serving(Starlette(routes=[Route("/", handler)]), server=server) as url:
        assert await get(url) == "now"
    assert done == ["later"]


async def test_an_error_in_a_handler_is_the_clients_only(server: str) -> None:
    """The client gets a 500, and the next one is served."""
    async with serving(App(), server=server) as url, httpx.AsyncClient() as http:
        assert (await http.get(url + "/fail")).status_code == 500
        assert (await http.get(url)).text == "hello"


@pytest.mark.leaves_files("the loop keeps a pipe for signals")
def test_on_uvloop(server: str) -> None:
    """On uvloop it serves, finishes requests in flight, and cuts off in time what hangs."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        script = App()
        async with serving(script, server=server) as url:
            assert await get(url) == "hello"
            request = asyncio.create_task(get(url, "/slow"))
            await script.entered.wait()
            asyncio.get_running_loop().call_later(0.1, script.gate.set)
        assert await request == "slow"
        script = App()
        async with Play(script, server=server, shutdown_timeout=0.2) as play:
            request = asyncio.create_task(get(play.url, "/slow"))
            await script.entered.wait()
            assert "1 request was" in (await play.fails_to_stop()).stuck["api"]
            with pytest.raises(httpx.HTTPError):
                await request

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_on_a_unix_socket(server: str, tmp_path: Path) -> None:
    """On a Unix socket, where clients have no address, requests finish and idle clients are let go."""
    script, path = App(), str(tmp_path / "s.sock")
    async with Play(script, server=server, uds=path) as play, contextlib.AsyncExitStack() as stack:
        silent = stack.enter_context(socket.socket(socket.AF_UNIX))
        silent.connect(path)
        silent.sendall(b"GET / HT")
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), timeout=20)
        )
        assert (await http.get("http://x/")).text == "hello"
        request = asyncio.create_task(http.get("http://x/slow"))
        await script.entered.wait()
        play.ctx.cancel()
        asyncio.get_running_loop().call_later(0.3, script.gate.set)
        assert (await request).text == "slow"
        with taking_less_than(SOON):
            await play.task


async def test_another_server_at_the_same_port_is_left_alone(server: str) -> None:
    """Connections of other servers in the program go on when this one is cut off."""
    script, other = App(), App()
    async with serving(other, host="127.0.0.2") as url:
        port = host_and_port(url)[1]
        async with httpx.AsyncClient(timeout=20) as http:
            assert (await http.get(url)).text == "hello"
            waiting = asyncio.create_task(http.get(url + "/slow"))
            await other.entered.wait()
            async with Play(script, server=server, port=port, shutdown_timeout=0.1) as play:
                request = asyncio.create_task(get(play.url, "/slow"))
                await script.entered.wait()
                await play.fails_to_stop()
                with pytest.raises(httpx.HTTPError):
                    await request
            other.gate.set()
            assert (await waiting).text == "slow"
