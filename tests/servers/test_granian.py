"""Granian, in a process of its own: what is particular about that."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from fastapi import FastAPI
from server_kit import Play, connected, get, serving, until

from orchestra import ProcessDiedError, ProcessPlayer, ServerPlayer, playing

pytestmark = pytest.mark.real_time

authority = trustme.CA()
app = FastAPI()


@app.get("/")
async def pid() -> int:
    return os.getpid()


@app.get("/crash")
async def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


async def test_it_serves_in_a_process_of_its_own() -> None:
    """The application runs there, and its pid is in the details."""
    async with Play(app, server="granian") as play:
        details: Any = play.conductor.status().players["api"].details
        assert int(await get(play.url)) == details["pid"] != os.getpid()


async def test_http2_over_tls(files: tuple[Path, Path]) -> None:
    """A client that can speak HTTP/2 gets it, many requests over one connection."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        serving(app, server="granian", tls=files) as url,
        httpx.AsyncClient(http2=True, verify=context, timeout=20) as client,
    ):
        answers = await asyncio.gather(*(client.get(url) for _ in range(20)))
    assert {(one.status_code, one.http_version) for one in answers} == {(200, "HTTP/2")}


async def test_a_fault_in_native_code_is_a_failure_that_a_restart_mends() -> None:
    """The program goes on, and a client that asks meanwhile is served by the next process."""
    async with Play(app, server="granian", backoff=[0]) as play:
        before = await get(play.url)
        with pytest.raises(httpx.HTTPError):
            await get(play.url, "/crash")
        await until(lambda: play.conductor.status().players["api"].restarts == 1)
        assert await get(play.url) != before
        await until(lambda: play.conductor.status().players["api"].ready)


async def test_without_a_backoff_it_fails() -> None:
    """What ended the process is in the error."""
    with pytest.raises(ProcessDiedError, match="SIGSEGV"):
        async with serving(app, server="granian") as url:
            with pytest.raises(httpx.HTTPError):
                await get(url, "/crash")
            await asyncio.sleep(30)


async def test_a_connection_just_made_is_served() -> None:
    """A client that has connected before the stop, and asks a moment later, gets its answer."""
    async with Play(app, server="granian") as play, connected(play.url) as (reader, writer):
        await asyncio.sleep(0.1)  # to be accepted
        play.ctx.cancel()
        await asyncio.sleep(0.1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await reader.readline()
        await play.task


async def test_in_a_process_already_it_needs_no_other() -> None:
    """In a ProcessPlayer it serves in the process of that."""
    async with playing(ProcessPlayer(ServerPlayer(app, port=0, server="granian"))) as performance:
        details: Any = performance.status().details
        assert int(await get(details["addresses"][0])) == details["pid"]


# Of an adapter in a process of its own, since nothing inside can help one that native code has stopped.
BEGIN = """
import asyncio, socket, sys, threading, time
from orchestra.servers.adapter import Options
from orchestra.servers.granian_adapter import GranianAdapter

async def app(scope, receive, send): ...
"""

SLOW_TO_TELL = """
async def main():
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe

    def call_late(*args):
        time.sleep(0.3 * (threading.current_thread() is not threading.main_thread()))
        return call(*args)

    loop.call_soon_threadsafe = call_late
    adapter = GranianAdapter(app, Options())
    await adapter.start([socket.create_server(("127.0.0.1", 0))])
    print(await adapter.drain(0.1))
    await adapter.abort(0.05)
    await asyncio.sleep(0.5)

asyncio.run(main())
"""

STOPPED_AT_ONCE = """
async def main():
    for number in range(10):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(f"{sys.argv[1]}/{number}")
        sock.listen()
        adapter = GranianAdapter(app, Options())
        await adapter.start([sock])
        assert await adapter.drain(10)
        await adapter.abort(1)

asyncio.run(main())
"""


def ran(script: str, *args: str) -> str:
    command = [sys.executable, "-c", BEGIN + script, *args]
    program = subprocess.run(command, timeout=30, capture_output=True, text=True)
    assert program.returncode == 0, program.stderr
    return program.stdout


def test_one_that_is_slow_to_tell_of_its_end_is_cut_off_all_the_same() -> None:
    """To say once more that it shall end, while it says that it has, does not block for ever."""
    assert ran(SLOW_TO_TELL) == "False\n"


def test_a_unix_socket_may_be_stopped_before_granian_has_looked_at_it() -> None:
    """A stop right after the start is a stop, and not the end of the process."""
    with tempfile.TemporaryDirectory() as folder:
        ran(STOPPED_AT_ONCE, folder)


def test_an_application_that_can_not_be_sent_is_refused_at_once() -> None:
    """The error says why, and what to do about it."""
    with pytest.raises(TypeError, match=r"process of its own.*top level of a module"):
        ServerPlayer(FastAPI(), server="granian")


def test_it_reads_certificates_when_it_starts(files: tuple[Path, Path]) -> None:
    """So it takes files only, and renews none of them while it plays."""
    with pytest.raises(ValueError, match="certfile, keyfile"):
        ServerPlayer(app, server="granian", tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    with pytest.raises(ValueError, match="restart the player"):
        ServerPlayer(app, server="granian", tls=files).reload_tls()
