"""Random trees of players of every kind, in real time: nothing is lost, nobody plays twice, all ends."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from real_trees import EVER, KINDS, Group, Part, Scene, judge, play

moments = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.03])
parts = st.builds(
    Part,
    kind=st.sampled_from(sorted(KINDS)),
    after=st.one_of(st.just(EVER), moments),
    fails=st.booleans(),
    # Seldom, since whoever is stuck takes a third of a second.
    stuck=st.sampled_from([False, False, False, False, True]),
    restarts=st.integers(0, 2),
)


def groups(depth: int) -> st.SearchStrategy[Group]:
    nodes = parts if depth == 0 else st.one_of(parts, parts, groups(depth - 1))
    players = st.dictionaries(st.sampled_from("abcd"), nodes, min_size=1, max_size=3)
    return st.builds(Group, players=players, ordered=st.booleans())


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    tree = draw(groups(2))
    paths = sorted({*Scene(tree).parts(), *tree.players})
    restart = st.tuples(moments, st.sampled_from(paths))
    return Scene(tree, draw(moments), tuple(draw(st.lists(restart, max_size=2))))


def names(scene: Scene) -> set[str]:
    return {thread.name for thread in threading.enumerate()} & set(scene.parts())


@settings(max_examples=40)
@given(scenes())
def test_a_random_tree(scene: Scene) -> None:
    """Whatever the players do, the events keep to their grammar, and each failure is told of once."""
    assert judge(play(scene)) == []
    for thread in threading.enumerate():
        if thread.name in names(scene):
            thread.join()


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
