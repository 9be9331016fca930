"""Players in another process, as they are seen and steered from here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


async def test_what_plays_elsewhere_is_seen_and_steered(uds: str) -> None:
    """A player in another process has a row, and obeys; one that is not there is unknown."""
    async with serving(uds) as tree:
        rows = {row["path"]: row for row in (await tree.get("/api/players"))["players"]}
        assert "jobs.it.a" in rows
        assert (await tree.get("/api/settings?path=jobs.it.a"))["settings"] == {}
        assert (await tree.post("/api/players/jobs.it.a/restart")).status_code == 200
        answer = await tree.post("/api/players/jobs.it.b/restart")
        assert answer.json()["error"]["code"] == "unknown"


async def test_the_root_is_in_no_list_of_names(uds: str) -> None:
    """Who asks for a player that nobody has is told of those that have a name."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        error = (await tree.get("/api/players/zz"))["error"]
        assert error["message"] == "no player 'zz'. There are: a, status."
        error = (await tree.post("/api/players/zz/stop")).json()["error"]
        assert error["message"] == "no player 'zz'. There are: a, status."
