"""What runs beside the program, by itself: in a process in which the test is the program."""

import os
import subprocess
import sys
from typing import Any

import pytest
from command_kit import needs_linux

from orchestra._launch import beside

PRELUDE = """
import errno, marshal, os, select, signal, socket, time
from orchestra._launch import beside

NULL = os.open(os.devnull, os.O_RDWR)

def order(*argv, **more):
    return {"argv": [os.fsencode(one) for one in argv], "env": dict(os.environb), "cwd": b"/",
            "umask": None, "user": None, "group": None, "groups": None, **more}

class Line:
    "The program's end of a line to a minder that is a fork of this."
    def __init__(self, program=-1, before=lambda: None):
        self.sock, theirs = socket.socketpair()
        self.buffer = bytearray()
        self.pid = os.fork()
        if self.pid == 0:
            self.sock.close()
            before()
            beside.mind(theirs, [os.dup(NULL) for _ in range(3)], program)
        theirs.close()
    def tell(self, *parts):
        self.sock.sendall(beside.message(*parts))
    def heard(self):
        while data := self.sock.recv(4096):
            self.buffer += data
        return list(beside.messages(self.buffer))
    def hears(self, number=1):
        while len(found := list(beside.messages(bytearray(self.buffer)))) < number:
            self.buffer += self.sock.recv(4096)
        return found
    def code(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

def refuse(*args):
    raise OSError(errno.EAGAIN, "no")

def hear_of(pid):
    "Until a process that is not ours has ended."
    while os.path.exists(f"/proc/{pid}/exe"):
        time.sleep(0.01)
"""


def scripted(code: str) -> None:
    """Run this in a process of its own, which is to end well and without a word."""
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert (result.returncode, result.stdout.decode()) == (0, "")


# A command, from its fork on


@pytest.mark.parametrize(
    ("more", "stage", "number"),
    [
        ("umask=0o22", "exec", "ENOENT"),
        ("cwd=b'/no/such'", "cwd", "ENOENT"),
        pytest.param(
            "groups=[7], group=7, user=2**32 - 1",
            "user",
            "EINVAL",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others"),
        ),
    ],
)
def test_a_fork_that_can_not_become_the_command_tells_why(
    more: str, stage: str, number: str
) -> None:
    """At which stage, and what the system said."""
    scripted(f"""
reader, writer = os.pipe()
if not (pid := os.fork()):
    beside.become(order("/no/such/command", {more}), [NULL] * 3, writer, os.getppid())
os.close(writer)
told = marshal.loads(os.read(reader, 4096))
assert told == ({stage!r}, errno.{number}), told
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
""")


def test_a_fork_whose_minder_is_gone_becomes_nothing() -> None:
    """It ends before it is the command."""
    scripted("""
reader, writer = os.pipe()
if not (pid := os.fork()):
    beside.become(order("true"), [NULL] * 3, writer, 1)
os.close(writer)
assert os.read(reader, 4096) == b""
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
""")


# A minder


def test_a_minder_tells_why_its_command_did_not_start() -> None:
    """And ends, as its fork has."""
    scripted("""
line = Line()
line.tell("start", order("/no/such/command"))
told = line.heard()
assert told[0] == ("refused", "exec", errno.ENOENT), told
assert line.code() == 0
""")


@needs_linux
def test_a_minder_whose_line_is_cut_kills() -> None:
    """It ends when there is nothing left of its command."""
    scripted("""
for read in (True, False):
    line = Line()
    line.tell("start", order("sleep", "100"))
    ((what, pid),) = line.hears()
    assert what == "started"
    if not read:
        line.tell("signal", 0, False, 0.0)
    line.sock.close()
    assert line.code() == 0
    hear_of(pid)
""")


@needs_linux
def test_a_minder_whose_line_is_reset_kills() -> None:
    """Also where the program has not read what it was told."""
    scripted("""
line = Line()
line.tell("start", order("sleep", "100"))
select.select([line.sock], [], [])
line.sock.close()
assert line.code() == 0
""")


@needs_linux
def test_a_minder_hears_of_the_end_of_the_program() -> None:
    """Also where its line is still open, in a fork of the program."""
    scripted("""
program = os.fork()
if not program:
    time.sleep(100)
line = Line(beside.watch_program(program))
line.tell("start", order("sleep", "100"))
line.hears()
os.kill(program, signal.SIGKILL)
assert line.code() == 0
assert [what for what, *_ in line.heard()] == ["started", "left", "ended"]
os.waitpid(program, 0)
""")


def test_a_minder_may_be_told_to_kill_before_it_starts() -> None:
    """Then there is nothing to do."""
    scripted("""
line = Line()
line.tell("kill")
assert line.heard() == []
assert line.code() == 0
""")


def test_a_minder_without_a_process_for_its_command() -> None:
    """It says so, and ends."""
    scripted("""
def before():
    os.fork = refuse
line = Line(before=before)
line.tell("start", order("true"))
assert line.heard() == [("refused", "fork", errno.EAGAIN)]
assert line.code() == 0
""")


def test_a_minder_that_breaks_says_why() -> None:
    """With its traceback, which nobody would see otherwise."""
    scripted("""
line = Line()
line.tell("signal")
((what, text),) = line.heard()
assert what == "broken"
assert "TypeError: Minder._signal() missing 3 required" in text, text
assert line.code() == 1
""")


