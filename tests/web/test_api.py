"""The API as its clients see it, over the Unix socket and over TCP."""

import asyncio
import logging
import os
import sys
from typing import Any

import httpx
import jsonschema
import pytest

from orchestra import CommandPlayer, Conductor, Context, replicate, restarting
from orchestra.testing import FakePlayer
from orchestra.web.api.openapi import DOCUMENT
from served import JSON, served

pytestmark = pytest.mark.real_time

log = logging.getLogger("theirs")


def check(answer: httpx.Response, name: str, status: int = 200) -> Any:
    """The answer, which has the form that its description has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema.validate(found, schema)
    return found


def error(answer: httpx.Response, status: int, code: str) -> str:
    found = check(answer, "Error", status)
    assert found["error"]["code"] == code
    return found["error"]["message"]  # type: ignore[no-any-return]


async def worker(ctx: Context) -> None:
    log.warning("<b>hello</b>\nworld")
    await ctx.wait()


@pytest.mark.parametrize("way", ["unix", "tcp"])
async def test_players_are_listed(uds: str, way: str) -> None:
    """All players are there, parents first, over either way, in the form that is described."""
    async with served(uds, {"jobs": Conductor({"worker": worker})}) as tree:
        found = check(await getattr(tree, way).get("/api/players"), "Players")
        assert found["ready"]
        assert [row["path"] for row in found["players"]] == ["", "status", "jobs", "jobs.worker"]
        rows = {row["path"]: row for row in found["players"]}
        assert rows["jobs.worker"]["parent"] == "jobs"
        assert rows["status"]["kind"] == "status"
        assert rows["status"]["details"]["addresses"] == [tree.base, f"unix:{uds}"]


async def test_one_player(uds: str) -> None:
    """A player is found by its path; a path that nobody has is told with the nearest."""
    async with served(uds, {"jobs": Conductor({"worker": worker})}) as tree:
        found = check(await tree.unix.get("/api/players/jobs.worker"), "OnePlayer")
        assert found["player"]["last_line"] == "<b>hello</b>"
        assert check(await tree.unix.get("/api/players/"), "OnePlayer")["player"]["path"] == ""
        message = error(await tree.unix.get("/api/players/jobs.wroker"), 404, "unknown")
        assert message == "no player 'jobs.wroker'. Did you mean 'jobs.worker'?"


async def test_the_program(uds: str) -> None:
    """The program tells who it is; its address, which has the token in it, only over the socket."""
    async with served(uds, file="shop.toml") as tree:
        found = check(await tree.unix.get("/api/program"), "Program")
        assert (found["name"], found["pid"], found["file"]) == ("shop", os.getpid(), "shop.toml")
        assert found["url"] == f"{tree.base}/#token={tree.token}"
        assert found["instance"] == (await tree.get("/api/players"))["resume"].partition("-")[0]
        assert found["memory"] > 1_000_000 or sys.platform != "linux"
        assert check(await tree.tcp.get("/api/program"), "Program")["url"] is None


async def test_a_process_has_cpu_and_memory(uds: str) -> None:
    """Where a player is a process of its own, its row tells what that uses; nobody else's does."""
    players = {"sleep": CommandPlayer("sleep 100"), "worker": worker}
    async with served(uds, players) as tree:
        rows = {row["path"]: row for row in (await tree.get("/api/players"))["players"]}
        assert rows["sleep"]["memory"] is not None or sys.platform != "linux"
        assert rows["worker"]["memory"] is None
        assert rows["worker"]["cpu"] is None
        stopped = (await tree.post("/api/players/sleep/stop")).json()["player"]
        assert (stopped["state"], stopped["memory"]) == ("stopped", None)


async def test_lines_and_events(uds: str) -> None:
    """What was logged and what has happened, of a part of the tree, after a number, of a run."""
    async with served(uds, {"jobs": Conductor({"worker": worker}), "other": worker}) as tree:
        await tree.post("/api/players/jobs.worker/restart")
        found = check(await tree.unix.get("/api/lines?path=jobs"), "Lines")
        texts = [line["text"] for line in found["lines"] if line["source"] == "theirs"]
        assert texts == ["<b>hello</b>\nworld"] * 2
        assert {line["path"] for line in found["lines"]} <= {"jobs", "jobs.worker"}
        query = {"path": "jobs.worker", "runs": "current", "limit": 1}
        newest = check(await tree.unix.get("/api/lines", params=query), "Lines")["lines"]
        assert newest == found["lines"][-1:]
        assert (await tree.get("/api/lines", since=newest[0]["id"]))["lines"] == []
        events = check(await tree.unix.get("/api/events?path=jobs.worker"), "Events")["events"]
        kinds = [event["kind"] for event in events]
        assert kinds[-3:] == ["Stopping", "Started", "Ready"]
        assert check(await tree.unix.get("/api/events?limit=0"), "Events")["events"] == []
        error(await tree.unix.get("/api/lines?path=nobody"), 404, "unknown")
        error(await tree.unix.get("/api/events?path=nobody"), 404, "unknown")


