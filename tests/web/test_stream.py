"""Server-sent events, as those who follow get them."""

import asyncio
import logging
from typing import Any

import pytest

from orchestra import Conductor, Context
from orchestra.testing import FakePlayer
from orchestra.web.api import routes, stream
from orchestra.web.api.stream import event
from served import Events, close, served

pytestmark = pytest.mark.real_time

log = logging.getLogger("theirs")


def players() -> dict[str, Any]:
    return {"a": FakePlayer(), "jobs": Conductor({"b": FakePlayer()})}


def test_an_event_is_one_line_of_data() -> None:
    """Line breaks of a text are no line breaks of the stream."""
    assert event("entries", {"text": "a\nb\r\u2028"}) == (
        b'event: entries\ndata: {"text":"a\\nb\\r\xe2\x80\xa8"}\n\n'
    )


async def test_first_all_players_then_what_changes(uds: str) -> None:
    """The first event has all players; later ones those that have changed, and who is not ready."""
    async with served(uds, players()) as tree:
        async with tree.unix.stream("GET", "/api/stream?entries=false") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert "content-length" not in response.headers
            events = Events(response)
            name, first, _ = await events.next()
            assert (name, first["all"], first["ready"]) == ("players", True, True)
            assert [row["path"] for row in first["players"]] == [
                "",
                "status",
                "a",
                "jobs",
                "jobs.b",
            ]
            assert first["players"][0]["cpu"] is None
            await tree.post("/api/players/jobs.b/stop")
            data = await events.until(lambda name, data: not data["all"])
            rows = {row["path"]: row["state"] for row in data["players"]}
            assert rows["jobs.b"] == "stopped"
            assert "a" not in rows
            tree.performance.find("jobs")
            conductor: Any = tree.performance.find("jobs")[1].player
            await conductor.remove("b")
            assert (await events.until(lambda name, data: data["gone"]))["gone"] == ["jobs.b"]


async def test_lines_and_events_as_they_come(uds: str) -> None:
    """What is logged and what happens comes with an id, from now on, of a part of the tree."""
    async with served(uds, players()) as tree:
        query = {"players": "false", "path": "jobs"}
        async with tree.unix.stream("GET", "/api/stream", params=query) as response:
            events = Events(response)
            await asyncio.sleep(0.1)
            await tree.post("/api/players/a/restart")
            await tree.post("/api/players/jobs.b/restart")
            name, data, number = await events.next()
            assert name == "entries"
            assert number == data["resume"]
            assert not data["missed"]
            assert {entry["path"] for entry in data["entries"]} == {"jobs.b"}
            assert data["entries"][0]["id"] > 5


@pytest.mark.parametrize("way", ["query", "header"])
async def test_it_is_resumed(uds: str, way: str) -> None:
    """Who was cut off says where it was, and misses nothing."""
    async with served(uds, players()) as tree:
        resume = (await tree.get("/api/players"))["resume"]
        await tree.post("/api/players/a/restart")
        query, headers = {"players": "false"}, {}
        if way == "query":
            query["resume"] = resume
        else:
            headers["last-event-id"] = resume
        options: Any = {"params": query, "headers": headers}
        async with tree.unix.stream("GET", "/api/stream", **options) as response:
            _, data, _ = await Events(response).next()
            assert [entry["path"] for entry in data["entries"]][:1] == ["a"]
            assert not data["missed"]


async def test_of_another_program_nothing_is_resumed(uds: str) -> None:
    """After a restart of the program there is more than was seen, and something is missed."""
    async with served(uds, players()) as tree:
        query = {"players": "false", "resume": "0000-5"}
        async with tree.unix.stream("GET", "/api/stream", params=query) as response:
            _, data, _ = await Events(response).next()
            assert data["missed"]


async def test_much_at_once(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is sent in one piece comes in several, one right after the other."""
    monkeypatch.setattr(stream, "AT_ONCE", 3)
    async with served(uds, players()) as tree:
        for _ in range(3):
            await tree.post("/api/players/a/restart")
        query = {"players": "false", "resume": "0000-5"}
        async with tree.unix.stream("GET", "/api/stream", params=query) as response:
            events = Events(response)
            found = [len((await events.next())[1]["entries"]) for _ in range(3)]
            assert found == [3, 3, 3]


async def test_a_sign_of_life(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is nothing to tell, a comment says that it is still there."""
    monkeypatch.setattr(stream, "SIGN_OF_LIFE", 0.05)
    async with served(uds, players()) as tree:
        query = {"players": "false"}
        async with tree.unix.stream("GET", "/api/stream", params=query) as response:
            async for line in response.aiter_lines():
                if line == ": still there":
                    break


async def test_who_only_asks_for_the_head(uds: str) -> None:
    """A HEAD gets the headers, and no stream."""
    async with served(uds) as tree:
        answer = await tree.unix.head("/api/stream")
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_nobody_follows_an_unknown_player(uds: str) -> None:
    """A path that nobody has is an error."""
    async with served(uds) as tree:
        answer = await tree.unix.get("/api/stream?path=nobody")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")
        answer = await tree.unix.get("/api/stream?players=yes")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


async def test_there_is_an_end_to_streams(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many may follow at a time; one more is told to come again later."""
    monkeypatch.setattr(routes, "MOST", 1)
    async with served(uds) as tree:
        async with tree.unix.stream("GET", "/api/stream") as response:
            await Events(response).next()
            answer = await tree.unix.get("/api/stream")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
            assert answer.headers["retry-after"] == "5"
        while (await tree.unix.head("/api/stream")).status_code == 503:
            await asyncio.sleep(0.01)


async def test_who_leaves_is_forgotten(uds: str) -> None:
    """A client that goes away in the midst leaves nothing behind."""
    async with served(uds, players()) as tree:
        reader, writer = await tree.connect(unix=True)
        writer.write(b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await reader.readuntil(b"event: players")
        await close(writer)
        while any(task.get_name() == "looks for changes" for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)


async def test_no_stream_begins_at_the_end(uds: str) -> None:
    """While the program takes its leave, who asks for a stream is told to come again."""
    stopping = asyncio.Event()

    class Late(FakePlayer):
        async def play(self, ctx: Context) -> None:
            await ctx.wait()
            stopping.set()
            await asyncio.sleep(0.2)

    async with served(uds, {"late": Late()}) as tree:
        async with tree.unix.stream("GET", "/api/stream") as response:
            tree.performance.stop()
            await stopping.wait()
            # Those that stop are still shown.
            assert (await tree.unix.get("/api/players")).status_code == 200
            with pytest.raises(EOFError):
                await Events(response).until(lambda name, data: False)
