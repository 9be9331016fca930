"""What can go wrong: the group that a conductor raises, and the names in it."""

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestra
from orchestra import (
    AlreadyPlayingError,
    CommandFailedError,
    ConductorError,
    OrchestraError,
    PermanentError,
    PlayerAbortedError,
    StartTimeoutError,
    StopTimeoutError,
    WatchdogError,
)
from orchestra.errors import nearest


class Coded(Exception):
    """An exception of somebody's that takes more than a message."""

    def __init__(self, code: int, *, detail: str = "") -> None:
        super().__init__(code)
        self.detail = detail


def command_failed() -> CommandFailedError:
    return CommandFailedError("db", -11, "a hint", ["one", "two"])


def two() -> ConductorError:
    return ConductorError("2 players failed", [OSError("a"), KeyError("b")], ["db", "api.web"])


# One's own


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (PermanentError, OrchestraError),
        (PlayerAbortedError, OrchestraError),
        (AlreadyPlayingError, OrchestraError),
        (StartTimeoutError, OrchestraError),
        (StartTimeoutError, TimeoutError),
        (WatchdogError, OrchestraError),
        (WatchdogError, TimeoutError),
        (StopTimeoutError, OrchestraError),
        (StopTimeoutError, TimeoutError),
        (ConductorError, ExceptionGroup),
        (OrchestraError, Exception),
    ],
)
def test_errors_are_of_the_kinds_that_callers_catch(kind: type, base: type) -> None:
    """Each error is public, and is caught by its bases."""
    assert issubclass(kind, base)
    assert getattr(orchestra, kind.__name__) is kind


@pytest.mark.parametrize("kind", [PermanentError, StartTimeoutError, WatchdogError])
def test_errors_survive_a_pickle(kind: type[Exception]) -> None:
    """A copy from another process has the same text and notes."""
    error = kind("the licence has expired")
    error.add_note("raised by player 'a'")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "the licence has expired"
    assert again.__notes__ == ["raised by player 'a'"]


# Players that did not stop in time


def test_a_stop_timeout_names_who_was_left_and_where() -> None:
    """It has the full paths of those that were cut off, and where each was."""
    error = StopTimeoutError(["api.worker"], {"api.worker": "at app.py:7 in work"})
    assert error.left == ("api.worker",)
    assert error.stuck == {"api.worker": "at app.py:7 in work"}
    assert error.abandoned == ()
    assert str(error) == "1 player did not stop in time: api.worker"
    assert error.errno is None


def test_a_stop_timeout_says_who_may_go_on() -> None:
    """Those that even the cut-off did not end are named apart."""
    error = StopTimeoutError(["a", "b"], abandoned=["b"])
    assert error.abandoned == ("b",)
    assert str(error) == "2 players did not stop in time: a, b (abandoned, may go on: b)"


def test_a_stop_timeout_of_many_players_stays_readable() -> None:
    """The text names ten and counts the rest, the attribute has all of them."""
    error = StopTimeoutError(left=(str(number) for number in range(12)))
    assert str(error).endswith("0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more")
    assert len(error.left) == 12


def test_a_stop_timeout_can_not_be_changed_by_whom_it_is_told() -> None:
    """It has its own copy of what it was given, and does not let it be changed."""
    stuck = {"a": "here"}
    error = StopTimeoutError(["a"], stuck)
    stuck["a"] = "there"
    assert error.stuck["a"] == "here"
    with pytest.raises(TypeError):
        error.stuck["a"] = "there"  # type: ignore[index]


copies: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda one, n=n: pickle.loads(pickle.dumps(one, n))
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("copied", copies)
def test_a_stop_timeout_survives_a_copy(copied: Callable[[Any], Any]) -> None:
    """A copy, also from another process, has all of it, notes included."""
    error = StopTimeoutError(["a", "b"], {"a": "here"}, ["b"])
    error.add_note("a note")
    again = copied(error)
    assert (again.left, again.stuck, again.abandoned) == (("a", "b"), {"a": "here"}, ("b",))
    assert str(again) == str(error)
    assert again.__notes__ == ["a note"]


