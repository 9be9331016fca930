"""Random trees of players of every kind, in real time: nothing is lost, nobody plays twice, all ends."""

import threading
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from real_players import EVER, Part
from real_trees import KINDS, UNENDING, Group, Scene, judge, play

moments = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.03])
later = st.sampled_from([0.0, 0.03, 0.1, 0.3, 0.6])
"""Processes take longer to start."""


def parts_of(kinds: Collection[str], ends: st.SearchStrategy[float]) -> st.SearchStrategy[Part]:
    return st.builds(
        Part,
        kind=st.sampled_from(sorted(kinds)),
        after=st.one_of(st.just(EVER), ends),
        fails=st.booleans(),
        # Seldom, since it takes its time.
        stuck=st.sampled_from([False, False, False, False, True]),
        restarts=st.integers(0, 2),
    )


def groups(depth: int, parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Group]:
    nodes = parts if depth == 0 else st.one_of(parts, parts, groups(depth - 1, parts))
    players = st.dictionaries(st.sampled_from("abcd"), nodes, min_size=1, max_size=3)
    return st.builds(Group, players=players, ordered=st.booleans())


@st.composite
def scenes(
    draw: st.DrawFn, kinds: Collection[str], moments: st.SearchStrategy[float], depth: int
) -> Scene:
    tree = draw(groups(depth, parts_of(kinds, moments)))
    paths = sorted({*Scene(tree).parts(), *tree.players})
    restart = st.tuples(moments, st.sampled_from(paths))
    return Scene(tree, draw(moments), tuple(draw(st.lists(restart, max_size=2))))


def names(scene: Scene) -> set[str]:
    return {thread.name for thread in threading.enumerate()} & set(scene.parts())


def check(scene: Scene) -> None:
    assert judge(play(scene)) == []
    for thread in threading.enumerate():
        if thread.name in names(scene):
            thread.join()


@settings(max_examples=40)
@given(scenes(UNENDING, moments, 2))
def test_a_random_tree(scene: Scene) -> None:
    """Whatever the players do, the events keep to their grammar, and each failure is told of once."""
    check(scene)


@pytest.mark.parametrize("kind", ["command", "process"])
@settings(max_examples=6)
@given(st.data())
def test_a_random_tree_with_other_kinds(kind: str, data: st.DataObject) -> None:
    """The same is true where some of them play in other processes."""
    check(data.draw(scenes({*UNENDING, kind}, later, 1)))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("ordered", [False, True])
def test_one_of_each_ending(kind: str, ordered: bool) -> None:
    """The endings that random trees may have, all in one tree of one kind."""
    tree = Group(
        {
            "fails": Part(kind, after=0.01, fails=True, restarts=2),
            "ends": Part(kind, after=0.0),
            "inner": Group({"stuck": Part(kind, stuck=True), "plays": Part(kind)}),
        },
        ordered,
    )
    assert judge(play(Scene(tree, stop=5.0))) == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_restart_of_one_that_is_stuck(kind: str) -> None:
    """It is cut off or abandoned, and there is never a second copy beside one that still goes on."""
    scene = Scene(Group({"a": Part(kind, stuck=True, restarts=1)}), 1.0, ((0.01, "a"),))
    assert judge(play(scene)) == []
