"""What systemd hears, on a real datagram socket."""

import asyncio
import inspect
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from observers.watching import small_play, watched
from orchestra import (
    Abandoned,
    BackingOff,
    Conductor,
    Context,
    CutOff,
    Event,
    Failed,
    Ready,
    Started,
    Stopped,
    run,
)
from orchestra.observers.systemd import SystemdObserver, line_of


class Systemd:
    """The other end: what it was told."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self.sock.setblocking(False)

    def observer(self, **environ: str) -> SystemdObserver:
        return SystemdObserver({"NOTIFY_SOCKET": self.address, **environ})

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    abstract = f"@orchestra-test-{os.getpid()}"
    systemd = Systemd(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    yield systemd
    systemd.sock.close()


def top(make: Any, *args: Any) -> Event:
    event: Event = make("", 0.0, *args)
    return event


@pytest.mark.virtual_time
async def test_ready_and_status(systemd: Systemd) -> None:
    """What is wrong is told as it changes, a line at a time."""
    lines = {}

    def note(moment: int) -> tuple[float, Any]:
        return moment, lambda: lines.update({moment: systemd.heard()})

    await watched(systemd.observer(), small_play(), note(1), note(3), note(10))
    assert lines[1] == ["STATUS=starting: api"]
    assert lines[3][-1] == "STATUS=jobs.feed is backing off: OSError: gone"
    assert lines[10][-1] == "STATUS=all is well"
    stop = systemd.heard()
    assert stop == ["STATUS=stopping: slow, stuck", "STATUS=stopping: stuck"]


def test_a_run(systemd: Systemd) -> None:
    """The tree is ready, then it stops, and each is told once."""

    async def main(ctx: Context) -> None:
        while not ctx.done():
            ctx.performance and ctx.performance.stop("enough")
            await asyncio.sleep(0)

    run(Conductor({"main": main}), observers=[systemd.observer()])
    heard = systemd.heard()
    assert [one for one in heard if one.endswith("=1")] == ["READY=1", "STOPPING=1"]
    assert heard[-1] == "STATUS=stopping"


@pytest.mark.virtual_time
async def test_the_watchdog(systemd: Systemd) -> None:
    """A sign of life comes twice in a period, but not while somebody is beyond control."""
    observer = systemd.observer(WATCHDOG_USEC="4000000", WATCHDOG_PID=str(os.getpid()))
    observer(Started("a", 0.0))
    await asyncio.sleep(9)
    assert systemd.heard().count("WATCHDOG=1") == 5
    observer(CutOff("a", 0.0))
    observer(Abandoned("a", 0.0))
    await asyncio.sleep(9)
    assert "WATCHDOG=1" not in systemd.heard()
    observer(Started("a", 0.0))
    await asyncio.sleep(9)
    assert systemd.heard().count("WATCHDOG=1") >= 4
    observer(top(Failed, ValueError("over")))
    systemd.heard()
    await asyncio.sleep(100)
    assert systemd.heard() == []


@pytest.mark.virtual_time
async def test_a_stop_is_prolonged(systemd: Systemd) -> None:
    """While the tree stops, systemd is asked for more time, and its watchdog is fed in any case."""
    from orchestra import Stopping

    observer = systemd.observer(WATCHDOG_USEC="4000000")
    observer(CutOff("a", 0.0))
    observer(top(Stopping))
    observer(top(Stopping))
    await asyncio.sleep(3.5)
    heard = systemd.heard()
    assert heard.count("STOPPING=1") == 1
    assert heard.count("EXTEND_TIMEOUT_USEC=10000000") >= 4
    assert "WATCHDOG=1" in heard
    observer(top(Stopped))


def test_no_variable_shows_in_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature, which `help` and the documentation show, holds nothing of the environment."""
    monkeypatch.setenv("SECRET", "open sesame")
    assert "open sesame" not in str(inspect.signature(SystemdObserver))


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "-5"}]
)
@pytest.mark.virtual_time
async def test_no_watchdog_for_us(systemd: Systemd, environ: dict[str, str]) -> None:
    """Signs of life that are another process's, or that make no sense, are not given."""
    observer = systemd.observer(**{"WATCHDOG_USEC": "1000000", **environ})
    observer(Started("a", 0.0))
    await asyncio.sleep(9)
    assert systemd.heard() == ["STATUS=starting: a"]


def test_without_systemd() -> None:
    """Where nobody is to be told, nothing happens."""
    SystemdObserver({})(top(Ready))


def test_systemd_has_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A socket that nobody reads is complained about once, and hurts nobody."""

    async def main(ctx: Context) -> None: ...

    observer = SystemdObserver({"NOTIFY_SOCKET": str(tmp_path / "none")})
    run(Conductor({"main": main}), observers=[observer])
    (line,) = [record for record in caplog.records if "systemd" in record.getMessage()]
    assert str(tmp_path) in line.getMessage()


@pytest.mark.virtual_time
async def test_words() -> None:
    """The line names the worst first, few of many, and no group whose players say more."""
    players = {f"p{number}": "failed: OSError: gone" for number in range(5)}
    assert line_of(players).endswith("p2 failed: OSError: gone; and 2 more")
    players = {"": "starting", "g": "starting", **{f"g.{n}": "starting" for n in range(5)}}
    assert line_of(players) == "starting: g.0, g.1, g.2, and 2 more"
    assert line_of({"": "starting"}) == "starting: all"
    assert line_of({}, stopping=True) == "stopping"
    systemd = SystemdObserver({"NOTIFY_SOCKET": "/nowhere"})
    systemd(BackingOff("a", 0.0, 5.0, 1))
    assert line_of(systemd._players) == "a is backing off"
    await asyncio.sleep(1)
