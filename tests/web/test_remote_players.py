"""Players in another process, as they are seen and steered from here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orchestra import Conductor, Context, ProcessPlayer
from orchestra.testing import FakePlayer
from served import Served, served

pytestmark = pytest.mark.real_time


async def works(ctx: Context) -> None:
    await ctx.wait()


@asynccontextmanager
async def serving(uds: str) -> AsyncIterator[Served]:
    players = {"jobs": Conductor({"it": ProcessPlayer(Conductor({"a": works}))})}
    async with served(uds, players) as tree:
        yield tree


async def test_what_plays_elsewhere_is_seen(uds: str) -> None:
    """Rows say who plays in another process, and the stack of one says in which."""
    async with serving(uds) as tree:
        rows = {row["path"]: row for row in (await tree.get("/api/players"))["players"]}
        remote = [path for path, row in rows.items() if row["remote"]]
        assert remote == ["jobs.it.a"]
        pid = rows["jobs.it"]["details"]["pid"]
        (place,) = (await tree.unix.get("/api/stack?path=jobs.it.a")).json()["places"]
        assert (place["path"], place["name"]) == ("jobs.it.a", "a")
        assert place["where"] == f"process {pid}"
        assert (await tree.unix.get("/api/settings?path=jobs.it.a")).json()["settings"] == {}


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "scale"])
async def test_what_plays_elsewhere_is_steered_as_a_whole(uds: str, verb: str) -> None:
    """A command for one of them is refused, with the path of the player that can be steered."""
    body: dict[str, Any] = {"count": 2} if verb == "scale" else {}
    async with serving(uds) as tree:
        answer = await tree.post(f"/api/players/jobs.it.a/{verb}", **body)
        message = "'jobs.it.a' can be steered with all of 'jobs.it' only"
        assert answer.status_code == 409
        assert answer.json()["error"] == {"code": "refused", "message": message}
        answer = await tree.post(f"/api/players/jobs.it.b/{verb}", **body)
        assert answer.json()["error"]["code"] == "unknown"


async def test_the_root_is_in_no_list_of_names(uds: str) -> None:
    """Who asks for a player that nobody has is told of those that have a name."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        error = (await tree.get("/api/players/zz"))["error"]
        assert error["message"] == "no player 'zz'. There are: a, status."
        error = (await tree.post("/api/players/zz/stop")).json()["error"]
        assert error["message"] == "no player 'zz'. There are: a, status."
