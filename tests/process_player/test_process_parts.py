"""What a process player is made of: exceptions on their way, messages, and the end of a process."""

import asyncio
import os
import pickle
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import process_plays as plays
import pytest
from process_kit import shown, until

from groups import failure
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    ProcessPlayer,
    RemoteError,
    StopTimeoutError,
)
from orchestra.players._process import launch, wire
from orchestra.players._process.carried import carried, in_process, portable, restored
from orchestra.players._process.launch import Spawned
from orchestra.players._process.run import ProcessRun
from orchestra.players._process.wire import Frames, Line, Wire, framed

pytestmark = pytest.mark.real_time


# Exceptions on their way


def brought(error: BaseException) -> BaseException:
    """The error as it is on the other side."""
    return restored(carried(error), "process 1")


def test_what_an_exception_was_raised_in_comes_with_it() -> None:
    """Its context too, where nobody named it as the cause, and whether it is to be shown."""

    def fails(*, hide: bool) -> Exception:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                if hide:
                    raise ValueError("second") from None
                raise ValueError("second")  # noqa: B904
        except ValueError as error:
            return error

    for hide in (False, True):
        error = brought(fails(hide=hide))
        assert str(error.__context__) == "'first'"
        assert error.__suppress_context__ is hide


def test_a_chain_of_causes_has_an_end() -> None:
    """Of a very long one, the last are left out, and the others come."""
    error = last = ValueError(0)
    for number in range(1, 1000):
        last.__cause__ = ValueError(number)
        last = last.__cause__
    chain: list[BaseException | None] = [brought(error)]
    while (one := chain[-1]) is not None:
        chain.append(one.__cause__)
    assert 10 < len(chain) < 30


def test_a_traceback_that_can_not_be_written_takes_nothing_with_it() -> None:
    """An exception that breaks the printing of tracebacks comes without one."""
    error = SyntaxError("odd")
    error.lineno, error.text, error.offset = 1, "x", "nowhere"  # type: ignore[assignment]
    try:
        raise error
    except SyntaxError:
        assert carried(error).traceback == ""
    assert "odd" in str(brought(error))


def test_the_main_module_has_its_name_from_here() -> None:
    """There it is `__mp_main__`, which nobody has written."""

    class Odd(Exception): ...

    Odd.__module__, Odd.__qualname__ = "__mp_main__", "Odd"
    try:
        raise Odd("x")
    except Odd as caught:
        error = brought(caught)
    assert isinstance(error, RemoteError)
    assert error.type_name == "__main__.Odd"
    assert error.traceback.endswith("__main__.Odd: x")


def test_a_stop_timeout_there_names_the_process() -> None:
    """Nobody there goes on, so nobody is called abandoned, and the message says the same."""
    late = StopTimeoutError(("a.b",), {"a.b": "at x.py:1"}, ("a.b",))
    other = LookupError("other")
    error = in_process(
        ConductorError.of("late: " + str(late), [(0.0, "a.b", late), (1.0, "a", other)], ""), 7
    )
    assert isinstance(error, ConductorError)
    there, same = error.exceptions
    assert isinstance(there, StopTimeoutError)
    assert (there.abandoned, there.stuck["a.b"]) == ((), "process 7\nat x.py:1")
    assert same is other
    assert "abandoned" not in error.message


def test_a_value_that_can_not_be_read_is_shown() -> None:
    """Whatever can be written but not read is sent as its text."""
    assert portable(plays.Unreadable("a", "b")) == "Unreadable('a and b')"
    assert pickle.loads(pickle.dumps(portable(("any", 1)))) == ("any", 1)


async def test_a_detail_that_can_not_be_read_here_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is read there and not here, and so its text is all that is known of it."""
    async with shown(ProcessPlayer(plays.TellsPoison())) as performance:
        details = performance.status().find("group.it").details
        assert (str(details["odd"]), details["sound"]) == ("Poisoned()", [1])
    assert "can't be read" not in caplog.text


def test_a_message_that_can_not_be_read_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """It hurts nobody."""
    run = object.__new__(ProcessRun)
    run._process = SimpleNamespace(pid=7)  # type: ignore[assignment]
    run._on_message(b"no message")
    (record,) = caplog.records
    assert record.getMessage() == "what process 7 has told can't be read"
    assert record.exc_info is not None


async def test_memory_that_runs_out_there_is_a_memory_error_here() -> None:
    """A process that may have no more memory fails with that, and not with a death."""
    error = await failure(Conductor({"it": ProcessPlayer(plays.wants_memory)}))
    assert isinstance(error.failures["it"], MemoryError)
    assert "wants_memory" in "\n".join(error.failures["it"].__notes__)


async def test_heartbeats_come_over() -> None:
    """One that gives them plays on, longer than its watchdog would wait."""
    await Conductor({"it": ProcessPlayer(plays.BeatsAndEnds())}).play(Context())


async def test_records_that_were_lost_at_the_very_end_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where the process ends before it could say so with another record."""
    player = ProcessPlayer(plays.floods_and_ends)
    task = asyncio.create_task(Conductor({"it": player}).play(Context()))
    await until(lambda: any(one.name == "flood" for one in caplog.records))
    time.sleep(1.0)  # the loop does not read meanwhile
    await task
    seen = sum(one.name == "flood" for one in caplog.records)
    told = [one for one in caplog.records if "log records were lost" in one.getMessage()]
    assert seen + sum(int(one.getMessage().split()[0]) for one in told) == plays.FLOOD


