"""The tree as a flat list of plain values."""

import asyncio
import json
from typing import Any

import pytest

from groups import show
from orchestra import (
    Conductor,
    Context,
    Performance,
    PlayerStatus,
    playing,
    replicate,
    restarting,
)
from orchestra.status import Players, State
from orchestra.testing import FakePlayer, ends, fails, slow_stop
from orchestra.web.console import rows

pytestmark = pytest.mark.virtual_time

KEYS = {
    "path",
    "parent",
    "name",
    "kind",
    "state",
    "ready",
    "done",
    "since",
    "uptime",
    "restarts",
    "next_restart_in",
    "error",
    "details",
}


async def test_the_tree_is_a_flat_list_with_parents() -> None:
    """Parents come before their players, and the root has none."""
    tree = Conductor({"api": FakePlayer(), "jobs": Conductor({"mailer": FakePlayer()})})
    async with playing(tree) as performance:
        found = rows.rows(performance.status())
    assert [(row["path"], row["parent"], row["name"], row["kind"]) for row in found] == [
        ("", None, "", "group"),
        ("api", "", "api", "FakePlayer"),
        ("jobs", "", "jobs", "group"),
        ("jobs.mailer", "jobs", "mailer", "FakePlayer"),
    ]
    assert all(set(row) == KEYS for row in found)


async def test_a_row_says_how_a_player_is() -> None:
    """With the last failure, and when it comes back."""
    player = restarting(FakePlayer(fails(OSError("no"), after=2)), [10])
    playing = await show(Conductor({"a": player}), after=5)
    row = rows.row(playing.conductor.status(), "a")
    assert (row["state"], row["ready"], row["uptime"]) == ("backing off", False, None)
    assert (row["restarts"], row["next_restart_in"], row["error"]) == (1, 7, "OSError: no")
    assert await playing.end() is None


async def test_a_row_of_nobody_is_a_key_error() -> None:
    """It is asked for by the full path."""
    with pytest.raises(KeyError):
        rows.row(Conductor({"a": FakePlayer()}).status(), "b")


async def test_rows_can_be_sent_whatever_is_in_them() -> None:
    """Half a character and a number that is none are no reason to show nothing."""
    details: dict[str, Any] = {"half \ud800": ["\udcff", float("nan"), {"x": {1, 2}}], "n": 1.5}
    status = PlayerStatus("a", "a", "k", State.READY, True, 0.0, error="\udc00", details=details)
    sent = json.dumps(rows.rows(status), ensure_ascii=False, allow_nan=False).encode()
    (row,) = json.loads(sent)
    assert (row["error"], row["details"]["n"]) == ("?", 1.5)
    assert row["details"]["half ?"][:2] == ["?", "nan"]


def player(path: str, state: State, *players: PlayerStatus, ready: bool | None = None) -> Any:
    fine = state in (State.READY, State.DEGRADED) if ready is None else ready
    return PlayerStatus(path, path, "k", state, fine, 0.0, players=Players(players))


@pytest.mark.parametrize(
    ("status", "unready"),
    [
        (player("", State.READY, player("a", State.READY)), []),
        (player("", State.READY, player("a", State.STOPPED), player("b", State.SKIPPED)), []),
        (player("", State.DEGRADED, player("a", State.BACKING_OFF)), ["a"]),
        (player("", State.STARTING, player("a", State.WAITING), player("b", State.READY)), ["a"]),
        (player("", State.STOPPING, player("a", State.STOPPED)), [""]),
        (player("", State.STARTING), [""]),
        (player("a", State.FAILED), ["a"]),
        (player("", State.READY, player("g", State.STOPPED, player("g.a", State.FAILED))), []),
        # From the first signal on, in a drain delay, nothing is ready.
        (player("", State.READY, player("a", State.READY, ready=False), ready=False), ["a"]),
    ],
)
async def test_those_who_keep_the_tree_from_being_ready(
    status: PlayerStatus, unready: list[str]
) -> None:
    """As far down as can be told; nobody waits for those that have ended well, or are idle."""
    assert rows.unready(status) == unready


async def test_a_tree_that_is_stopped_by_hand_in_parts_is_ready() -> None:
    """Only what should play and does not is named."""
    conductor = Conductor(
        {"a": FakePlayer(), "b": FakePlayer(slow_stop(5)), "c": FakePlayer(ends())}, idle=["a"]
    )
    playing = await show(conductor, after=1)
    assert rows.unready(conductor.status()) == []
    stopping = asyncio.create_task(conductor.stop("b"))
    await asyncio.sleep(1)
    assert rows.unready(conductor.status()) == ["b"]
    await stopping
    assert rows.unready(conductor.status()) == []
    assert await playing.end() is None


async def test_a_waiting_player_names_those_that_it_waits_for() -> None:
    """A waiting player waits for those before it that have not come so far, by their paths."""
    jobs = Conductor(
        {"db": FakePlayer(ready_after=50), "cache": FakePlayer(), "api": FakePlayer()},
        after={"api": {"db": "ready", "cache": "started"}},
    )
    found = []

    async def look(ctx: Context) -> None:
        await ctx.sleep(1)
        assert ctx.performance is not None
        found.append(rows.reasons(ctx.performance))

    async with playing(Conductor({"jobs": jobs, "look": look})) as performance:
        assert found == [{"jobs.api": {**rows.NOTHING, "waits_for": ["jobs.db"]}}]
        assert rows.reasons(performance) == {}


async def test_a_group_of_copies_says_how_many() -> None:
    """What can be scaled has its number of copies, also when that is 0."""
    tree = Conductor({"resize": replicate(FakePlayer(), 3), "none": replicate(FakePlayer(), 0)})
    async with playing(tree) as performance:
        assert rows.reasons(performance) == {
            "resize": {**rows.NOTHING, "copies": 3},
            "none": {**rows.NOTHING, "copies": 0},
        }


async def test_a_conductor_over_a_bare_context_is_looked_through() -> None:
    """Groups that are nobody's players are looked through as well."""
    ctx = Context()
    performance = Performance.over(ctx)
    assert rows.reasons(performance) == {}
