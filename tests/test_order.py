"""The order of a group: who starts after whom, and so stops before whom."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra._order import Condition, Order, check_after, find_circle, implies, stricter

NAMES = "abcdef"
CONDITIONS: list[Condition] = ["started", "ready", "done"]


# What a user may say about it


@pytest.mark.parametrize(
    "after", [{}, {"a": ["b"]}, {"a": ["b", "c"], "b": ("c",)}, {"a": {"b"}}, {"a": "bc" and ["b"]}]
)
def test_an_order_may_name_any_players(after: Any) -> None:
    """Any collection of names will do: each is waited for until it is ready."""
    checked = check_after(after, "abc")
    assert checked == {name: dict.fromkeys(before, "ready") for name, before in after.items()}


def test_an_order_may_be_given_by_an_iterator() -> None:
    """What can be gone through only once is not used up by the check."""
    assert check_after({"a": (name for name in "bc")}, "abc") == {"a": {"b": "ready", "c": "ready"}}


def test_an_order_may_say_what_is_waited_for() -> None:
    """A mapping instead of a collection names the condition, beside others that name none."""
    after: Any = {"a": {"b": "done", "c": "started"}, "b": ["c"]}
    assert check_after(after, "abc") == {
        "a": {"b": "done", "c": "started"},
        "b": {"c": "ready"},
    }


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        ("redy", "Did you mean 'ready'?"),
        ("start", "Did you mean 'started'?"),
        (17, "There are: done, ready, started."),
        (["ready"], "Did you mean 'ready'?"),
    ],
)
def test_a_condition_that_is_none_is_refused(condition: Any, advice: str) -> None:
    """The error shows where it stands, and the nearest word that is one."""
    with pytest.raises(ValueError, match=r"after=\{'a': \{'b': .*\}\} waits for ") as e:
        check_after({"a": {"b": condition}}, "abc")
    assert repr(condition) in str(e.value)
    assert str(e.value).endswith(advice)


def test_each_condition_implies_those_before_it() -> None:
    """Whoever is done has been ready, and whoever is ready has started."""
    for number, one in enumerate(CONDITIONS):
        for other in CONDITIONS:
            assert implies(one, other) == (other in CONDITIONS[: number + 1])
            assert implies(stricter(one, other), one)
            assert implies(stricter(one, other), other)
            assert stricter(one, other) in (one, other)


@pytest.mark.parametrize("after", [["a"], "a", 5, None])
def test_an_order_is_a_mapping(after: Any) -> None:
    """Anything else is a `TypeError` that shows how it is meant."""
    with pytest.raises(TypeError, match=r"after is a mapping, as in \{'api': "):
        check_after(after, "abc")


@pytest.mark.parametrize("before", ["b", 5, None])
def test_a_name_alone_is_no_collection(before: Any) -> None:
    """Forgotten brackets are a `ValueError` that shows where they belong."""
    with pytest.raises(ValueError, match=r"needs a collection: \["):
        check_after({"a": before}, "abc")


@pytest.mark.parametrize(
    ("after", "unknown"),
    [({"wroker": ["db"]}, "wroker"), ({"db": ["wroker"]}, "wroker"), ({"db": [5]}, "5")],
)
def test_an_order_that_names_nobody_is_refused(after: Any, unknown: str) -> None:
    """The error has the name that nobody has, and the nearest that somebody has."""
    with pytest.raises(ValueError, match=rf"after names '?{unknown}'?, which is no player\. ") as e:
        check_after(after, ["worker", "db"])
    assert "Did you mean 'worker'?" in str(e.value) or unknown == "5"


@pytest.mark.parametrize(
    ("after", "circle"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}, "b -> c -> d -> b"),
    ],
)
def test_an_order_that_goes_round_in_a_circle_is_refused(after: Any, circle: str) -> None:
    """The error shows the circle."""
    with pytest.raises(ValueError, match=f"goes round in a circle: {circle}$"):
        check_after(after, "abcd")


def test_an_order_against_that_of_the_names_is_refused() -> None:
    """In an ordered group, nobody can start after one who comes later."""
    with pytest.raises(ValueError, match="goes round in a circle"):
        check_after({"a": ["c"]}, "abc", ordered=True)
    assert check_after({"c": ["a"]}, "abc", ordered=True) == {"c": {"a": "ready"}}
    assert check_after({}, "abc", ordered=True) == {}


def test_a_chain_may_be_long() -> None:
    """The length of a chain is not limited by the stack."""
    names = [str(number) for number in range(10_000)]
    after = {name: [before] for before, name in itertools.pairwise(names)}
    check_after(after, set(names))
    assert len(find_circle({**after, "0": ["9999"]})) == 10_001


graphs = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3))


@given(graphs)
def test_a_circle_is_found_where_there_is_one(after: dict[str, list[str]]) -> None:
    """What is found is a circle of the order, and nothing is found only if it can be gone through."""
    circle = find_circle(after)
    if circle:
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
        assert all(before in after[name] for name, before in itertools.pairwise(circle))
    else:
        placed: set[str] = set()
        left = set(NAMES)
        while left:
            free = {name for name in left if set(after.get(name, ())) <= placed}
            assert free
            placed |= free
            left -= free


# Who keeps whom, while it plays


class Model:
    """The same by looking at everybody each time."""

    def __init__(self) -> None:
        self.before: dict[str, dict[str, Condition]] = {}
        self.settled: dict[str, Condition] = {}
        self.alive: set[str] = set()

    def above(self, name: str) -> set[str]:
        """All that go before it, by however many steps."""
        found: set[str] = set()
        todo = [name]
        while todo:
            for other in self.before.get(todo.pop(), ()):
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return found

    def may_start(self, name: str) -> bool:
        return all(
            other in self.settled and implies(self.settled[other], condition)
            for other, condition in self.before[name].items()
        )

    def settle(self, name: str, reached: Condition) -> None:
        self.settled[name] = stricter(self.settled.get(name, reached), reached)

    def may_stop(self, name: str) -> bool:
        return not any(name in self.above(other) for other in self.alive)

    def remove(self, name: str) -> None:
        for befores in self.before.values():
            if befores.pop(name, None) is not None:
                for other, condition in self.before[name].items():
                    befores[other] = stricter(befores.get(other, condition), condition)
        del self.before[name]
        self.alive.discard(name)

    def depth(self, name: str, alive: Iterable[str]) -> int:
        longest = max((self.depth(other, alive) for other in self.before[name]), default=0)
        return longest + (name in alive)


@st.composite
def performances(
    draw: st.DrawFn,
) -> tuple[dict[str, dict[str, Condition]], list[tuple[Any, str]]]:
    """An order without circles, and what happens to its players."""
    after = {}
    for number, name in enumerate(NAMES):
        befores = st.dictionaries(
            st.sampled_from(NAMES[:number] or NAMES), st.sampled_from(CONDITIONS), max_size=3
        )
        after[name] = draw(befores if number else st.just({}))
    steps = st.tuples(st.sampled_from([*CONDITIONS, "end", "again"]), st.sampled_from(NAMES))
    return after, draw(st.lists(steps, max_size=20))


@given(performances())
def test_it_agrees_with_brute_force(
    performance: tuple[dict[str, dict[str, Condition]], list[tuple[Any, str]]],
) -> None:
    """Whoever may start or stop, and how deep each is, is as a look at everybody says."""
    after, steps = performance
    order, model = Order(), Model()
    for name, before in after.items():
        order.add(name, before)
        model.before[name] = dict(before)
        model.alive.add(name)
    for step, name in steps:
        could_start = {one for one in NAMES if model.may_start(one)}
        could_stop = {one for one in NAMES if model.may_stop(one)}
        free: set[str] = set()
        if step in CONDITIONS and name in model.alive:
            model.settle(name, step)
            free = set(order.settle(name, step))
            assert free == {one for one in NAMES if model.may_start(one)} - could_start
        elif step == "end" and name in model.alive:
            model.alive.remove(name)
            free = set(order.end(name))
            assert {one for one in NAMES if model.may_stop(one)} - could_stop <= free
        elif step == "again" and name not in model.alive:
            model.alive.add(name)
            order.begin(name)
        for one in NAMES:
            assert order.may_start(one) == model.may_start(one)
            assert order.may_stop(one) == model.may_stop(one)
        depths = order.depths(model.alive)
        assert depths == {one: model.depth(one, model.alive) for one in NAMES}


def order_of(after: dict[str, list[str]]) -> Order:
    order = Order()
    for name, before in after.items():
        order.add(name, dict.fromkeys(before, "ready"))
    return order


def test_players_start_when_those_before_them_are_settled() -> None:
    """A player is free when the last of those before it has been ready or has ended."""
    order = order_of({"a": [], "b": [], "c": ["a", "b", "a"]})
    assert order.may_start("a")
    assert not order.may_start("c")
    assert order.settle("a", "ready") == []
    assert order.settle("b", "ready") == ["c"]
    assert order.settle("b", "ready") == []


def test_players_start_when_those_before_them_have_come_far_enough() -> None:
    """Each waits for what it says, and what has come further will do as well."""
    order = Order()
    order.add("db", {})
    for condition in CONDITIONS:
        order.add(condition, {"db": condition})
    assert order.settle("db", "started") == ["started"]
    assert order.settle("db", "ready") == ["ready"]
    assert not order.may_start("done")
    assert order.settle("db", "done") == ["done"]
    order.add("late", {"db": "started"})
    assert order.settle("db", "done") == ["late"]


def test_those_after_a_removed_one_wait_for_what_it_waited_for() -> None:
    """Where both waited for one and the same, the stricter condition holds."""
    order = Order()
    order.add("a", {})
    order.add("b", {"a": "done"})
    order.add("c", {"b": "started", "a": "ready"})
    order.add("d", {"b": "done"})
    order.remove("b")
    assert order.settle("a", "ready") == []
    assert sorted(order.settle("a", "done")) == ["c", "d"]


def test_players_stop_when_those_after_them_are_over() -> None:
    """A player may be asked to stop when the last of those after it has ended."""
    order = order_of({"a": [], "b": ["a"], "c": ["a"]})
    assert not order.may_stop("a")
    assert order.end("b") == []
    assert order.end("c") == ["a"]


def test_one_who_plays_again_keeps_those_before_it_again() -> None:
    """Also those before it that it comes after only through others that are over."""
    order = order_of({"a": [], "b": ["a"], "c": ["b"]})
    order.end("c")
    order.end("b")
    assert order.may_stop("a")
    order.begin("c")
    assert not order.may_stop("a")
    assert not order.may_stop("b")
    assert order.end("c") == ["b", "a"] or order.may_stop("a")


def test_one_who_ended_in_between_does_not_break_the_chain() -> None:
    """In a chain whose middle is over, the first still stops after the last."""
    order = order_of({"a": [], "b": ["a"], "c": ["b"]})
    order.end("b")
    assert not order.may_stop("a")
    assert "a" in order.end("c")


def test_what_is_settled_already_is_not_waited_for() -> None:
    """A player that is added later waits only for those that have not been ready yet."""
    order = order_of({"a": [], "b": []})
    order.settle("a", "ready")
    order.add("c", {"a": "ready"}, settled=["a"])
    order.add("d", {"a": "ready", "b": "ready"}, settled=["a"])
    assert order.may_start("c")
    assert not order.may_start("d")
    assert order.settle("b", "ready") == ["d"]


def test_those_after_a_removed_one_come_after_those_before_it() -> None:
    """A chain is closed where one is taken out of it."""
    order = order_of({"a": [], "b": ["a"], "c": ["b"], "d": ["b", "a"]})
    order.remove("b")
    assert not order.may_start("c")
    assert sorted(order.settle("a", "ready")) == ["c", "d"]
    assert not order.may_stop("a")
    assert order.end("c") == []
    assert order.end("d") == ["a"]
    assert order.depths("acd") == {"a": 1, "c": 2, "d": 2}


def test_a_removed_one_keeps_nobody() -> None:
    """With the last one removed, those before it may stop; and it may come back elsewhere."""
    order = order_of({"a": [], "b": ["a"], "c": ["b"]})
    order.remove("c")
    assert order.may_stop("b")
    assert order.depths("ab") == {"a": 1, "b": 2}
    order.add("c", {"a": "ready"})
    assert order.depths("abc") == {"a": 1, "b": 2, "c": 2}
    order.remove("b")
    assert not order.may_stop("a")
    assert order.end("c") == ["a"]


@given(performances(), st.lists(st.sampled_from(NAMES), unique=True))
def test_removals_agree_with_brute_force(
    performance: tuple[dict[str, dict[str, Condition]], list[tuple[Any, str]]], removed: list[str]
) -> None:
    """Whoever is removed, in whatever state, those left keep their order."""
    after, steps = performance
    order, model = Order(), Model()
    for name, before in after.items():
        order.add(name, before)
        model.before[name] = dict(before)
        model.alive.add(name)
    for step, name in steps:
        if step in CONDITIONS:
            model.settle(name, step)
            order.settle(name, step)
        elif step == "end" and name in model.alive:
            model.alive.remove(name)
            order.end(name)
    for name in removed:
        order.remove(name)
        model.remove(name)
        for one in model.before:
            assert order.may_stop(one) == model.may_stop(one)
        assert order.depths(model.alive) == {
            one: model.depth(one, model.alive) for one in model.before
        }
    for name in [one for one in NAMES if one in model.before]:
        model.settle(name, "done")
        order.settle(name, "done")
        assert order.may_start(name) or not model.may_start(name)
