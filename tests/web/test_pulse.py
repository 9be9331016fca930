"""Finding what changes among players, for all who follow at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orchestra.web.api.pulse import MOST_GONE, SHARE, Pulse, is_same, pause_after

pytestmark = pytest.mark.virtual_time


class Tree:
    """What a pulse looks at."""

    def __init__(self) -> None:
        self.players: dict[str, dict[str, Any]] = {}
        self.newest = 0
        self.looks = 0
        self.takes = 0.0

    def set(self, path: str, **values: Any) -> None:
        self.newest += 1
        row = {"path": path, "since": 0.0, "uptime": 0.0, "next_restart_in": None, "state": "ready"}
        self.players[path] = {**self.players.get(path, row), **values}

    def look(self) -> dict[str, Any]:
        self.looks += 1
        return {"version": 1, "players": [dict(row) for row in self.players.values()]}


@contextmanager
def pulse_of(tree: Tree) -> Iterator[Pulse]:
    with Pulse(tree.look, lambda: tree.newest) as pulse:
        yield pulse


def changed(pulse: Pulse, since: int | None) -> list[str] | None:
    found = pulse.changes(since, lambda path: True)
    return None if found is None else [row["path"] for row in found["players"]]


async def until_changed(pulse: Pulse, since: int) -> None:
    while pulse.beat == since:
        await pulse.woken


def test_how_often_it_looks() -> None:
    """Soon after a change, now and then without one, and never so that it takes more than its share."""
    assert pause_after(0.0, changed=True) < 0.5
    assert pause_after(0.0, changed=False) > 1
    assert pause_after(1.0, changed=True) == pytest.approx(1 / SHARE)


def test_what_is_a_change() -> None:
    """Time that goes by is none, and no more is the jitter of the clock; a state is one."""
    row = {"path": "a", "since": 5.0, "uptime": 1.0, "next_restart_in": 3.0, "state": "ready"}
    assert is_same(row, {**row, "uptime": 2.0, "next_restart_in": 2.0, "since": 5.01})
    assert not is_same(row, {**row, "since": 6.0})
    assert not is_same(row, {**row, "state": "failed"})
    assert not is_same(row, {**row, "cpu": 0.5})


async def test_changes_are_told_once() -> None:
    """First all, then those that have changed, and those that are gone, by the beat of who asks."""
    tree = Tree()
    tree.set("a")
    tree.set("b")
    with pulse_of(tree) as pulse:
        first = pulse.changes(None, lambda path: True)
        assert first is not None
        assert first["all"]
        assert [row["path"] for row in first["players"]] == ["a", "b"]
        beat = pulse.beat
        assert changed(pulse, beat) is None
        tree.set("b", state="failed")
        await until_changed(pulse, beat)
        assert changed(pulse, beat) == ["b"]
        assert pulse.changes(beat, lambda path: path == "a") is None
        del tree.players["a"]
        tree.newest += 1
        await until_changed(pulse, pulse.beat)
        found = pulse.changes(beat, lambda path: True)
        assert found is not None
        assert (found["all"], found["gone"]) == (False, ["a"])
        tree.set("a")
        await until_changed(pulse, pulse.beat)
        found = pulse.changes(beat, lambda path: True)
        assert found is not None
        assert found["gone"] == []


async def test_a_change_without_an_event_is_found_later() -> None:
    """What nobody tells, such as the memory of a process, is seen when it looks again."""
    tree = Tree()
    tree.set("a")
    with pulse_of(tree) as pulse:
        beat, began = pulse.beat, asyncio.get_running_loop().time()
        tree.players["a"]["memory"] = 5
        await pulse.woken
        assert changed(pulse, beat) == ["a"]
        assert asyncio.get_running_loop().time() - began >= 2


async def test_news_wake_without_a_change() -> None:
    """A line that was logged wakes those who follow, soon, though no player has changed."""
    tree = Tree()
    with pulse_of(tree) as pulse:
        began = asyncio.get_running_loop().time()
        tree.newest += 1
        await pulse.woken
        assert asyncio.get_running_loop().time() - began <= 0.3
        assert pulse.beat == 0


async def test_who_follows_may_be_cancelled() -> None:
    """Whoever waits for the others' future, and is cancelled, takes nothing from them."""
    tree = Tree()
    tree.set("a")
    with pulse_of(tree) as pulse:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pulse.woken, 0.01)
        beat = pulse.beat
        tree.set("a", state="failed")
        while pulse.beat == beat:
            await asyncio.sleep(0.1)
        assert not pulse.woken.done()


async def test_it_rests_when_nobody_follows() -> None:
    """With the last who follows it looks no more, and looks at once for the next."""
    tree = Tree()
    pulse = Pulse(tree.look, lambda: tree.newest)
    with pulse, pulse:
        pass
    looks = tree.looks
    await asyncio.sleep(100)
    assert tree.looks == looks
    tree.set("a")
    with pulse:
        assert changed(pulse, None) == ["a"]


async def test_a_last_look() -> None:
    """At the end all are woken, and see what there is to see then."""
    tree = Tree()
    tree.set("a")
    with pulse_of(tree) as pulse:
        beat, woken = pulse.beat, pulse.woken
        tree.set("a", state="stopped")
        pulse.close()
        assert woken.done()
        assert changed(pulse, beat) == ["a"]
        assert pulse.closed
    with pulse:  # one that came late
        assert changed(pulse, None) == ["a"]
    Pulse(tree.look, lambda: tree.newest).close()


async def test_too_many_that_have_gone() -> None:
    """Who is too far behind to be told of each that has gone gets all that are there."""
    tree = Tree()
    tree.set("a")
    for number in range(MOST_GONE + 1):
        tree.set(f"p{number}")
    with pulse_of(tree) as pulse:
        old = pulse.beat
        tree.set("b")
        await until_changed(pulse, old)
        beat = pulse.beat
        tree.players = {path: row for path, row in tree.players.items() if path in ("a", "b")}
        tree.newest += 1
        await until_changed(pulse, beat)
        for since in (old, beat):
            found = pulse.changes(since, lambda path: True)
            assert found is not None
            assert found["all"]
            assert [row["path"] for row in found["players"]] == ["a", "b"]


async def test_a_look_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next look may go well."""
    tree = Tree()
    tree.set("a")
    with pulse_of(tree) as pulse:
        players, tree.players = tree.players, None  # type: ignore[assignment]
        tree.newest += 1
        await asyncio.sleep(1)
        assert "the players can't be looked at" in caplog.text
        tree.players = players
        tree.set("b")
        await until_changed(pulse, pulse.beat)
        assert changed(pulse, None) == ["a", "b"]
