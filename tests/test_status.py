"""What a tree of players looks like at one moment."""

import copy
import json
import pickle
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra import PlayerStatus
from orchestra._duration import duration
from orchestra.status import Players, State


def status(
    name: str = "db",
    path: str | None = None,
    *,
    state: State = State.READY,
    players: Iterable[PlayerStatus] = (),
    **more: Any,
) -> PlayerStatus:
    return PlayerStatus(
        name,
        name if path is None else path,
        more.pop("kind", "coroutine"),
        state,
        state is State.READY,
        0.0,
        players=Players(players),
        **more,
    )


def tree() -> PlayerStatus:
    return status(
        "",
        kind="group",
        state=State.DEGRADED,
        players=[
            status("db", kind="command", uptime=8040.0, details={"pid": 17}),
            status(
                "api",
                kind="group",
                players=[
                    status("web", "api.web", details={"addresses": ["http://a", "http://b"]}),
                    status(
                        "worker",
                        "api.worker",
                        state=State.BACKING_OFF,
                        restarts=1,
                        next_restart_in=0.25,
                        error="ValueError: boom",
                    ),
                ],
            ),
            status("mailer", kind="thread", state=State.STOPPED, restarts=12),
        ],
    )


def test_a_tree_is_drawn_a_line_a_player() -> None:
    """`str` draws the tree, in columns: name, kind, state, and what else there is to say."""
    assert str(tree()).splitlines() == [
        "conductor     group      degraded",
        "├─ db         command    ready                2 h 14 m  pid=17",
        "├─ api        group      ready",
        "│  ├─ web     coroutine  ready                addresses=http://a, http://b",
        "│  └─ worker  coroutine  backing off, 0.25 s  1 restart  ValueError: boom",
        "└─ mailer     thread     stopped              12 restarts",
    ]


@pytest.mark.parametrize("state", [one for one in State if one is not State.READY])
def test_the_last_error_is_shown_unless_all_is_well(state: State) -> None:
    """A player that is ready again has its error in the attribute only."""
    assert str(status(state=state, error="ValueError: boom")).endswith("ValueError: boom")
    assert "boom" not in str(status(error="ValueError: boom"))


def test_what_a_player_says_does_not_break_the_tree() -> None:
    """Details stay in one line, whatever is in them."""
    drawn = str(status(details={"banner": "two\nlines", "many": ("a\r\nb", 1)}))
    assert drawn.endswith("banner=two lines  many=a b, 1")


def test_a_player_that_is_there_twice_is_drawn_twice() -> None:
    """Equal players are still two, and only one of them is the last."""
    one = status("a")
    drawn = str(status("", players=[one, one])).splitlines()
    assert [line[:2] for line in drawn[1:]] == ["├─", "└─"]


@given(
    st.recursive(st.just(()), lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=20)
)
def test_each_player_has_its_line(shape: Any) -> None:
    """A tree has as many lines as players, parents first, and each is reached by its path."""

    def build(path: str, shape: Any) -> PlayerStatus:
        name = path.rpartition(".")[2]
        below = [build(f"{path}.{number}", inner) for number, inner in enumerate(shape)]
        return status(name, path, players=below)

    root = build("r", shape)
    paths = [one.path for one in root.walk()]
    assert len(str(root).splitlines()) == len(paths) == len(set(paths))
    assert all(root.find(path).path == path for path in paths)
    assert all(paths.index(path.rpartition(".")[0]) < paths.index(path) for path in paths[1:])


def test_players_are_found_by_their_path() -> None:
    """`find` takes a full path, and raises `KeyError` with the nearest for one that nobody has."""
    assert tree().find("api.worker").restarts == 1
    assert tree().find("").kind == "group"
    with pytest.raises(KeyError, match=r"no player 'api\.wroker'\. Did you mean 'api\.worker'\?"):
        tree().find("api.wroker")
    with pytest.raises(KeyError, match=r"There are: api, api\.web, api\.worker, db, mailer\."):
        tree().find("zzz")


