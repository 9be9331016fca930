"""How a player in a process fails: its own exceptions, and the ways in which a process may die."""

import os
import signal
from multiprocessing import forkserver
from typing import Any

import process_plays as plays
import pytest
from process_kit import shown, until

from groups import failure, play, start
from orchestra import (
    Conductor,
    ConductorError,
    PermanentError,
    PlayerAbortedError,
    ProcessDiedError,
    ProcessPlayer,
    RemoteError,
)
from orchestra.players import _process_run

pytestmark = pytest.mark.real_time


async def raised(player: Any, **terms: Any) -> Exception:
    """What it raises, as a conductor gets it."""
    error = await failure(Conductor({"it": ProcessPlayer(player, **terms)}))
    return error.failures["it"]


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


@pytest.mark.parametrize(
    ("which", "kind", "text"),
    [
        ("plain", LookupError, "boom"),
        ("os", FileNotFoundError, "[Errno 2] no such file: 'x.txt'"),
        ("permanent", PermanentError, "the licence has expired"),
        ("unreadable", RemoteError, "process_plays.Unreadable: a and b"),
        ("doubled", RemoteError, "process_plays.Doubled: about it"),
        ("unpicklable", RemoteError, "process_plays.Unpicklable: with a lock"),
        ("unpicklable permanent", PermanentError, "process_plays.UnpicklablePermanent: for good"),
        ("textless", RemoteError, "process_plays.Textless: Textless: (its text can't be had"),
        ("poisoned", RemoteError, "process_plays.Poisoned"),
        ("ending", RemoteError, "process_plays.Ending: by its pickling"),
        ("local", RemoteError, "process_plays.local_error.<locals>.LocalError: of a function"),
        ("exit", PlayerAbortedError, "ended by SystemExit: 3"),
        ("interrupt", PlayerAbortedError, "ended by KeyboardInterrupt"),
        ("base group", PlayerAbortedError, "ended by BaseExceptionGroup"),
    ],
)
async def test_exceptions_come_back(which: str, kind: type[Exception], text: str) -> None:
    """As themselves where that is possible, else as a stand-in; with the traceback as a note."""
    error = await raised(plays.Raises(which))
    assert type(error) is kind or (isinstance(error, kind) and isinstance(error, RemoteError))
    assert str(error).startswith(text)
    if kind is not PlayerAbortedError:
        assert "a note of its own" in notes(error)
        assert "process_plays.py" in notes(error)
        assert "in play" in notes(error)
        assert "the cause" in notes(error)
        assert isinstance(error.__cause__, OSError)
        assert not any("_own_loop" in note for note in error.__notes__)
    elif which == "exit":
        assert isinstance(error.__cause__, SystemExit)
        assert error.__cause__.code == 3
    assert "raised by player 'it'" in notes(error)


async def test_a_stand_in_says_it_all() -> None:
    """It has the name of the class, the message and the traceback."""
    error = await raised(plays.Raises("local"))
    assert isinstance(error, RemoteError)
    assert error.type_name == "process_plays.local_error.<locals>.LocalError"
    assert error.message == "of a function"
    assert "raise error from cause" in error.traceback


async def test_permanent_stays_permanent() -> None:
    """A `PermanentError` there is not restarted here, also where it can't be pickled."""
    for which in ("permanent", "unpicklable permanent"):
        player = ProcessPlayer(plays.Raises(which), backoff=[0.0] * 3)
        conductor = Conductor({"it": player})
        await failure(conductor)
        assert conductor.status().find("it").restarts == 0


@pytest.mark.parametrize("which", ["group", "odd group"])
async def test_groups_come_back_part_by_part(which: str) -> None:
    """What can be brought over comes as itself, and a stand-in for each that can't."""
    error = await raised(plays.Raises(which))
    assert isinstance(error, ExceptionGroup)
    one, other = error.exceptions
    assert isinstance(one, ValueError)
    assert isinstance(other, RemoteError)
    assert ("two" if which == "group" else "OddGroup: odd") in error.message
    assert "a note of its own" in notes(error)


async def test_causes_may_go_round_in_a_circle() -> None:
    """Exceptions that cause each other come back, each once."""
    error = await raised(plays.circle)
    assert str(error) == "one"
    assert str(error.__cause__) == "two"


async def test_a_conductor_there_fails_as_here() -> None:
    """Its failures are found under their full paths, each as itself."""
    top = Conductor({"it": ProcessPlayer(plays.failing_group())})
    error = await failure(Conductor({"top": top}))
    assert set(error.failures) == {"top.it.a", "top.it.b", "top.it.inner.c"}
    assert isinstance(error.failures["top.it.a"], LookupError)
    assert isinstance(error.failures["top.it.b"], RemoteError)
    assert isinstance(error.failures["top.it.inner.c"], FileNotFoundError)
    assert "raised by player 'top.it.a'" in notes(error.failures["top.it.a"])


