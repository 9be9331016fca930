"""The same server on another event loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from server_kit import App, address, get, host_and_port, refuses, served, serving, until

from orchestra import Conductor, Context, StopTimeoutError, playing

uvloop = pytest.importorskip("uvloop")


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def test_it_serves_and_stops_gracefully() -> None:
    """On uvloop requests are answered, also one in flight when the stop comes."""

    async def main() -> None:
        script = App()
        async with serving(script) as url:
            assert await get(url) == "hello"
            request = asyncio.create_task(get(url, "/slow"))
            await script.entered.wait()
            asyncio.get_running_loop().call_later(0.1, script.gate.set)
        assert await request == "slow"
        assert refuses(url)

    run(main())


def test_it_cuts_off_what_hangs() -> None:
    """On uvloop a request that hangs is cut off and counted."""

    async def main() -> None:
        script = App()
        with pytest.raises(StopTimeoutError) as caught:
            async with playing(served(script, shutdown_timeout=0.1)) as performance:
                request = asyncio.create_task(get(address(performance), "/slow"))
                await script.entered.wait()
        assert "1 request was cut off" in caught.value.stuck["ServerPlayer"]
        with pytest.raises(httpx.HTTPError):
            await request

    run(main())


def test_it_keeps_listening_over_a_restart() -> None:
    """On uvloop a restart serves at the same address."""

    async def main() -> None:
        script = App()
        conductor = Conductor({"api": served(script)})
        async with playing(conductor) as performance:
            url = address(performance, "api")
            await conductor.restart("api")
            assert await get(url) == "hello"
        assert script.starts == 2
        assert refuses(url)

    run(main())


def test_it_serves_a_unix_socket(tmp_path: Path) -> None:
    """On uvloop a Unix socket is served, and removed afterwards."""
    path = tmp_path / "server.sock"

    async def main() -> None:
        async with serving(App(), uds=path):
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            assert await get("http://server", transport=transport) == "hello"
        assert not path.exists()

    run(main())


def test_a_cut_off_leaves_nobody_listening() -> None:
    """On uvloop, too, nothing serves any more when the task that plays has been cancelled."""

    async def main() -> None:
        script = App()
        conductor = Conductor({"api": served(script)})
        task = asyncio.create_task(conductor.play(Context()))
        await until(lambda: conductor.status().ready)
        (url,) = conductor.status().players["api"].details["addresses"]  # type: ignore[attr-defined]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert refuses(url)

    run(main())


def test_a_late_handshake_is_served_nothing() -> None:
    """A client that goes on with its TLS handshake only after the stop gets no answer."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)

    async def main() -> None:
        with socket.socket() as sock:
            async with serving(App(), tls=server) as url:
                sock.connect(host_and_port(url))
                await asyncio.sleep(0.05)
            assert await asyncio.to_thread(ask, sock) == b""

    def ask(sock: socket.socket) -> bytes:
        sock.settimeout(10)
        secure = client.wrap_socket(
            sock, server_hostname="127.0.0.1", do_handshake_on_connect=False
        )
        with secure, contextlib.suppress(ConnectionError, ssl.SSLError):
            secure.do_handshake()
            secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return secure.recv(100)
        return b""

    run(main())