async def test_stack(uds: str) -> None:
    """Where a player is right now is told, line by line."""
    async with served(uds, {"jobs": Conductor({"worker": worker})}) as tree:
        found = check(await tree.unix.get("/api/stack?path=jobs"), "Places")["places"]
        assert [place["path"] for place in found] == ["jobs", "jobs.worker"]
        assert "await ctx.wait()" in found[1]["where"]
        error(await tree.unix.get("/api/stack?path=nobody"), 404, "unknown")


async def test_settings(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a player was made with is told; of arguments and variables no value that may be secret."""
    command = CommandPlayer(
        ["sleep", "100"], env={"API_KEY": "hunter2"}, backoff=[1, 5], stop_timeout=3
    )
    async with served(uds, {"sleep": command, "jobs": restarting(worker, [2])}) as tree:
        found = await tree.unix.get("/api/settings?path=sleep")
        assert "hunter2" not in found.text
        answer = check(found, "Settings")
        assert answer["variables"] == ["API_KEY"]
        assert answer["settings"]["program"] == "sleep"
        assert "100" not in str(answer["settings"])
        assert answer["settings"]["stop_signal"] == "SIGTERM"
        assert answer["settings"]["backoff"] == "1, 5"
        assert (await tree.get("/api/settings"))["settings"]["stop_when"] == "never"
        message = error(await tree.unix.get("/api/settings?path=slep"), 404, "unknown")
        assert "Did you mean 'sleep'?" in message


async def test_players_are_steered(uds: str) -> None:
    """A player is stopped, started and restarted by its path; the answer comes when that is done."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        for command, state, restarts in (
            ("stop", "stopped", 0),
            ("start", "ready", 1),
            ("restart", "ready", 2),
        ):
            found = check(await tree.post(f"/api/players/a/{command}"), "Done")
            assert (found["command"], found["path"], found["finished"]) == (command, "a", True)
            assert (found["player"]["state"], found["player"]["restarts"]) == (state, restarts)


async def test_a_command_may_be_late_or_not_waited_for(uds: str) -> None:
    """With a time limit it is late and goes on; with `wait: false` it is accepted."""
    async with served(uds, {"a": FakePlayer(ready_after=0.3)}) as tree:
        late = await tree.post("/api/players/a/restart", timeout=0.01)
        assert "goes on" in error(late, 504, "late")
        found = check(await tree.post("/api/players/a/restart", wait=False), "Done")
        assert not found["finished"]


async def test_failures_of_a_command_are_told(uds: str) -> None:
    """A player that fails at its start, is unknown, or can't be scaled, gives the error that fits."""
    runs = []

    async def player(ctx: Context) -> None:
        runs.append(ctx)
        if len(runs) == 2:
            raise ConnectionError("no db")
        await ctx.wait()

    group = Conductor({"b": player}, stop_when="never", backoff=[0])
    async with served(uds, {"a": group}) as tree:
        await tree.post("/api/players/a.b/stop")
        message = error(await tree.post("/api/players/a.b/scale", count=2), 409, "refused")
        assert "can't be scaled" in message
        message = error(await tree.post("/api/players/a.c/start"), 404, "unknown")
        assert "a.b" in message
        message = error(await tree.post("/api/players/a.b/start"), 500, "failed")
        assert message == "ConnectionError: no db"


async def test_copies_are_scaled(uds: str) -> None:
    """A group of copies gets as many as were asked for."""
    async with served(uds, {"copies": replicate(worker, 1)}) as tree:
        found = check(await tree.post("/api/players/copies/scale", count=3), "Done")
        assert found["finished"]
        assert (await tree.get("/api/players"))["players"][-1]["path"] == "copies.2"
        check(await tree.post("/api/players/copies/scale", count=2.0), "Done")
        for body in ({}, {"count": -1}, {"count": 1.5}, {"count": True}, {"count": 10**9}):
            error(await tree.post("/api/players/copies/scale", **body), 400, "invalid")


async def test_it_may_restart_itself(uds: str) -> None:
    """Whoever serves can't wait for its own end: the command is accepted, and it comes back."""
    async with served(uds) as tree:
        found = check(await tree.post("/api/players/status/restart"), "Done")
        assert not found["finished"]
        while True:
            try:
                if (await tree.get("/api/players/status"))["player"]["restarts"]:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


