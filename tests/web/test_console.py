"""The console: all there is to see of one tree, as values that JSON has."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from groups import turns
from orchestra import Conductor, Context, Performance, playing
from orchestra.testing import FakePlayer
from orchestra.web.console.console import Console
from orchestra.web.console.control import CommandError

pytestmark = pytest.mark.virtual_time

log = logging.getLogger("theirs")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    before = log.level
    log.setLevel(logging.INFO)
    yield
    log.setLevel(before)


async def worker(ctx: Context) -> None:
    log.info("hello\nworld")
    await ctx.wait()


def tree() -> Conductor:
    return Conductor({"jobs": Conductor({"worker": worker}), "slow": FakePlayer(ready_after=50)})


class Opened:
    """A tree that plays, with a console over it from its start."""

    def __init__(self, conductor: Conductor, console: Console | None = None) -> None:
        self.console = Console() if console is None else console
        self.ctx = Context()
        self.performance = Performance.over(self.ctx)
        self._conductor = conductor

    async def __aenter__(self) -> Console:
        self._opened = self.console.opened(self.performance)
        self._opened.__enter__()
        self._task = asyncio.create_task(self._conductor.play(self.ctx))
        await asyncio.sleep(1)
        return self.console

    async def __aexit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)
        self.ctx.cancel()
        await self._task


def sent(answer: Any) -> Any:
    """What arrives at the other end."""
    return json.loads(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())


async def test_the_overview_is_the_whole_tree() -> None:
    """Who plays, with the last line of each, and who is not ready."""
    async with Opened(tree()) as console:
        found = sent(console.overview())
        assert (found["version"], found["ready"], found["unready"]) == (1, False, ["slow"])
        rows = {row["path"]: row for row in found["players"]}
        assert list(rows) == ["", "jobs", "jobs.worker", "slow"]
        assert rows["jobs.worker"]["last_line"] == "hello"
        assert rows["jobs"]["parent"] == ""
        await asyncio.sleep(50)
        assert console.overview()["ready"] is True


async def test_one_player() -> None:
    """Its row, with its own last line."""
    async with Opened(tree()) as console:
        assert sent(console.player("jobs.worker"))["player"]["last_line"] == "hello"
        assert sent(console.player("jobs"))["player"]["last_line"] != "hello"


async def test_lines_events_and_places() -> None:
    """Of one player and all below it, oldest first."""
    async with Opened(tree()) as console:
        lines = sent(console.lines("jobs"))
        assert "hello\nworld" in [line["text"] for line in lines["lines"]]
        assert len(sent(console.lines("jobs", limit=1))["lines"]) == 1
        events = sent(console.events("jobs.worker"))["events"]
        assert [event["kind"] for event in events] == ["Started", "Ready"]
        places = sent(await console.stack("jobs.worker"))["places"]
        assert [(place["path"], place["what"]) for place in places] == [("jobs.worker", "player")]
        assert len(sent(await console.stack())["places"]) == 3


@pytest.mark.parametrize("what", ["player", "lines", "events", "stack"])
async def test_a_path_that_nobody_has_is_unknown(what: str) -> None:
    """As it is in the commands."""
    async with Opened(tree()) as console:
        with pytest.raises(CommandError, match=r"no player 'jobs.wroker'. Did you mean") as caught:
            asked = getattr(console, what)("jobs.wroker")
            if what == "stack":
                await asked
        assert caught.value.code == "unknown"
        # One without a line so far is known all the same.
        assert console.lines("slow", since=console.recorder.last)["lines"] == []


async def test_one_that_is_gone_still_has_its_lines() -> None:
    """Whoever looks for the reason comes later."""
    conductor = tree()
    async with Opened(conductor) as console:
        await conductor.remove("slow")
        assert console.lines("slow")["lines"] != []
        assert console.events("slow")["events"] != []


async def test_whoever_resumes_misses_nothing() -> None:
    """Every answer says from where; without it, following begins now."""
    conductor = tree()
    async with Opened(conductor) as console:
        resume = console.overview()["resume"]
        log.info("meanwhile")
        following = console.follow(resume)
        found = sent(await anext(following))
        assert [entry["text"] for entry in found["entries"]] == ["meanwhile"]
        assert (found["version"], found["missed"]) == (1, False)
        await conductor.restart("jobs")
        paths = {entry["path"] for entry in (await anext(following))["entries"]}
        assert paths == {"jobs", "jobs.worker"}
        fresh = asyncio.ensure_future(anext(console.follow(path="slow")))
        await turns()
        assert not fresh.done()
        fresh.cancel()
        await following.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "resume", ["", "x", "0000-5", "-", "{}-", "{}-x", "{}-²", "{}-" + "9" * 99]
)
async def test_what_can_not_be_resumed_from_is_told_as_missed(resume: str) -> None:
    """As after a restart of the program: all that there is comes again."""
    async with Opened(tree()) as console:
        following = console.follow(resume.format(console.instance))
        found = await anext(following)
        assert found["missed"] is True
        assert len(found["entries"]) == console.recorder.last
        await following.aclose()  # type: ignore[attr-defined]


async def test_it_steers_the_tree() -> None:
    """By what is its control, which knows whose it is."""
    async with playing(tree()) as performance:
        with Console().opened(performance, own="slow") as console:
            assert (await console.control.stop("jobs.worker")).finished
            assert (await console.control.restart("slow")).finished is False


async def test_a_console_is_open_over_one_tree() -> None:
    """Closed, it answers nothing, and may be opened again."""
    console = Console()
    with pytest.raises(RuntimeError, match="not open"):
        console.overview()
    async with playing(FakePlayer()) as performance:
        with console.opened(performance):
            with pytest.raises(RuntimeError, match="open already"):
                console.opened(performance).__enter__()
            assert len(console.overview()["players"]) == 1
        with pytest.raises(RuntimeError, match="not open"):
            _ = console.control
        with console.opened(performance):
            assert console.player("FakePlayer")["player"]["parent"] is None