async def test_failures_keep_their_base_without_a_group_here() -> None:
    """A conductor that is played there, and here by nobody else, raises its `ConductorError`."""
    error = await play(ProcessPlayer(plays.failing_group()))
    assert isinstance(error, ConductorError)
    assert set(error.failures) == {"a", "b", "inner.c"}


@pytest.mark.parametrize(
    ("how", "words", "exitcode", "name"),
    [
        ("exit", "ended with exit code 7 before its player did, as after os._exit", 7, None),
        ("zero", "ended with exit code 0 before its player did", 0, None),
        ("segfault", "was killed by SIGSEGV (Segmentation fault)", -11, "SIGSEGV"),
        ("kill", "SIGKILL, which was not sent from here: the system does so when memory", -9, "SIGKILL"),
        ("real-time", f"was killed by signal {signal.SIGRTMIN + 3}", -signal.SIGRTMIN - 3, f"signal {signal.SIGRTMIN + 3}"),
        ("term", "was killed by SIGTERM, which was not sent from here", -15, "SIGTERM"),
    ],
)  # fmt: skip
async def test_each_death_is_told(how: str, words: str, exitcode: int, name: str | None) -> None:
    """A process that dies by itself is a `ProcessDiedError` that says of what, and of which pid."""
    error = await raised(plays.Dies(how))
    assert isinstance(error, ProcessDiedError)
    assert words in str(error)
    assert f"process {error.pid} " in str(error)
    assert "while it started" not in str(error)
    assert (error.exitcode, error.signal) == (exitcode, name)


async def test_a_death_in_the_fork_server_is_told(fork_server: None) -> None:
    """The exit code comes by way of the fork server."""
    error = await raised(plays.Dies("exit"), start_method="forkserver")
    assert isinstance(error, ProcessDiedError)
    assert error.exitcode == 7


async def test_a_fork_server_may_die(fork_server: None) -> None:
    """Then its processes end too, and nobody can tell how."""
    conductor = Conductor({"it": ProcessPlayer(plays.works, start_method="forkserver")})
    task = start(conductor)
    await until(lambda: conductor.status().find("it").ready)
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
    with pytest.raises(ConductorError) as caught:
        await task
    error = caught.value.failures["it"]
    assert isinstance(error, ProcessDiedError)
    assert error.exitcode is None
    assert "nobody can tell how" in str(error)


async def test_a_death_while_stopping_is_told() -> None:
    """Having been asked to stop does not excuse it."""
    player = ProcessPlayer(plays.Dies("while stopping"))
    with pytest.raises(ConductorError) as caught:
        async with shown(player):
            pass
    error = caught.value.failures["group.it"]
    assert isinstance(error, ProcessDiedError)
    assert error.exitcode == 9


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("import", ModuleNotFoundError, "No module named 'no_such_module'"),
        ("exit", PlayerAbortedError, "ended by SystemExit: 4"),
        ("die", ProcessDiedError, "exit code 8"),
        ("nested", RuntimeError, 'belongs under `if __name__ == "__main__":`'),
    ],
)
async def test_what_can_not_be_imported_there_is_told(how: str, kind: Any, text: str) -> None:
    """An error in the child's imports is that error, with a note of where; so is a death there."""
    error = await raised(plays.BreaksOnArrival(how))
    assert type(error) is kind
    assert text in str(error)
    if kind is ProcessDiedError:
        assert str(error).endswith(", while it started")
    else:
        assert "raised while the process imported what it is to play" in notes(error)


async def test_the_connection_may_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that closes its connection can tell nothing any more, and is killed."""
    monkeypatch.setattr(_process_run, "EXIT_WITHIN", 0.05)
    error = await raised(plays.hangs_up)
    assert isinstance(error, ProcessDiedError)
    assert "closed its connection" in str(error)


async def test_a_loop_that_is_ended_is_told() -> None:
    """A callback that ends the loop there is a failure that says so."""
    error = await raised(plays.stops_its_loop)
    assert isinstance(error, PlayerAbortedError)
    assert "SystemExit" in str(error)


async def test_an_exit_code_may_have_been_taken() -> None:
    """Where somebody else has waited for the process, nobody can tell how it ended."""
    conductor = Conductor({"it": ProcessPlayer(plays.works)})
    task = start(conductor)
    await until(lambda: conductor.status().find("it").ready)
    pid: Any = conductor.status().find("it").details["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with pytest.raises(ConductorError) as caught:
        await task
    error = caught.value.failures["it"]
    assert isinstance(error, ProcessDiedError)
    assert (error.exitcode, error.signal) == (None, None)
