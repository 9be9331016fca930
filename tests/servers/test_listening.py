"""Where a server listens, and what it says when it can't."""

import asyncio
import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_kit import (
    App,
    address,
    bound_port,
    get,
    host_and_port,
    refuses,
    served,
    serving,
    until,
)

from orchestra import Conductor, Context, playing
from orchestra.servers.handed_in import duplicates_of
from orchestra.servers.sockets import close_all, duplicate, listen_on_tcp, url_of

pytestmark = pytest.mark.real_time

needs_ipv6 = pytest.mark.skipif(
    not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here"
)


def test_a_duplicate_does_not_block_those_who_share_the_socket() -> None:
    """Whether it blocks is the same for all duplicates, and some of them are served in this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock, duplicate(sock) as serves:
        serves.setblocking(False)
        made = [duplicate(sock), *duplicates_of((sock, sock.fileno()))]
        blocks = os.get_blocking(serves.fileno())
        close_all(made)
        assert not blocks


async def test_the_real_address_is_known_once_it_is_ready() -> None:
    """With port 0, the details of the status show the port that the system has picked."""
    async with serving(App()) as url:
        assert url.startswith("http://127.0.0.1:")
        assert host_and_port(url)[1] > 0
        assert await get(url) == "hello"


@needs_ipv6
async def test_it_listens_on_ipv6() -> None:
    """An IPv6 address is listened on, and stands in brackets in the URL."""
    async with serving(App(), host="::1") as url:
        assert url.startswith("http://[::1]:")
        assert await get(url) == "hello"


async def test_a_name_stands_for_all_of_its_addresses() -> None:
    """A host's name is resolved, and each of its addresses served, with one port for all."""
    async with playing(served(App(), host="localhost")) as performance:
        urls = performance.status().details["addresses"]
        assert len({host_and_port(url)[1] for url in urls}) == 1  # type: ignore[attr-defined]
        for url in urls:  # type: ignore[attr-defined]
            assert await get(url) == "hello"


async def test_all_addresses_of_the_machine() -> None:
    """The host 0.0.0.0 is served at every IPv4 address."""
    async with serving(App(), host="0.0.0.0") as url:
        assert await get(f"http://127.0.0.1:{host_and_port(url)[1]}") == "hello"


async def play_and_fail(**kwargs: Any) -> OSError:
    script = App()
    with pytest.raises(OSError) as caught:
        await served(script, **kwargs).play(Context())
    assert script.log == [], "the application had started"
    return caught.value


async def test_a_port_in_use_is_an_error_at_once() -> None:
    """The error has the number of the system's and the address in it; the application never starts."""
    with bound_port() as port:
        error = await play_and_fail(port=port)
    assert error.errno == errno.EADDRINUSE
    assert f"127.0.0.1:{port}" in str(error)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users here")
async def test_a_port_that_needs_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that the system does not give is a PermissionError with the address in it."""

    def bind(self: socket.socket, where: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", bind)
    error = await play_and_fail(port=80)
    assert isinstance(error, PermissionError)
    assert "127.0.0.1:80" in str(error)


DROPS_ITS_RIGHTS = """
import os
from orchestra import Conductor, ServerPlayer, run

async def app(scope, receive, send): ...
async def ends(): ...

# First as root: afterwards not even modules may be readable.
run(Conductor({"server": ServerPlayer(app, port=0), "ends": ends}, stop_when="any"))
os.seteuid(65534)
try:
    run(ServerPlayer(app, port=999))
except PermissionError as error:
    print(error)
finally:
    os.seteuid(0)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="nobody to become")
def test_a_port_that_is_for_root_alone() -> None:
    """A user without the right to a port is told so at once, with the address."""
    program = [sys.executable, "-c", DROPS_ITS_RIGHTS]
    done = subprocess.run(program, capture_output=True, text=True, timeout=50)
    assert "127.0.0.1:999" in done.stdout, done.stderr


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70, "192.0.2.1"])
async def test_a_host_that_is_none_is_an_error_at_once(host: str) -> None:
    """A name that nobody has, and an address of another machine, are errors with the host in them."""
    assert host in str(await play_and_fail(host=host))


