"""How every server starts: where it listens, what it says when it can't, and when it is ready."""

import asyncio
import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from script import Script
from server_kit import Play, bound_port, host_and_port, refuses, served, taking_less_than, until
from subject import Subject

from orchestra import Conductor, ConductorError, Context, StartTimeoutError

pytestmark = pytest.mark.real_time

needs_ipv6 = pytest.mark.skipif(
    not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here"
)


def play(subject: Subject, script: Script, **kwargs: Any) -> Play:
    return Play(subject.app(script), **subject.kwargs, **kwargs)


async def says_hello(subject: Subject, address: str) -> None:
    async with subject.talk(address) as ask:
        assert await ask("hello") == "hello"


@pytest.mark.keeps("ready")
async def test_ready_means_that_a_client_is_served(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it is ready, its status and the log have the real address, and a client there is served."""
    with caplog.at_level(logging.INFO, "orchestra"):
        async with play(subject, Script()) as playing:
            host, port = host_and_port(playing.url)
            assert host == "127.0.0.1"
            assert port > 0
            await says_hello(subject, playing.url)
    assert f"127.0.0.1:{port}" in caplog.text


@needs_ipv6
@pytest.mark.keeps("ipv6")
async def test_ipv6(subject: Subject) -> None:
    """An IPv6 address is served, and stands in brackets."""
    async with play(subject, Script(), host="::1") as playing:
        assert "://[::1]:" in playing.url
        await says_hello(subject, playing.url)


@pytest.mark.keeps("ipv6")
async def test_all_addresses_of_a_name(subject: Subject) -> None:
    """Each address of a host's name is served, at one port."""
    async with play(subject, Script(), host="localhost") as playing:
        addresses: Any = playing.conductor.status().players["api"].details["addresses"]
        assert len({host_and_port(one)[1] for one in addresses}) == 1
        for one in addresses:
            await says_hello(subject, one)


@pytest.mark.keeps("unix")
async def test_a_unix_socket(subject: Subject, tmp_path: Path) -> None:
    """It has the mode that was asked for, replaces a stale one, and is removed afterwards."""
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    async with play(subject, Script(), uds=path, uds_mode=0o600) as playing:
        assert playing.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await says_hello(subject, playing.url)
    assert not path.exists()


@pytest.mark.keeps("unix")
async def test_a_live_unix_socket_is_refused(subject: Subject, tmp_path: Path) -> None:
    """Where somebody listens already, it fails, and leaves the other alone."""
    path = tmp_path / "server.sock"
    async with play(subject, Script(), uds=path) as playing:
        error = await fails_early(subject, uds=path)
        assert error.errno == errno.EADDRINUSE
        assert str(path) in str(error)
        await says_hello(subject, playing.url)


@pytest.mark.keeps("unix")
async def test_the_unix_socket_of_a_successor_is_left_alone(
    subject: Subject, tmp_path: Path
) -> None:
    """Who has taken over the path meanwhile keeps it after the stop."""
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX) as successor:
        async with play(subject, Script(), uds=path):
            path.unlink()
            successor.bind(str(path))
            successor.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.keeps("sockets")
@pytest.mark.parametrize("by_number", [False, True], ids=["objects", "numbers"])
async def test_sockets_handed_in(subject: Subject, by_number: bool) -> None:
    """Sockets of the caller's are served, one run after the other, and stay the caller's."""
    with socket.socket() as bound, socket.create_server(("127.0.0.1", 0)) as listening:
        bound.bind(("127.0.0.1", 0))
        given: list[Any] = [bound, listening]
        handed_in = [sock.fileno() for sock in given] if by_number else given
        for _ in range(2):
            async with play(subject, Script(), sockets=handed_in) as playing:
                addresses: Any = playing.conductor.status().players["api"].details["addresses"]
                ports = [host_and_port(one)[1] for one in addresses]
                assert ports == [sock.getsockname()[1] for sock in given]
                for one in addresses:
                    await says_hello(subject, one)
        assert all(sock.fileno() != -1 for sock in given)