def test_players_are_given_by_name_and_in_order() -> None:
    """`players` is a tuple that is also looked up by name; an unknown one is told the nearest."""
    players = tree().players
    assert [one.name for one in players] == list(players.keys()) == ["db", "api", "mailer"]
    assert players["api"] is players[1] is players[-2]
    assert players[1:] == tuple(players)[1:]
    assert dict(players.items()) == dict(zip(players.keys(), players.values(), strict=True))
    assert "api" in players
    assert players[0] in players
    assert "worker" not in players
    assert status("db") not in players
    with pytest.raises(KeyError, match=r"no player 'worker'\. There are: api, db, mailer\."):
        players["worker"]
    with pytest.raises(KeyError, match="Did you mean 'mailer'"):
        players["mailr"]


def test_a_player_alone_has_no_players() -> None:
    """By default there is nobody below, and nothing to say."""
    alone = PlayerStatus("a", "a", "coroutine", State.READY, True, 0.0)
    assert alone.players == ()
    assert alone.details == {}
    assert (alone.uptime, alone.next_restart_in, alone.error, alone.restarts) == (
        None,
        None,
        None,
        0,
    )


def test_a_snapshot_can_not_be_changed() -> None:
    """It is frozen."""
    with pytest.raises(AttributeError):
        status().ready = False  # type: ignore[misc]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_snapshot_may_be_copied_and_sent(copied: Any) -> None:
    """A copy, also from another process, is equal."""
    again = copied(tree())
    assert again == tree()
    assert again.players["api"].players["web"] == tree().find("api.web")
    assert again.state is State.DEGRADED


def test_a_snapshot_is_made_into_json() -> None:
    """`to_dict` has all of it, as values that `json.dumps` takes."""
    again = json.loads(json.dumps(tree().to_dict()))
    assert again == tree().to_dict()
    assert again["state"] == "degraded"
    assert [player["name"] for player in again["players"]] == ["db", "api", "mailer"]
    assert again["players"][1]["players"][1] == {
        "name": "worker",
        "path": "api.worker",
        "kind": "coroutine",
        "state": "backing off",
        "ready": False,
        "done": False,
        "since": 0.0,
        "uptime": None,
        "restarts": 1,
        "next_restart_in": 0.25,
        "error": "ValueError: boom",
        "details": {},
        "players": [],
    }


def test_details_that_json_has_no_word_for_become_text() -> None:
    """Mappings and collections stay what they are, and the rest is shown as a string."""
    details = {
        "since": date(2000, 1, 1),
        "nested": {1: (2, None), "set": {3}, "frozen": frozenset([State.READY])},
        "plain": [True, 1.5, "text"],
        "bytes": b"x",
        "numbers": [float("inf"), float("nan")],
    }
    made = json.loads(json.dumps(status(details=details).to_dict(), allow_nan=False))["details"]
    assert made == {
        "since": "2000-01-01",
        "nested": {"1": [2, None], "set": [3], "frozen": ["ready"]},
        "plain": [True, 1.5, "text"],
        "bytes": "b'x'",
        "numbers": ["inf", "nan"],
    }


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.from_regex("[a-z]+", fullmatch=True), values, max_size=3))
def test_any_details_become_json(details: dict[str, Any]) -> None:
    """Whatever a player gives to `ctx.ready(...)`, its status can be sent and drawn."""
    one = status(details=details)
    json.dumps(one.to_dict(), allow_nan=False)
    assert len(str(one).splitlines()) == 1


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_the_word_for_it(state: State) -> None:
    """States compare, print and serialise as their words."""
    assert str(state) == f"{state}" == state.value == state
    assert json.dumps(state) == f'"{state}"'
    assert State(str(state)) is state


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.004, "0 s"),
        (0.01, "0.01 s"),
        (0.25, "0.25 s"),
        (1.26, "1.3 s"),
        (8, "8 s"),
        (9.99, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m"),
        (61, "1 m 1 s"),
        (90, "1 m 30 s"),
        (3599.6, "1 h 0 m"),
        (3605, "1 h 0 m"),
        (8040, "2 h 14 m"),
        (86400, "1 d 0 h"),
        (200000, "2 d 7 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    """Two units at the most, and fractions only below ten seconds."""
    assert duration(seconds) == text
