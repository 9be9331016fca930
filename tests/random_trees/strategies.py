"""How hypothesis draws a scenario.

A scenario is one value, and not the steps of a `RuleBasedStateMachine`: the steps of a machine would
have to run a piece of the loop each, while a value is played from the beginning to the end by one
`run_virtual`, can be played twice to compare (observed and not), shrinks as a whole (a player, a
delay or an action less), and its `repr` is the regression test.

All times are multiples of a quarter of a second, so that things often happen in the same moment.
"""

from __future__ import annotations

from hypothesis import strategies as st

from .scenario import (
    EVER,
    Action,
    Add,
    Again,
    Cancel,
    CancelTask,
    Group,
    Halt,
    Leaf,
    Look,
    Node,
    Remove,
    Restart,
    Run,
    Scenario,
    Start,
    Stop,
    join,
    walk,
)

NAMES = ("a", "b", "c", "d")
DEPTH = 4

# The simplest first, since that is where shrinking goes.
delays = st.sampled_from([0.0, 1.0, 0.25, 0.5, 2.0, 3.0, 6.0])
moments = st.integers(0, 60).map(lambda quarters: quarters / 4)
timeouts = st.sampled_from([9.0, 2.0, 1.0, 4.0, 0.5, 0.0])
limits = st.sampled_from([None, None, 1.0, 0.5, 3.0])
ends = st.sampled_from(
    ["end", "fail", "fail", "permanent", "exit", "interrupt", "cancel", "group", "base group"]
)
stops = st.sampled_from([0.0, 0.0, 0.25, 1.0, 3.0, 8.0, EVER])
backoffs = st.one_of(
    st.none(),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 4.0]), max_size=3).map(tuple),
    st.just("every second"),
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    on_cut = draw(st.sampled_from(["heed", "heed", "end", "fail", "swallow"]))
    swallows = on_cut == "swallow"
    return Run(
        after=draw(st.one_of(st.just(EVER), delays)),
        then=draw(ends),
        stop=draw(stops),
        fails_stopping=draw(st.booleans()),
        on_cut=on_cut,
        swallows=draw(st.sampled_from([0.0, 0.25, 0.75, 3.0, EVER])) if swallows else 0.0,
        fails_late=draw(st.booleans()) if swallows else False,
        beats=draw(st.sampled_from([EVER, 0.0, 2.0])),
    )


leaves = st.builds(
    Leaf,
    runs=st.lists(runs(), min_size=1, max_size=3).map(tuple),
    ready=st.one_of(st.none(), delays, st.just(EVER)),
    start_timeout=limits,
    watchdog=limits,
    backoff=backoffs,
    always=st.booleans(),
)


def nodes(depth: int) -> st.SearchStrategy[Node]:
    """Nodes that are played at this depth; the root is at 0."""
    kinds: list[st.SearchStrategy[Node]] = [leaves, leaves]
    if depth < DEPTH:
        kinds.append(groups(depth))
    kinds.append(st.builds(Again, levels=st.integers(1, depth)))
    return st.one_of(kinds)


@st.composite
def groups(draw: st.DrawFn, depth: int) -> Group:
    names = NAMES[: draw(st.integers(0, len(NAMES) if depth < 2 else 2))]
    after = {}
    if draw(st.booleans()):
        for number, name in enumerate(names):
            before = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
            if before:
                after[name] = before
    return Group(
        players={name: draw(nodes(depth + 1)) for name in names},
        timeout=draw(timeouts),
        ordered=draw(st.booleans()),
        after=after,
        stop_when=draw(st.sampled_from(["all", "never", "any"])),
        start_timeout=draw(limits) if depth else None,
        backoff=draw(backoffs),
        always=draw(st.booleans()),
    )


@st.composite
def actions(draw: st.DrawFn, tree: Group) -> Action:
    at = draw(moments)
    known = list(walk(tree))
    of_groups = [path for path, node in known if isinstance(node, Group)]
    # Also of some that are not there, or are added by another action.
    paths = [path for path, _ in known if path]
    paths += [join(path, name) for path in of_groups for name in NAMES[-1:]]
    patience = st.one_of(st.just(EVER), st.just(EVER), delays)
    match draw(
        st.sampled_from(
            [
                "look",
                "add",
                "remove",
                "restart",
                "halt",
                "start",
                "cancel",
                "stop",
                "cancel-task",
            ]
        )
    ):
        case "add":
            path = join(draw(st.sampled_from(of_groups)), draw(st.sampled_from(NAMES)))
            depth = path.count(".") + 1
            return Add(at, path, draw(nodes(max(depth, DEPTH - 1))))
        case "remove":
            then = draw(st.one_of(st.none(), nodes(DEPTH)))
            return Remove(at, draw(st.sampled_from(paths)), draw(patience), then)
        case "restart" | "halt" | "start" as what:
            kind = {"restart": Restart, "halt": Halt, "start": Start}[what]
            return kind(at, draw(st.sampled_from(paths)), draw(st.booleans()), draw(patience))
        case "cancel":
            return Cancel(at, draw(st.one_of(st.none(), delays)))
        case "stop":
            return Stop(at)
        case "cancel-task":
            return CancelTask(at)
        case _:
            return Look(at)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    tree = draw(groups(0))
    done = draw(st.lists(actions(tree), max_size=8))
    for one in list(done):
        # Who stops one by hand mostly starts it again.
        if isinstance(one, Halt) and draw(st.booleans()):
            done.append(Start(one.at + draw(delays), one.path, one.by_path))
    return Scenario(tree, tuple(sorted(done, key=lambda one: one.at)), draw(st.booleans()))