@pytest.mark.keeps("reuse_port")
async def test_several_on_one_port(subject: Subject) -> None:
    """With reuse_port two players listen on one port, and either serves when the other has gone."""
    script = Script()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    async with play(subject, script, port=port, reuse_port=True) as one:
        async with play(subject, script, port=port, reuse_port=True) as other:
            assert one.url == other.url
            await says_hello(subject, one.url)
        await says_hello(subject, one.url)


async def fails_early(subject: Subject, **kwargs: Any) -> OSError:
    """Play it, which has to fail at once, and before the application starts."""
    script = Script()
    with pytest.raises(OSError) as caught, taking_less_than(20):
        await served(subject.app(script), **subject.kwargs, **kwargs).play(Context())
    assert script.log == [], "the application had started"
    return caught.value


@pytest.mark.keeps("early errors")
async def test_a_port_in_use(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    """The error has the system's number and the address in it; the server has nothing to add."""
    with bound_port() as port:
        error = await fails_early(subject, port=port)
    assert error.errno == errno.EADDRINUSE
    assert f"127.0.0.1:{port}" in str(error)
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.keeps("early errors")
async def test_a_port_that_needs_privileges(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that the system does not give is a PermissionError with the address in it."""

    def bind(self: socket.socket, where: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", bind)
    error = await fails_early(subject, port=80)
    assert isinstance(error, PermissionError)
    assert "127.0.0.1:80" in str(error)


@pytest.mark.keeps("early errors")
@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
async def test_a_host_that_is_none(subject: Subject, host: str) -> None:
    """A name that nobody has, and an address of another machine, are errors with the host in them."""
    assert host in str(await fails_early(subject, host=host))


@pytest.mark.keeps("early errors")
async def test_a_bad_certificate(subject: Subject, tmp_path: Path) -> None:
    """A file that is missing, or that is no certificate, is an error with the file in it."""
    missing, nonsense = tmp_path / "missing.pem", tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for file in (missing, nonsense):
        error = await fails_early(subject, tls=(file, file))
        assert str(file) in str(error)
        assert "127.0.0.1:" in str(error)


def raise_connection_error() -> None:
    raise ConnectionError("no database")


@pytest.mark.keeps("failing start")
async def test_a_start_that_fails(subject: Subject) -> None:
    """The application's own exception comes out, and nobody listens any more."""
    script = Script()
    script.on_start = raise_connection_error
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    player = served(subject.app(script), port=port, **subject.kwargs)
    with pytest.raises(ConductorError) as caught, taking_less_than(20):
        await Conductor({"api": player}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, ConnectionError)
    assert "no database" in str(error)
    assert refuses(f"http://127.0.0.1:{port}")


@pytest.mark.keeps("hanging start")
async def test_a_start_that_hangs(subject: Subject) -> None:
    """It is not ready, fails after its start_timeout, and nobody listens any more."""
    script = Script()
    script.hangs = True
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    player = served(subject.app(script), port=port, **subject.kwargs)
    player.start_timeout = 0.3
    with pytest.raises(ConductorError) as caught, taking_less_than(20):
        await Conductor({"api": player}).play(Context())
    (error,) = caught.value.exceptions
    assert isinstance(error, StartTimeoutError)
    assert refuses(f"http://127.0.0.1:{port}")


@pytest.mark.keeps("hanging start")
async def test_it_is_not_ready_while_the_application_starts(subject: Subject) -> None:
    """A client that connects meanwhile waits, and is served once the application has started."""
    script = Script()
    script.hangs = True
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    conductor = Conductor({"api": served(subject.app(script), port=port, **subject.kwargs)})
    ctx = Context()
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: script.log)
    client = asyncio.create_task(says_hello(subject, f"http://127.0.0.1:{port}"))
    await asyncio.sleep(0.05)
    assert not conductor.status().players["api"].ready
    assert not client.done()
    script.hangs = False
    await client
    await until(lambda: conductor.status().players["api"].ready)
    ctx.cancel()
    await task