# Messages


def test_messages_come_out_whole_however_they_are_cut() -> None:
    """Each once, in order, wherever the bytes were parted."""
    data = framed(("one", 1)) + framed(("two",)) + framed((b"x" * 1000,))
    for size in (1, 2, 7, 100, len(data)):
        frames, found = Frames(), []
        for at in range(0, len(data), size):
            found += frames.feed(data[at : at + size])
        assert len(found) == 3


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


class Heard:
    """The parent's end of a connection, and what came in there."""

    def __init__(self, sock: socket.socket) -> None:
        self.messages: list[bytes] = []
        self.ends = 0
        loop = asyncio.get_running_loop()
        self.wire = Wire(loop, sock, self.messages.append, self._on_end)

    def _on_end(self) -> None:
        self.ends += 1


async def test_the_parent_never_waits_for_a_child_that_does_not_read(pair: Pair) -> None:
    """What the connection does not take at once follows when the child reads."""
    heard, size = Heard(pair[0]), 5_000_000
    heard.wire.send("large", b"x" * size)
    heard.wire.send("small")
    received = 0
    loop = asyncio.get_running_loop()
    pair[1].setblocking(False)
    while received <= size:
        received += len(await loop.sock_recv(pair[1], 1 << 20))
    assert not heard.ends
    heard.wire.close()
    heard.wire.send("nothing")
    heard.wire.drain()
    heard.wire.close()


async def test_a_message_to_a_child_that_is_gone_is_nothing(pair: Pair) -> None:
    """Its end is heard of once."""
    heard = Heard(pair[0])
    pair[1].close()
    heard.wire.send("stop", None)
    await until(lambda: heard.ends)
    await asyncio.sleep(0)
    assert heard.ends == 1
    heard.wire.close()


async def test_what_a_child_said_last_is_heard(pair: Pair) -> None:
    """Also half of a message, which nobody finishes, holds nothing up."""
    heard = Heard(pair[0])
    pair[1].sendall(framed(("last",)) + framed(("half",))[:-1])
    heard.wire.drain()
    assert len(heard.messages) == 1
    heard.wire.close()


def test_a_child_hears_of_the_end_of_its_parent(pair: Pair) -> None:
    """Each message comes in order, and then the end."""
    line, ended = Line(pair[0]), threading.Event()
    heard: list[Any] = []
    pair[1].sendall(framed(("play", 1)) + framed(("stop", None, 2.0)))
    assert line.receive() == ("play", 1)
    line.listen(lambda *message: heard.append(message), ended.set)
    pair[1].close()
    assert ended.wait(20)
    assert heard == [("stop", None, 2.0)]
    line.send("outcome")
    line.wait_until_sent(0.01)
    line.flush()
    with pytest.raises(EOFError):
        line.receive()
    line.close()
    with pytest.raises(EOFError):
        line.receive()


def test_a_child_keeps_only_so_much_for_a_parent_that_does_not_read(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be spared is not kept then, and what can't is."""
    monkeypatch.setattr(wire, "MOST_WAITING", 3)
    line = Line(pair[0])
    big = b"x" * 1_000_000
    offered = [line.offer("record", big) for _ in range(10)]
    assert offered.count(True) in (3, 4)  # one may be on its way
    line.send("outcome")
    received, frames = [], Frames()
    while len(received) < offered.count(True) + 1:
        received += frames.feed(pair[1].recv(1 << 20))
    line.flush()


# The end of a process


async def test_a_process_that_can_not_be_killed_does_not_hold_up_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is waited for a moment, and let go then."""
    monkeypatch.setattr(launch, "CLOSE_WITHIN", 0.02)
    monkeypatch.setattr(Spawned, "_has_ended", lambda self: False)
    popen = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    reader, alive = os.pipe()
    child = Spawned(popen, alive, lambda: pytest.fail("nobody waits any more"))
    child.close()
    assert not child.over
    os.close(reader)
    popen.wait()


async def test_its_end_is_looked_for_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a pidfd it is looked after again and again, once it seems to have ended."""

    def missing(pid: int) -> int:
        raise OSError("no such call")

    monkeypatch.setattr(os, "pidfd_open", missing)
    ended = asyncio.Event()
    popen = subprocess.Popen(["sleep", "0.1"], start_new_session=True)
    reader, alive = os.pipe()
    child = Spawned(popen, alive, ended.set)
    child.expect_end()
    await ended.wait()
    assert child.exitcode == 0
    child.look()
    child.expect_end()
    child.terminate()
    child.kill()
    child.close()
    assert (child.killed, child.terminated) == (False, False)
    os.close(reader)
