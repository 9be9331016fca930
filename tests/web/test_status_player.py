"""A status player as a part of its tree: how it begins, what it keeps nobody from, and how it ends."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import httpx
import pytest

import orchestra
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    StatusPlayer,
    play_until_signal,
    playing,
)
from orchestra.testing import FakePlayer, ends, hangs, slow_stop
from orchestra.web import player
from orchestra.web.directory import LONGEST, sockets
from served import Events, close, served

pytestmark = pytest.mark.real_time


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, uds: str) -> Path:
    folder = Path(uds).parent
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def unix_client(path: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=path, verify=False)
    return httpx.AsyncClient(transport=transport, base_url="http://program")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"port": "x"}, TypeError, "port must be a number"),
        ({"port": 70_000}, ValueError, "from 0 to 65535"),
        ({"port": 0, "host": ""}, ValueError, "host='' is none"),
        ({"uds": 5}, TypeError, "uds must be a path"),
        ({"uds": True}, TypeError, "uds must be a path"),
        ({"uds": "/" + "x" * LONGEST}, ValueError, f"may have {LONGEST} bytes"),
        ({"uds": False}, ValueError, "there is nowhere to serve"),
        ({"name": 5}, TypeError, "name must be a text"),
        ({"hosts": "a.example"}, TypeError, "hosts are names"),
        ({"hosts": 5}, TypeError, "hosts are names"),
        ({"hosts": [5]}, TypeError, "a name in hosts must be a text"),
    ],
)
async def test_arguments_that_make_no_sense(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """They are an error at once, which says what is accepted."""
    with pytest.raises(kind, match=message):
        StatusPlayer(**options)


async def test_without_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is told at once, with the line that installs it."""
    monkeypatch.setattr(player, "find_spec", lambda name: None if name == "starlette" else util)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'orchestra-players\[web\]'"):
        StatusPlayer()


async def test_it_is_shown_by_where_it_serves() -> None:
    """Its text says where it is to serve, and has no token in it."""
    assert repr(StatusPlayer()) == "StatusPlayer(unix)"
    assert repr(StatusPlayer(port=8080, uds=False)) == "StatusPlayer(127.0.0.1:8080)"
    assert repr(StatusPlayer(uds="/run/a.sock")) == "StatusPlayer(unix:/run/a.sock)"
    assert orchestra.StatusPlayer is StatusPlayer


async def test_by_default_there_is_a_socket_for_the_command_line(runtime: Path) -> None:
    """Without arguments it serves in the runtime directory, for its owner alone, and not over TCP."""
    status = StatusPlayer(name="shop")
    async with playing(Conductor({"status": status})) as performance:
        (path,) = sockets()
        assert path == runtime / "orchestra" / f"shop-{os.getpid()}.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert performance.status().find("status").details == {"addresses": (f"unix:{path}",)}
        assert status.url is None
        async with unix_client(str(path)) as client:
            assert (await client.get("/readyz")).json()["ready"]
    assert sockets() == []


