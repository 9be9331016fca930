"""Connections of clients who are slow, many, or strangers."""

import asyncio
import os
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from orchestra.testing import FakePlayer
from orchestra.web.site import connections, service
from orchestra.web.site.connections import Limits, is_late, is_one_of_us, is_unix
from served import Events, close, served

REQUEST = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Limits of the test's own, and looks that come often."""

    def limit(**given: Any) -> None:
        monkeypatch.setattr(connections, "LOOK_EVERY", 0.02)
        monkeypatch.setattr(service, "LIMITS", Limits(**given))

    return limit


def test_what_is_late() -> None:
    """What has not begun is never late."""
    assert not is_late(None, 1.0, 100.0)
    assert not is_late(10.0, 5.0, 15.0)
    assert is_late(10.0, 5.0, 15.1)


@pytest.mark.real_time
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /li",
        REQUEST,
        b"POST /api/stop HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: 10\r\n\r\n{",
    ],
)
async def test_slow_requests_are_ended(uds: str, limits: Any, sent: bytes) -> None:
    """Who does not send the whole of a request in time is cut off (slow loris)."""
    limits(request=0.1)
    async with served(uds) as tree:
        assert await tree.raw(sent, unix=True) == b""


@pytest.mark.real_time
async def test_drops_do_not_help(uds: str, limits: Any) -> None:
    """A byte now and then does not prolong the time of a request."""
    limits(request=0.1)
    async with served(uds) as tree:
        reader, writer = await tree.connect()
        ended = asyncio.ensure_future(reader.read())
        for byte in REQUEST:
            if ended.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        with pytest.raises(ConnectionResetError):
            assert await ended == b""
            raise ConnectionResetError
        await close(writer)


@pytest.mark.real_time
async def test_the_second_request_has_to_come_in_time_too(uds: str, limits: Any) -> None:
    """A connection that has been used has no more time for its next request."""
    limits(request=0.1)
    async with served(uds) as tree:
        reader, writer = await tree.connect(unix=True)
        writer.write(REQUEST + b"\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(REQUEST)
        assert await reader.read() == b""
        await close(writer)


@pytest.mark.real_time
async def test_a_long_answer_is_no_slow_request(uds: str, limits: Any) -> None:
    """A stream goes on, however long ago its request came."""
    limits(request=0.05)
    tree_of_one = served(uds, {"a": FakePlayer()})
    async with tree_of_one as tree, tree.unix.stream("GET", "/api/stream") as response:
        events = Events(response)
        await events.next()
        await asyncio.sleep(0.2)
        await tree.post("/api/players/a/restart")
        assert (await events.next())[0] in ("players", "entries")


@pytest.mark.real_time
async def test_who_takes_no_answer_is_cut_off(uds: str, limits: Any) -> None:
    """A client that asks for much and reads nothing does not keep its connection."""
    limits(answer=0.1)
    async with served(uds) as tree:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.connect(uds)
            request = b"GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
            try:
                while True:
                    try:
                        sock.send(request)
                    except BlockingIOError:
                        pass
                    await asyncio.sleep(0.001)
            except OSError:
                pass  # cut off
        assert (await tree.unix.get("/livez")).status_code == 200


@pytest.mark.real_time
async def test_there_is_an_end_to_connections(uds: str, limits: Any) -> None:
    """Past the limit of one door a connection is turned away, and the other door is not affected."""
    limits(connections=3)
    async with served(uds) as tree:
        held = [await tree.connect() for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, writer = await tree.connect()
        answer = await reader.read()
        writer.write(REQUEST)  # nobody takes it any more
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"too many connections" in answer
        await close(writer)
        assert (await tree.unix.get("/livez")).status_code == 200
        for _, writer in held:
            await close(writer)
        await asyncio.sleep(0.05)
        assert (await tree.tcp.get("/livez")).status_code == 200


@pytest.mark.real_time
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked who the client is")
async def test_another_user_is_turned_away(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with another uid gets nothing from the socket, though it could open it."""
    async with served(uds) as tree:
        await tree.get("/api/players")
        monkeypatch.setattr(connections.os, "geteuid", lambda: 4_000_000)
        monkeypatch.setattr(connections, "ROOT", 4_000_001)
        answer = await tree.raw(b"", unix=True)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"belongs to another user" in answer


@pytest.mark.real_time
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone is others")
async def test_nobody_on_the_socket(uds: str) -> None:
    """The user nobody can't open the socket; where its mode was changed, nobody is turned away."""
    program = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sock = socket.socket(socket.AF_UNIX)\n"
        "try:\n sock.connect(sys.argv[1])\n"
        "except PermissionError:\n sys.exit('not allowed')\n"
        "try:\n sock.send(b'GET /api/program HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n')\n"
        "except OSError: pass\n"
        "try:\n sys.exit(sock.recv(12).decode())\n"
        "except OSError: sys.exit('HTTP/1.1 403')\n"
    )

    def ask() -> str:
        argv = [sys.executable, "-S", "-c", program, uds]
        return subprocess.run(argv, capture_output=True, text=True).stderr.strip()

    async with served(uds):
        assert os.stat(uds).st_mode & 0o777 == 0o600
        os.chmod(os.path.dirname(uds), 0o755)
        assert await asyncio.to_thread(ask) == "not allowed"
        os.chmod(uds, 0o666)
        assert await asyncio.to_thread(ask) == "HTTP/1.1 403"


def test_elsewhere_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems that do not tell who the client is, the mode of the socket has to do."""
    monkeypatch.setattr(connections.sys, "platform", "darwin")
    assert is_one_of_us(None)


def test_without_unix_sockets_all_is_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without Unix sockets has no connections over them."""
    transport = SimpleNamespace(get_extra_info=lambda name: SimpleNamespace(family=1))
    assert is_unix(transport) == (socket.AF_UNIX == 1)
    monkeypatch.delattr(socket, "AF_UNIX")
    assert not is_unix(transport)


def fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.real_time
@pytest.mark.timeout(300)  # a millisecond or two each, on a machine that has nothing else to do
@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts file descriptors in /proc")
async def test_ten_thousand_streams_opened_and_dropped(uds: str) -> None:
    """However many clients follow and vanish, nothing of them is left, and the next is served."""
    request = b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n"

    def follow() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(uds)
        sock.send(request)
        return sock

    async with served(uds) as tree:
        before = fds()
        for batch in range(100):
            clients = [follow() for _ in range(100)]
            # Some vanish before they are served, some in the midst of it, some with an answer.
            for _ in range(batch % 10):
                await asyncio.sleep(0)
            for client in clients:
                client.close()
        for _ in range(200):
            if fds() <= before:
                break
            await asyncio.sleep(0.02)
        assert fds() <= before
        async with tree.unix.stream("GET", "/api/stream") as response:
            assert response.status_code == 200
            assert (await Events(response).next())[0] == "players"
