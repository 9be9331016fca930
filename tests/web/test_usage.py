"""CPU and memory, where the system tells them."""

import os
import subprocess
import sys
from typing import Any

import pytest

from orchestra.web import usage
from orchestra.web.usage import Measured, Usage, fraction_of, measure

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells this")


@linux
def test_a_process_is_measured() -> None:
    """This process has used some CPU, and has some memory."""
    found = measure(os.getpid(), 5.0)
    assert found is not None
    assert found.at == 5.0
    assert found.cpu > 0
    assert found.memory > 1_000_000


def test_what_is_not_there_is_not_measured() -> None:
    """A process that has ended, and a system that tells nothing, give nothing."""
    assert measure(2**22 + 1, 0.0) is None
    assert Usage().of(2**22 + 1) == (None, None)


def test_another_process_with_the_same_pid() -> None:
    """From one process to another there is no share of the CPU; nor in no time."""
    before = Measured(0.0, 1, 10.0, 5)
    assert fraction_of(before, Measured(2.0, 2, 11.0, 5)) is None
    assert fraction_of(before, Measured(0.0, 1, 11.0, 5)) is None
    assert fraction_of(before, Measured(2.0, 1, 11.0, 5)) == 0.5
    assert fraction_of(before, Measured(2.0, 1, 9.0, 5)) == 0.0


def test_from_one_look_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look tells no CPU; those that come too soon get what is known; then it is anew."""
    now = [100.0]
    monkeypatch.setattr(usage.time, "monotonic", lambda: now[0])
    cpu = [1.0]
    monkeypatch.setattr(usage, "measure", lambda pid, at: Measured(at, 1, cpu[0], 7))
    found = Usage()
    assert found.of(5) == (None, 7)
    now[0], cpu[0] = 100.5, 9.0
    assert found.of(5) == (None, 7)
    now[0], cpu[0] = 102.0, 2.0
    assert found.of(5) == (0.5, 7)
    now[0] = 102.1
    assert found.of(5) == (0.5, 7)
    found.forget_all_but([{"details": {"pid": 6}}])
    assert found.of(5) == (None, 7)


def row(kind: str, uptime: float | None, **details: Any) -> dict[str, Any]:
    return {"kind": kind, "uptime": uptime, "details": details}


@linux
def test_only_processes_have_some() -> None:
    """A player that is no process, does not run, or tells no pid, has neither CPU nor memory."""
    found, pid = Usage(), os.getpid()
    assert found.add_to(row("command", 1.0, pid=pid))["memory"] > 0
    assert found.add_to(row("process", 1.0, pid=pid))["memory"] > 0
    for given in (
        row("coroutine", 1.0, pid=pid),
        row("command", None, pid=pid),
        row("command", 1.0),
        row("command", 1.0, pid="x"),
    ):
        added = found.add_to(given)
        assert (added["cpu"], added["memory"]) == (None, None)


@linux
def test_a_program_may_have_any_name(tmp_path: Any) -> None:
    """Brackets and spaces in the name of a program do not confuse."""
    link = tmp_path / "a) R 1 (b"
    link.symlink_to("/bin/sleep")
    with subprocess.Popen([link, "100"]) as process:
        found = measure(process.pid, 0.0)
        process.kill()
    assert found is not None
    assert found.cpu < 1