async def test_the_same_player_twice_is_told_from_luck() -> None:
    """Played under two names at once, a server with a fixed port fails with the port in use."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    player = served(App(), port=port)
    with pytest.raises(ExceptionGroup) as caught:
        await Conductor({"a": player, "b": player}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, OSError)
    assert error.errno == errno.EADDRINUSE


@pytest.mark.parametrize("reuse_port", [False, True])
async def test_the_same_player_may_play_twice_where_the_place_allows_it(reuse_port: bool) -> None:
    """With port 0 or reuse_port, one player plays under two names at once."""
    port = 0
    if reuse_port:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
    player = served(App(), port=port, reuse_port=reuse_port)
    async with playing(Conductor({"a": player, "b": player})) as performance:
        urls = [address(performance, name) for name in ("a", "b")]
        assert len(set(urls)) == (1 if reuse_port else 2)
        for url in urls:
            assert await get(url) == "hello"


async def test_after_the_stop_nobody_listens() -> None:
    """When a player has stopped, connections are refused."""
    async with serving(App()) as url:
        pass
    assert refuses(url)


async def test_a_player_that_has_stopped_can_be_played_again() -> None:
    """A second performance listens and serves like the first."""
    player = served(App())
    for _ in range(2):
        async with playing(player) as performance:
            assert await get(address(performance)) == "hello"


# Unix sockets


async def get_unix(path: Path) -> str:
    return await get("http://server", transport=httpx.AsyncHTTPTransport(uds=str(path)))


async def test_a_unix_socket_is_served_and_removed(tmp_path: Path) -> None:
    """Its address is a unix: one, strangers may not connect, and after the stop the file is gone."""
    path = tmp_path / "server.sock"
    async with serving(App(), uds=path) as url:
        assert url == f"unix:{path}"
        assert await get_unix(path) == "hello"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    """The file of a server that is gone does not keep another from starting."""
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    async with serving(App(), uds=path):
        assert await get_unix(path) == "hello"


async def test_a_live_unix_socket_is_refused(tmp_path: Path) -> None:
    """Where somebody listens, the player fails as with a port in use, and leaves the other alone."""
    path = tmp_path / "server.sock"
    async with serving(App(), uds=path):
        error = await play_and_fail(uds=path)
        assert error.errno == errno.EADDRINUSE
        assert str(path) in str(error)
        assert await get_unix(path) == "hello"


async def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    """A path that holds something else than a socket is refused, and stays."""
    path = tmp_path / "precious"
    path.write_text("precious")
    assert str(path) in str(await play_and_fail(uds=path))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/server.sock", "x" * 120])
async def test_a_path_that_cannot_be_bound(tmp_path: Path, name: str) -> None:
    """A folder that is not there, or a path that is too long, is an error with the path in it."""
    assert name in str(await play_and_fail(uds=tmp_path / name))


async def test_the_socket_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    """If another server has taken over the path, the file is left to it."""
    path = tmp_path / "server.sock"
    async with serving(App(), uds=path):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


# Sockets handed in


async def test_sockets_handed_in_are_served_and_stay_open() -> None:
    """Sockets that the caller has bound are served, one run after the other, and never closed."""
    with socket.socket() as sock, socket.create_server(("127.0.0.1", 0)) as listening:
        sock.bind(("127.0.0.1", 0))
        player = served(App(), sockets=[sock, listening])
        for _ in range(2):
            async with playing(player) as performance:
                urls: Any = performance.status().details["addresses"]
                assert [host_and_port(url)[1] for url in urls] == [
                    sock.getsockname()[1],
                    listening.getsockname()[1],
                ]
                for url in urls:
                    assert await get(url) == "hello"
        assert sock.fileno() != -1
        assert listening.fileno() != -1


def test_sockets_that_cannot_be_served_are_refused() -> None:
    """A socket that is closed, not bound, or no stream, is a ValueError at construction."""
    with socket.socket() as unbound, pytest.raises(ValueError, match="not bound"):
        served(App(), sockets=[unbound])
    with pytest.raises(ValueError, match="no open stream"):
        served(App(), sockets=[unbound])
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(ValueError):
        served(App(), sockets=[datagrams])
    with socket.create_server(("127.0.0.1", 0)) as one, pytest.raises(TypeError, match=r"\[sock\]"):
        served(App(), sockets=one)


async def test_sockets_that_were_closed_meanwhile() -> None:
    """If the caller has closed what it handed in, the player fails with a clear error."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        player = served(App(), sockets=[sock])
    assert repr(player) == "ServerPlayer(App, closed sockets)"
    with pytest.raises(OSError, match="sockets given"):
        await player.play(Context())


async def test_clients_wait_while_the_application_starts() -> None:
    """A client that connects during the start is served once the application has started."""
    script = App()
    script.on_start = script.gate.wait
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    ctx = Context()
    task = asyncio.create_task(served(script, port=port).play(ctx))
    await until(lambda: script.log)
    request = asyncio.create_task(get(f"http://127.0.0.1:{port}"))
    await asyncio.sleep(0.05)
    assert not request.done()
    script.gate.set()
    assert await request == "hello"
    ctx.cancel()
    await task


# For a server that binds by itself


async def test_a_port_is_held_for_one_who_binds_by_himself() -> None:
    """Nobody is served there and nobody else gets it, but who binds to it with SO_REUSEPORT."""
    sockets = await listen_on_tcp("localhost", 0, reuse_port=False, only_hold=True)
    url = url_of(sockets[0], "http")
    try:
        assert refuses(url)
        with pytest.raises(OSError, match="in use"), socket.socket(sockets[0].family) as other:
            other.bind(sockets[0].getsockname())
        with socket.socket(sockets[0].family) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(sockets[0].getsockname())
            server.listen()
            assert not refuses(url)
    finally:
        close_all(sockets)


@pytest.mark.parametrize("reuse_port", [False, True])
async def test_a_port_that_somebody_listens_on_is_not_held(reuse_port: bool) -> None:
    """Also where that one would share it, unless sharing was asked for."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        if reuse_port:
            close_all(await listen_on_tcp("127.0.0.1", port, reuse_port=True, only_hold=True))
            return
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await listen_on_tcp("127.0.0.1", port, reuse_port=False, only_hold=True)


async def test_connections_are_made_without_delay() -> None:
    """Also those of sockets that do not know their protocol have TCP_NODELAY, as asyncio sets it."""
    delays: list[int] = []

    class Look(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            sock = transport.get_extra_info("socket")
            delays.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert sock.proto == 0
        for player in (
            served(App()),
            served(App(), sockets=[sock]),
            served(App(), sockets=[sock.fileno()]),
        ):
            listener = await player._place.open()
            (twin,) = listener.duplicates()
            server = await asyncio.get_running_loop().create_server(Look, sock=twin)
            reader, writer = await asyncio.open_connection(*twin.getsockname())
            assert await reader.read() == b""
            writer.close()
            server.close()
            listener.close()
    assert len(delays) == 3
    assert all(delays)