# All that went wrong in a group


def test_a_conductor_error_is_caught_by_what_is_in_it() -> None:
    """`except*` finds the players' own exceptions, and leaves the others to go on."""
    caught = []
    with pytest.raises(ConductorError) as rest:
        try:
            raise two()
        except* OSError as group:
            caught.append(group)
    assert isinstance(caught[0], ConductorError)
    assert dict(caught[0].failures) == {"db": caught[0].exceptions[0]}
    assert list(rest.value.failures) == ["api.web"]


def test_ignoring_a_stop_timeout_ignores_exactly_that() -> None:
    """`except* StopTimeoutError: pass` leaves nothing of an error that is only that."""
    try:
        raise ConductorError("late", [StopTimeoutError(["a"])])
    except* StopTimeoutError:
        pass


def test_failures_are_given_by_path() -> None:
    """Each path has its first exception, and a stop timeout is of no path."""
    first, second, late = OSError("first"), OSError("second"), StopTimeoutError(["b"])
    error = ConductorError("2 players failed", [first, second, late], ["a", "a"])
    assert dict(error.failures) == {"a": first}
    assert error.exceptions == (first, second, late)
    with pytest.raises(TypeError):
        error.failures["a"] = second  # type: ignore[index]


def test_an_exception_of_no_path_is_kept() -> None:
    """An error without paths is a group like any other."""
    error = ConductorError("broken", [OSError("a")])
    assert list(error.failures) == [""]
    assert str(error) == "broken (1 sub-exception)"


def test_a_group_that_a_player_raised_stays_in_one_piece() -> None:
    """A player's own group is split where `except*` wants it, and still names the player."""
    inner = ExceptionGroup("mine", [OSError("a"), KeyError("b")])
    error = ConductorError("1 player failed", [ValueError(), inner], ["web", "worker"])
    match, rest = error.split(OSError)
    assert isinstance(match, ConductorError)
    assert isinstance(rest, ConductorError)
    assert list(match.failures) == ["worker"]
    assert [str(one) for one in match.failures["worker"].exceptions] == ["a"]  # type: ignore[attr-defined]
    assert list(rest.failures) == ["web", "worker"]


def test_the_same_exception_of_two_players_is_told_of_both() -> None:
    """Two players that raise one and the same object are two failures, also after a split."""
    shared = OSError("shared")
    error = ConductorError("3 players failed", [shared, KeyError(), shared], ["a", "b", "c"])
    assert list(error.failures) == ["a", "b", "c"]
    match, rest = error.split(OSError)
    assert isinstance(match, ConductorError)
    assert isinstance(rest, ConductorError)
    assert list(match.failures) == ["a", "c"]
    assert list(rest.failures) == ["b"]


def test_what_is_derived_from_others_has_no_path() -> None:
    """Exceptions that are none of its own are of no player."""
    derived = two().derive([ValueError()])
    assert list(derived.failures) == [""]


def test_a_large_error_is_split_in_no_time() -> None:
    """The work grows with the number of failures, and not with its square."""
    number = 20_000
    errors = [OSError(one) if one % 2 else KeyError(one) for one in range(number)]
    error = ConductorError("many", errors, [str(one) for one in range(number)])
    match = error.subgroup(OSError)
    assert isinstance(match, ConductorError)
    assert [int(path) for path in match.failures] == list(range(1, number, 2))


def test_a_part_keeps_what_belongs_to_the_whole() -> None:
    """A part of an error has its message, cause and notes."""
    error = two()
    error.__cause__ = LookupError()
    error.add_note("after 3 restarts")
    part = error.subgroup(KeyError)
    assert isinstance(part, ConductorError)
    assert part.message == "2 players failed"
    assert part.__cause__ is error.__cause__
    assert part.__notes__ == ["after 3 restarts"]


