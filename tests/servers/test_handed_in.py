"""Sockets by number, those that systemd passes among them."""

import os
import socket
import subprocess
import sys
from typing import Any

import pytest
from server_kit import served

from orchestra import ServerPlayer
from orchestra.servers.handed_in import passed_by_systemd


async def app(scope: Any, receive: Any, send: Any) -> None: ...


PROGRAM = """
import asyncio, os, sys, urllib.request
from orchestra import Conductor, ServerPlayer, playing

os.environ["LISTEN_PID"] = str(os.getpid())

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"by systemd"})

def fetch(url):
    return urllib.request.urlopen(url, timeout=20).read().decode()

async def main():
    admin = ServerPlayer(app, sockets="systemd:admin")
    players = {"all": ServerPlayer(app, sockets="systemd"), "admin": admin}
    async with playing(Conductor(players)) as performance:
        for status in performance.status().players:
            for url in status.details["addresses"]:
                print(status.name, url, await asyncio.to_thread(fetch, url))
    print([os.get_inheritable(fd) for fd in (3, 4)])

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="no file descriptors to inherit here")
def test_sockets_that_systemd_has_passed() -> None:
    """A service of a .socket unit serves what it inherits, all of it or that of one name."""
    here = ("127.0.0.1", 0)
    with socket.create_server(here) as web, socket.create_server(here) as admin:
        numbers = [web.fileno(), admin.fileno()]
        environ = {**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}
        # As systemd does it: the sockets lie at 3 and 4, whatever was there.
        start = (
            "import os, sys\n"
            f"kept = [os.dup(os.dup(os.dup(fd))) for fd in {numbers}]\n"
            "for place, fd in enumerate(kept, 3): os.dup2(fd, place)\n"
            "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
        )
        done = subprocess.run(
            [sys.executable, "-c", start, PROGRAM],
            env=environ,
            pass_fds=numbers,
            capture_output=True,
            text=True,
            timeout=50,
        )
        ports = [sock.getsockname()[1] for sock in (web, admin)]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"all http://127.0.0.1:{ports[0]} by systemd",
        f"all http://127.0.0.1:{ports[1]} by systemd",
        f"admin http://127.0.0.1:{ports[1]} by systemd",
        "[False, False]",
    ]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "not set"),
        ({"LISTEN_FDS": "1"}, "not set"),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "8"}, "to the process 8"),
        ({"LISTEN_FDS": "0", "LISTEN_PID": "7"}, "LISTEN_FDS is '0'"),
        ({"LISTEN_FDS": "two", "LISTEN_PID": "7"}, "LISTEN_FDS is 'two'"),
    ],
)
def test_what_systemd_has_not_passed(environ: dict[str, str], words: str) -> None:
    """Where nothing was passed, or to another process, the error says so."""
    with pytest.raises(ValueError, match="systemd has passed") as caught:
        passed_by_systemd(environ, pid=7)
    assert words in str(caught.value)


def test_without_systemd_it_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At construction, and not when it plays; a name that was not passed has a hint."""
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    with pytest.raises(ValueError, match="LISTEN_FDS"):
        ServerPlayer(app, sockets="systemd")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDNAMES", "public")
    with pytest.raises(ValueError, match="Did you mean 'public'"):
        ServerPlayer(app, sockets="systemd:publik")


def test_numbers_are_checked_at_once(tmp_path: Any) -> None:
    """A descriptor that is no socket, is closed, or was never open, is a ValueError that names it."""
    with (tmp_path / "file").open("w") as file, pytest.raises(ValueError, match="descriptor"):
        served(app, sockets=[file.fileno()])
    with pytest.raises(ValueError, match=r"-1 is no open stream socket"):
        served(app, sockets=[-1])
    with pytest.raises(ValueError, match="no open stream socket"):
        served(app, sockets=[1 << 70])
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert str(sock.getsockname()[1]) in repr(served(app, sockets=[sock.fileno()]))