async def test_all_is_stopped(uds: str) -> None:
    """The whole program is asked to stop, and the answer comes at once."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        found = check(await tree.post("/api/stop"), "Done")
        assert (found["command"], found["finished"]) == ("stop all", False)
        while tree.status.url is not None:
            await asyncio.sleep(0.01)


async def test_a_file_is_read_again(uds: str) -> None:
    """What the reloader says is the answer; without one it is refused."""

    async def reload(dry_run: bool) -> dict[str, Any]:
        return {"changes": ["api: restarted"], "applied": not dry_run}

    async with served(uds, reloader=reload) as tree:
        found = check(await tree.post("/api/reload", dry_run=True), "Reloaded")
        assert found == {"version": 1, "changes": ["api: restarted"], "applied": False}
        assert check(await tree.post("/api/reload"), "Reloaded")["applied"]
    async with served(uds) as tree:
        error(await tree.post("/api/reload"), 409, "refused")


async def test_read_only(uds: str) -> None:
    """Served read-only, everything can be seen, and nothing changed."""
    async with served(uds, {"a": FakePlayer()}, read_only=True) as tree:
        assert check(await tree.unix.get("/api/program"), "Program")["read_only"]
        for path in ("/api/players/a/stop", "/api/stop", "/api/reload"):
            error(await tree.post(path), 403, "forbidden")
        assert (await tree.get("/api/players"))["ready"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limt=3", "the parameter 'limt' is unknown. Did you mean 'limit'?"),
        ("limit=-1", "the parameter 'limit' has to be a number from 0 on, not '-1'"),
        ("since=x", "the parameter 'since' has to be a number from 0 on, not 'x'"),
        (f"since={2**54}", f"has to be a number from 0 on, not '{2**54}'"),
        ("runs=last", "the parameter 'runs' has to be one of both, current, previous, not 'last'"),
        ("limit=1&limit=2", "the parameter 'limit' is given more than once"),
    ],
)
async def test_a_wrong_query_is_told(uds: str, query: str, message: str) -> None:
    """A parameter that is unknown or wrong is an error that says what is accepted."""
    async with served(uds) as tree:
        assert message in error(await tree.unix.get(f"/api/lines?{query}"), 400, "invalid")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is no JSON"),
        (b"\xff", "the body is no JSON"),
        (b"[" * 50_000, "the body is no JSON"),
        (b"[]", "the body has to be an object"),
        (b'{"wiat": true}', "the member 'wiat' is unknown. Did you mean 'wait'?"),
        (b'{"wait": 1}', "the member 'wait' has to be true or false, not 1"),
        (b'{"timeout": "5"}', "has to be a number of seconds or null, not '5'"),
        (b'{"timeout": -1}', "has to be a number of seconds from 0 on, not -1"),
        (b'{"timeout": NaN}', "has to be a number of seconds from 0 on, not nan"),
    ],
)
async def test_a_wrong_body_is_told(uds: str, body: bytes, message: str) -> None:
    """A body that is no JSON, no object, or has something wrong in it, changes nothing."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        answer = await tree.unix.post("/api/players/a/stop", content=body, headers=JSON)
        assert message in error(answer, 400, "invalid")
        assert (await tree.get("/api/players/a"))["player"]["state"] == "ready"


async def test_no_body_is_an_empty_one(uds: str) -> None:
    """A command without members needs no body, and may have a null for a time limit."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        check(await tree.unix.post("/api/players/a/stop", headers=JSON), "Done")
        check(await tree.post("/api/players/a/start", timeout=None), "Done")


async def test_what_is_not_there(uds: str) -> None:
    """A path that leads nowhere and a wrong method are errors in JSON as well."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        assert "/api/plyers" in error(await tree.unix.get("/api/plyers"), 404, "unknown")
        answer = await tree.unix.get("/api/players/a/stop")
        assert "only POST" in error(answer, 405, "invalid")
        assert answer.headers["allow"] == "POST"
        answer = await tree.unix.request("DELETE", "/api/players", headers=JSON)
        error(answer, 405, "invalid")


async def test_a_fault_inside_shows_nothing(uds: str, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in the program itself is in its log, and not in the answer."""

    async def reload(dry_run: bool) -> dict[str, Any]:
        raise RuntimeError("secret")

    async with served(uds, reloader=reload) as tree:
        answer = await tree.post("/api/reload")
        assert "secret" not in error(answer, 500, "failed")
    assert "RuntimeError: secret" in caplog.text
