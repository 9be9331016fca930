"""Shelves: the newest of each key, and no more than so many of all."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestra.web.record.shelves import Shelves


@dataclass(frozen=True)
class Thing:
    id: int


def test_each_shelf_keeps_its_newest() -> None:
    """One that is full lets go of its oldest, and leaves the others alone."""
    shelves: Shelves[str, Thing] = Shelves(2, 100)
    shelves.put("quiet", Thing(0))
    for number in range(1, 6):
        shelves.put("busy", Thing(number))
    assert [thing.id for thing in shelves.of("busy")] == [4, 5]
    assert [thing.id for thing in shelves.of("quiet")] == [0]
    assert len(shelves) == 3
    assert shelves.newest("busy") == Thing(5)
    assert shelves.newest("nobody") is None
    assert list(shelves.of("nobody")) == []


def test_all_together_keep_no_more_than_the_newest() -> None:
    """The oldest of all goes first, and a shelf that is empty goes with it."""
    shelves: Shelves[str, Thing] = Shelves(10, 3)
    for number, key in enumerate("abcd"):
        shelves.put(key, Thing(number))
    assert (list(shelves), len(shelves)) == (["b", "c", "d"], 3)
    assert list(shelves.of("a")) == []


steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "clear", "take"]), st.sampled_from("abc")),
    max_size=60,
)


@given(steps, st.integers(1, 4), st.integers(1, 6))
def test_it_agrees_with_brute_force(steps: list[tuple[str, Any]], each: int, most: int) -> None:
    """Whatever is put, taken and cleared, there is what a look at everything says."""
    shelves: Shelves[str, Thing] = Shelves(each, most)
    model: list[tuple[str, int]] = []
    for number, (step, key) in enumerate(steps):
        mine = [one for one in model if one[0] == key]
        if step == "put":
            shelves.put(key, Thing(number))
            model.append((key, number))
            if len(mine) == each:
                model.remove(mine[0])
            del model[: max(0, len(model) - most)]
        elif step == "clear":
            shelves.clear(key)
            model = [one for one in model if one[0] != key]
        elif mine:
            shelves.take_newest(key)
            model.remove(mine[-1])
        for one in "abc":
            assert [thing.id for thing in shelves.of(one)] == [n for k, n in model if k == one]
        assert len(shelves) == len(model)
        assert set(shelves) == {key for key, _ in model}
        assert len(shelves._order) <= 2 * most