async def test_the_socket_is_closed_to_others_from_its_first_moment(
    uds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no moment in which its file has another mode."""
    modes = []
    monkeypatch.setattr(os, "chmod", lambda path, mode: modes.append(os.stat(path).st_mode & 0o777))
    old = os.umask(0)
    try:
        async with served(uds):
            assert modes == [0o600]
    finally:
        os.umask(old)


async def test_sockets_of_the_dead_are_removed(runtime: Path) -> None:
    """What programs have left that were killed goes; what somebody may be about to use stays."""
    folder = runtime / "orchestra"
    folder.mkdir(mode=0o700)
    import socket

    for name, age in (("old", 1000), ("new", 0)):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / f"{name}-1.sock"))
        moment = (folder / f"{name}-1.sock").stat().st_mtime - age
        os.utime(folder / f"{name}-1.sock", (moment, moment))
    async with playing(Conductor({"status": StatusPlayer(name="shop")})):
        assert sorted(path.name.partition("-")[0] for path in sockets()) == ["new", "shop"]


async def test_where_no_socket_can_be_made(runtime: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a port it warns and goes on; without, or if it was asked for by its path, it fails."""
    (runtime / "orchestra").mkdir(mode=0o777)
    (runtime / "orchestra").chmod(0o777)
    async with playing(Conductor({"status": StatusPlayer(port=0)})):
        assert "the command line can't see this program: " in caplog.text
    with pytest.raises(ConductorError) as caught:
        async with playing(Conductor({"status": StatusPlayer()})):
            pass
    assert isinstance(caught.value.failures["status"], PermissionError)
    with pytest.raises(ConductorError, match=r"can't listen on unix:/nowhere/a\.sock"):
        async with playing(Conductor({"status": StatusPlayer(port=0, uds="/nowhere/a.sock")})):
            pass


async def test_it_needs_a_tree() -> None:
    """Played by itself, with nothing to show, it says so."""
    with pytest.raises(OrchestraError, match="shows the tree that it plays in"):
        await StatusPlayer(port=0, uds=False).play(Context())
    ctx = Context()
    ctx.cancel()
    await StatusPlayer(port=0, uds=False).play(ctx)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_all_addresses_are_opened_from_here(host: str) -> None:
    """A server that listens on all addresses has one in its URL that a browser here can open."""
    status = StatusPlayer(port=0, host=host, uds=False)
    async with playing(Conductor({"status": status})):
        url = str(status.url)
        assert url.startswith(("http://127.0.0.1:", "http://[::1]:"))
        async with httpx.AsyncClient() as client:
            assert (await client.get(url.partition("#")[0] + "livez")).status_code == 200


# The end


async def test_it_does_not_keep_a_tree_that_has_ended(uds: str) -> None:
    """When all others have ended by themselves, so does the tree, as if nobody had looked."""
    jobs = Conductor({"job": FakePlayer(ends(0.05))})
    conductor = Conductor({"jobs": jobs, "ops": Conductor({"status": StatusPlayer(uds=uds)})})
    await asyncio.wait_for(conductor.play(Context()), 10)


async def test_it_goes_on_as_long_as_somebody_may_be_started(uds: str) -> None:
    """A group that waits for its players to be started by hand is not over, and still shown."""
    players = {"job": FakePlayer(ends(0.01)), "status": StatusPlayer(uds=uds)}
    async with playing(Conductor({**players, "more": FakePlayer()}, idle=["more"])) as performance:
        async with unix_client(uds) as client:
            while performance.status().find("job").state != "stopped":
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert (await client.get("/api/players/job")).json()["player"]["state"] == "stopped"


async def test_alone_it_waits_for_others(uds: str) -> None:
    """Where there has been nobody else yet, it goes on."""
    conductor = Conductor({"status": StatusPlayer(uds=uds)})
    async with playing(conductor) as performance:
        await asyncio.sleep(0.05)
        assert performance.status().ready
        conductor.add("job", FakePlayer(ends(0.01)))
        while performance.status().find("status").state != "stopped":
            await asyncio.sleep(0.01)


async def test_it_shows_how_the_others_stop(uds: str) -> None:
    """Until the last of them has ended it serves; then its streams come to a proper end."""
    async with served(uds, {"slow": FakePlayer(slow_stop(0.4))}) as tree:
        async with tree.unix.stream("GET", "/api/stream?entries=false") as response:
            events = Events(response)
            await events.next()
            tree.performance.stop("enough")
            states = []
            with pytest.raises(EOFError):
                while True:
                    _, data, _ = await events.next()
                    states += [row["state"] for row in data["players"] if row["path"] == "slow"]
            assert states == ["stopping", "stopped"]


async def test_a_stuck_player_does_not_make_it_late(uds: str) -> None:
    """It ends in time, though another never does: only that one is named."""
    conductor = Conductor(
        {"stuck": FakePlayer(hangs()), "status": StatusPlayer(uds=uds)}, timeout=0.5
    )
    with pytest.raises(ConductorError) as caught:
        async with playing(conductor) as performance:
            performance.stop("enough")
            await asyncio.sleep(10)
    (error,) = caught.value.exceptions
    assert getattr(error, "left", None) == ("stuck",)


async def test_a_second_signal_names_only_those_who_still_worked(uds: str) -> None:
    """It ends at once when all are cut off, and is none of those that did not stop."""
    asked = asyncio.Event()

    async def slow(ctx: Context) -> None:
        await ctx.wait()
        asked.set()
        await asyncio.sleep(3600)

    ops = Conductor({"status": StatusPlayer(uds=uds, port=0)})
    conductor = Conductor({"jobs": Conductor({"slow": slow}), "ops": ops}, timeout=3600)
    task = asyncio.ensure_future(play_until_signal(conductor, signal.SIGUSR1))
    while not os.path.exists(uds):
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asked.wait()
    os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(ConductorError) as caught:
        await task
    (error,) = caught.value.exceptions
    assert getattr(error, "left", None) == ("jobs.slow",)
    assert not os.path.exists(uds)


async def test_cut_off_alone_it_is_nobody_who_was_late(uds: str) -> None:
    """A group without any time to stop in ends well, if this is all that plays in it."""
    conductor = Conductor({"status": StatusPlayer(uds=uds)}, timeout=0)
    async with playing(conductor) as performance:
        performance.stop()


@pytest.mark.leaves_tasks("a status player that is stuck")
async def test_one_that_is_stuck_is_named(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does not end though it was cut off, it is named, as everybody is."""
    from orchestra.web.site.service import Service

    close, released = Service.close, asyncio.Event()

    async def hang(self: Service, timeout: float) -> None:
        await close(self, timeout)
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    monkeypatch.setattr(Service, "close", hang)
    with pytest.raises(ConductorError) as caught:
        async with playing(Conductor({"status": StatusPlayer(uds=uds)}, timeout=0.2)):
            pass
    released.set()
    (error,) = caught.value.exceptions
    assert getattr(error, "left", None) == ("status",)


@pytest.mark.parametrize("terms", [{"ordered": True}, {"after": {"status": ["db"]}}])
async def test_those_that_wait_for_it_are_not_waited_for(uds: str, terms: Any) -> None:
    """In an order, those before it are asked to stop when it has ended, so it does so at once."""
    order: list[str] = []

    def noting(name: str) -> Callable[[Context], Any]:
        async def play(ctx: Context) -> None:
            await ctx.wait()
            order.append(name)

        return play

    class Noting(StatusPlayer):
        async def play(self, ctx: Context) -> None:
            await super().play(ctx)
            order.append("status")

    players = {"base": noting("base"), "db": noting("db"), "status": Noting(uds=uds)}
    async with playing(Conductor({"all": Conductor(players, **terms)}, timeout=30)):
        pass
    assert order.index("status") < order.index("db")


async def test_restarted_alone_it_waits_for_nobody(uds: str) -> None:
    """A restart by hand is over at once, since no other is stopping; who had the token still has it."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        first = tree.token
        await tree.performance.restart("status")
        assert tree.status.url is not None
        assert tree.status.url.endswith(first)
        assert (await tree.get("/api/players/status"))["player"]["restarts"] == 1


async def test_restarted_it_is_where_it_was(uds: str) -> None:
    """Where any port would do, the first is kept for the page that is open; if it can be had."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        await tree.performance.restart("status")
        assert str(tree.status.url).startswith(f"{tree.base}/")
        await tree.performance.stop_player("status")
        other = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", tree.port)
        await tree.performance.start("status")
        assert not str(tree.status.url).startswith(f"{tree.base}/")
        other.close()
        await other.wait_closed()


async def test_a_port_that_is_taken_is_its_failure(uds: str) -> None:
    """Asked for by its number, it is that one or none, and the error says which."""
    async with served(uds) as tree:
        status = StatusPlayer(port=tree.port, uds=False)
        with pytest.raises(ConductorError, match=rf"127\.0\.0\.1:{tree.port}") as caught:
            async with playing(Conductor({"status": status})):
                pass
        assert isinstance(caught.value.failures["status"], OSError)


async def test_two_of_them_in_one_tree(uds: str) -> None:
    """Each shows all; they are steered by one another, and end together."""
    async with served(uds, {"second": StatusPlayer(uds=f"{uds}2", name="second")}) as tree:
        async with unix_client(f"{uds}2") as client:
            rows = (await client.get("/api/players")).json()["players"]
            assert [row["path"] for row in rows] == ["", "status", "second"]
            answer = await client.post("/api/players/status/restart", json={})
            assert answer.json()["finished"]
        await tree.post("/api/players/second/stop")
        assert not os.path.exists(f"{uds}2")


@pytest.mark.parametrize("nested", [False, True])
async def test_two_of_them_do_not_wait_for_each_other(uds: str, nested: bool) -> None:
    """They end when all but them have, by themselves or because they were asked to."""
    second: Any = StatusPlayer(uds=f"{uds}2", name="second")
    if nested:
        second = Conductor({"second": second, "done": FakePlayer(ends())})
    players = {"status": StatusPlayer(uds=uds), "more": second}
    job = Conductor({**players, "job": FakePlayer(ends(0.05))})
    await asyncio.wait_for(job.play(Context()), 20)
    began = asyncio.get_running_loop().time()
    async with playing(Conductor({**players, "job": FakePlayer()}, timeout=3600)):
        pass
    assert asyncio.get_running_loop().time() - began < 1800
    stays = Conductor({"inner": second}, stop_when="never")
    async with playing(
        Conductor({"status": players["status"], "stays": stays, "job": FakePlayer(ends())})
    ) as performance:
        await asyncio.sleep(0.1)
        assert performance.status().find("status").state == "ready"


async def test_a_request_in_flight_is_no_failure(
    uds: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who waits for a command is told that it goes on, and who owes a request is cut off."""
    async with served(uds, {"slow": FakePlayer(slow_stop(1))}) as tree:
        asking = asyncio.ensure_future(tree.post("/api/players/slow/stop"))
        reader, writer = await tree.connect(unix=True)
        writer.write(b"POST /api/stop HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n")
        await asyncio.sleep(0.1)
        await tree.performance.restart("status")
        assert (await asking).json()["error"]["code"] == "late"
        assert await reader.read() == b""
        await close(writer)
        assert "Traceback" not in caplog.text
        tree.performance.stop()


async def test_it_can_be_cut_off(uds: str) -> None:
    """Cancelled, it lets go of everything at once."""
    ctx = Context()
    status = StatusPlayer(uds=uds, port=0)
    task = asyncio.ensure_future(Conductor({"status": status}).play(ctx))
    while status.url is None:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status.url is None
    assert not os.path.exists(uds)


# From outside


async def test_a_tree_is_served_from_outside(uds: str, caplog: pytest.LogCaptureFixture) -> None:
    """A tree that has no status player keeps its paths, and is seen and steered all the same."""
    status = StatusPlayer(uds=uds, port=0)
    caplog.set_level(logging.INFO)
    async with playing(Conductor({"a": FakePlayer()})) as performance:
        async with status.serving(performance) as same:
            assert same is status
            assert "served at http://127.0.0.1:" in caplog.text
            assert "token" not in caplog.text
            assert status.url is not None
            async with unix_client(uds) as client:
                found = (await client.get("/api/players")).json()
                assert [row["path"] for row in found["players"]] == ["", "a"]
                answer = await client.post("/api/players//restart", json={})
                assert answer.json()["finished"]
        assert status.url is None


async def test_a_tree_that_is_over_is_not_ready(uds: str) -> None:
    """As long as it is served, a tree that has ended is shown, and is not ready."""
    async with playing(Conductor({"a": FakePlayer(ends(0.01))})) as performance:
        async with StatusPlayer(uds=uds).serving(performance), unix_client(uds) as client:
            while performance.status().state != "stopped":
                await asyncio.sleep(0.01)
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.json()["unready"]) == (503, [""])
            assert (await client.get("/startupz")).status_code == 200


async def test_a_server_that_ends_by_itself(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a failure of the player too."""
    from orchestra.web.site.connections import GuardedAdapter

    async def end(self: GuardedAdapter) -> None: ...

    monkeypatch.setattr(GuardedAdapter, "wait", end)
    with pytest.raises(ConductorError, match="uvicorn ended by itself"):
        async with playing(Conductor({"status": StatusPlayer(uds=uds)})):
            await asyncio.sleep(10)


async def test_a_server_that_fails_is_told(
    uds: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Inside of a tree that is the failure of the player; outside it is in the log."""
    from orchestra.web.site.service import Service

    async def fail(self: Service) -> None:
        raise RuntimeError("the server is broken")

    monkeypatch.setattr(Service, "wait", fail)
    with pytest.raises(ConductorError, match="the server is broken"):
        async with playing(Conductor({"status": StatusPlayer(uds=uds)})):
            await asyncio.sleep(10)
    async with playing(Conductor({"a": FakePlayer()})) as performance:
        async with StatusPlayer(uds=uds).serving(performance):
            await asyncio.sleep(0.01)
    assert "the status is not served any more" in caplog.text