def test_signals_wait_until_the_command_runs() -> None:
    """They would hit the fork; but a kill does not wait."""
    scripted("""
def before():
    beside.become = lambda *args: time.sleep(100)
line = Line(before=before)
line.tell("start", order("true"))
line.tell("signal", int(signal.SIGTERM), True, 0.0)
time.sleep(0.1)
line.tell("kill")
told = line.heard()
assert sorted(what for what, *_ in told) == ["ended", "left", "started"], told
assert told[-1][1] == -signal.SIGKILL
assert line.code() == 0
""")


@needs_linux
def test_what_may_not_be_killed_is_left() -> None:
    """A minder does not wait for it for ever, and tells its pid."""
    scripted("""
def before():
    beside.kill = lambda pid: False
line = Line(before=before)
line.tell("start", order("sh", "-c", "setsid sleep 100 & sleep 0.2"))
told = line.heard()
assert [what for what, *_ in told] == ["started", "left", "ended"], told
(pid,) = told[-1][3]
os.kill(pid, signal.SIGKILL)
assert line.code() == 0
""")


def bare_minder(**attributes: Any) -> beside.Minder:
    minder = beside.Minder.__new__(beside.Minder)
    for name, value in {"_pid": 1, "_refusal": -1, "_exit_code": None, **attributes}.items():
        setattr(minder, name, value)
    return minder


def test_a_group_that_may_not_be_signalled_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that is not there has ended."""
    errors: list[type[OSError]] = [ProcessLookupError, PermissionError]

    def killpg(pid: int, signum: int) -> None:
        if errors:
            raise errors.pop()

    monkeypatch.setattr(os, "killpg", killpg)
    minder = bare_minder()
    assert [minder._has_group() for _ in range(3)] == [True, False, True]


def test_a_command_that_has_ended_gets_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pid may be another's by now."""
    sent: list[Any] = []
    monkeypatch.setattr(os, "kill", lambda *args: sent.append(args))
    monkeypatch.setattr(os, "killpg", lambda *args: sent.append(args))
    minder = bare_minder(_exit_code=0)
    minder._signal(15, True, 0.5)
    assert not sent
    minder = bare_minder()
    minder._signal(15, False, 0.5)
    assert sent == [(1, 15), (1, 18)]


def test_what_is_not_there_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what is somebody else's is not."""
    errors: list[type[OSError]] = [ProcessLookupError, PermissionError]

    def kill(pid: int, signum: int) -> None:
        raise errors.pop()

    monkeypatch.setattr(os, "kill", kill)
    assert [beside.kill(1), beside.kill(1)] == [False, True]


def test_a_system_that_tells_of_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, nothing but the group is killed."""

    def refuse(*args: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(beside, "open", refuse, raising=False)
    assert beside.own_children() == set()


# The launcher


def test_a_launcher_without_a_process_for_a_minder() -> None:
    """It says so on the line of that minder, and goes on."""
    scripted("""
ours, theirs = socket.socketpair()
launcher = beside.Launcher(theirs, -1)
line, minder = socket.socketpair()
os.fork = refuse
socket.send_fds(ours, [b"+"], [minder.fileno(), NULL, NULL, NULL])
assert launcher.take()
assert list(beside.messages(bytearray(line.recv(4096)))) == [("refused", "fork", errno.EAGAIN)]
socket.send_fds(ours, [b"+"], [NULL])  # what is not whole is dropped
assert launcher.take()
ours.close()
assert not launcher.take()
theirs.close()
assert not launcher.take()
""")


def test_a_launcher_may_know_the_program_by_its_line_alone() -> None:
    """Where the system can't tell of its end."""
    scripted("""
ours, theirs = socket.socketpair()
ours.close()
beside.Launcher(theirs, -1).serve()
""")


@needs_linux
def test_a_launcher_ends_with_the_program() -> None:
    """Also where its line is still open; it waits for its minders, and kills what one left."""
    scripted("""
program = os.fork()
if not program:
    time.sleep(100)
watched = beside.watch_program(program)
ours, theirs = socket.socketpair()
if not (launcher := os.fork()):
    beside.adopt_orphans()
    one = beside.Launcher(theirs, watched)
    ours.close()
    if not (child := os.fork()):
        if not os.fork():
            time.sleep(100)  # loses its parent
        time.sleep(0.3)
        os._exit(1)
    one._minders.add(child)
    one.serve()
    os._exit(0)
theirs.close()
os.kill(program, signal.SIGKILL)
os.waitpid(program, 0)
assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == 0
""")


def test_a_launcher_whose_program_is_gone_does_nothing() -> None:
    """It is not the child of the one that it was started for."""
    scripted("""
ours, theirs = socket.socketpair()
beside.main(theirs.fileno(), 1)
assert beside.watch_program(2**30) == -1
""")


def test_messages_come_whole() -> None:
    """However they are cut on their way."""
    data = beside.message("a", 1) + beside.message("b", [b"2"], None)
    buffer = bytearray()
    found: list[Any] = []
    for byte in data:
        buffer.append(byte)
        found += beside.messages(buffer)
    assert found == [("a", 1), ("b", [b"2"], None)]
    assert not buffer