@pytest.mark.parametrize("copied", copies)
def test_a_conductor_error_survives_a_copy(copied: Callable[[Any], Any]) -> None:
    """A copy, also from another process, has the same message, failures and notes."""
    error = two()
    error.add_note("a note")
    error.exceptions[0].add_note("raised by player 'db'")
    again = copied(error)
    assert type(again) is ConductorError
    assert str(again) == str(error)
    assert {path: repr(one) for path, one in again.failures.items()} == {
        "db": "OSError('a')",
        "api.web": "KeyError('b')",
    }
    assert again.__notes__ == ["a note"]
    assert again.exceptions[0].__notes__ == ["raised by player 'db'"]


leaves = st.sampled_from([OSError, KeyError, StopTimeoutError, Coded]).map(
    lambda kind: kind(["x"]) if kind is StopTimeoutError else kind(7)  # type: ignore[arg-type]
)
errors = st.recursive(
    leaves, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda some: group(some))
)


def group(some: list[Exception]) -> ExceptionGroup[Exception]:
    return ExceptionGroup("inner", some)


@given(st.lists(st.tuples(st.sampled_from("abc"), errors), min_size=1, max_size=6))
def test_a_split_loses_nothing(entries: list[tuple[str, Exception]]) -> None:
    """Both parts together have each leaf exactly once, under the path that it had."""
    error = ConductorError("all", [one for _, one in entries], [path for path, _ in entries])
    parts = [part for part in error.split(OSError) if part is not None]
    assert all(isinstance(part, ConductorError) for part in parts)
    assert sorted(leaves_of(error)) == sorted(leaf for part in parts for leaf in leaves_of(part))
    again = pickle.loads(pickle.dumps(error))
    assert [path for path, _ in leaves_of(again)] == [path for path, _ in leaves_of(error)]


def leaves_of(error: Any) -> list[tuple[str, int]]:
    found = []
    for entry in error.entries():
        todo = [entry[-1]]
        while todo:
            one = todo.pop()
            if isinstance(one, BaseExceptionGroup):
                todo += one.exceptions
            else:
                found.append((entry[-2], id(one)))
    return found


def test_a_traceback_shows_each_player() -> None:
    """What Python prints names the group and each exception with its notes."""
    error = two()
    error.exceptions[1].add_note("raised by player 'api.web'")
    printed = "".join(traceback.format_exception(error))
    assert "2 players failed (2 sub-exceptions)" in printed
    assert "raised by player 'api.web'" in printed


def test_nothing_is_no_error() -> None:
    """A group of no exceptions can't be made."""
    with pytest.raises(ValueError):
        ConductorError("nothing", [])


# Names that nobody has


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("wroker", ["api", "worker"], "Did you mean 'worker'?"),
        ("WORKER", ["api", "worker"], "Did you mean 'worker'?"),
        ("db", ["DB", "api"], "Did you mean 'DB'?"),
        ("x", ["worker", "api"], "There are: api, worker."),
        ("x", [], "There are none."),
        (None, ["api"], "There are: api."),
        (5, ["5", "api"], "Did you mean '5'?"),
        ("x", map(str, range(12)), "There are: 0, 1, 10, 11, 2, 3, 4, 5, 6, 7 and 2 more."),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: object, known: Any, hint: str) -> None:
    """The hint is the name most like it, or else the names that there are."""
    assert nearest(name, known) == hint


# Commands


def test_a_failed_command_says_how() -> None:
    """By its code, or by the name of a signal, if that has one."""
    assert str(CommandFailedError("db", 3)) == "db exited with code 3"
    assert str(command_failed()) == "db was killed by SIGSEGV (a hint)"
    assert command_failed().__notes__ == ["its last lines:\n  one\n  two"]
    assert CommandFailedError("db", -35).signal == "signal 35"


def test_a_failed_command_survives_a_pickle() -> None:
    """With all that it says, and all notes once."""
    error = command_failed()
    error.add_note("another")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
    assert copy.copy(error).lines == ("one", "two")
