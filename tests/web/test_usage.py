"""CPU and memory, where the system tells them."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from orchestra.web.console import usage
from orchestra.web.console.usage import Measured, Usage, by_session, measure, share_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells this")

NOBODY = 2**22 + 1


@linux
def test_a_process_is_measured() -> None:
    """This process has used some CPU, and has some memory."""
    found = measure(os.getpid())
    assert found is not None
    assert found.cpu > 0
    assert found.memory > 1_000_000
    assert found.session == os.getsid(0)


def test_what_is_not_there_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has ended, and a system that tells nothing, give nothing."""
    assert measure(NOBODY) is None
    assert Usage().of_process(NOBODY) == (None, None)
    assert Usage().of_session(NOBODY) == (None, None)

    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(usage.os, "listdir", missing)
    assert Usage().of_session(os.getsid(0)) == (None, None)


def test_another_process_with_the_same_pid() -> None:
    """From one process to another there is no share of the CPU; nor in no time."""
    before = Measured(5, 1, 10.0, 5)
    assert share_of(before, Measured(5, 2, 11.0, 5), 2.0) is None
    assert share_of(before, Measured(5, 1, 11.0, 5), 0.0) is None
    assert share_of(before, Measured(5, 1, 11.0, 5), 2.0) == 0.5
    assert share_of(before, Measured(5, 1, 9.0, 5), 2.0) == 0.0


def test_a_family_is_added_up() -> None:
    """Those of one session count together, and by the eldest of them."""
    found = by_session(
        [Measured(5, 8, 0.5, 20), None, Measured(5, 7, 1.0, 1), Measured(6, 1, 0, 0)]
    )
    assert found == {5: Measured(5, 7, 1.5, 21), 6: Measured(6, 1, 0, 0)}


def test_from_one_look_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look tells no CPU; those that come too soon get what is known; then it is anew."""
    now, cpu = [100.0], [1.0]
    monkeypatch.setattr(usage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(usage, "measure", lambda pid: Measured(5, 1, cpu[0], 7))
    found = Usage()
    assert found.of_process(5) == (None, 7)
    now[0], cpu[0] = 100.5, 9.0
    assert found.of_process(5) == (None, 7)
    now[0], cpu[0] = 102.0, 2.0
    assert found.of_process(5) == (0.5, 7)
    now[0] = 102.1
    assert found.of_process(5) == (0.5, 7)
    found.forget_all_but([{"details": {"pid": 6}}])
    assert found.of_process(5) == (None, 7)


def test_all_sessions_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many players are processes, the system is asked once for all of them."""
    asked: list[int] = []

    def measure(pid: int) -> Measured:
        asked.append(pid)
        return Measured(pid, 1, 1.0, pid)

    monkeypatch.setattr(usage, "measure", measure)
    monkeypatch.setattr(usage.os, "listdir", lambda path: ["5", "6", "self"])
    found = Usage()
    assert (found.of_session(5), found.of_session(6)) == ((None, 5), (None, 6))
    assert asked == [5, 6]


def row(kind: str, uptime: float | None, **details: Any) -> dict[str, Any]:
    return {"kind": kind, "uptime": uptime, "details": details}


@linux
def test_only_processes_have_some() -> None:
    """A player that is no process, does not run, or tells no pid, has neither CPU nor memory."""
    found, pid = Usage(), os.getsid(0)
    if pid not in by_session([measure(os.getpid())]):  # pragma: no cover
        pytest.skip("this process is in the session of one that is out of sight")
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
def test_what_a_command_has_started_counts(tmp_path: Any) -> None:
    """A shell is small, and what it has started is what matters; its name may be anything."""
    shell = tmp_path / "a) R 1 (b"
    shell.symlink_to("/bin/sh")
    argv = [shell, "-c", f"{sys.executable} -S -c 'import time; time.sleep(100)' & wait"]
    with subprocess.Popen(argv, start_new_session=True) as process:
        alone = measure(process.pid)
        assert alone is not None
        memory: int | None = None
        while memory is None or memory < alone.memory + 2_000_000:
            memory = Usage().of_session(process.pid)[1]
            time.sleep(0.01)
        os.killpg(process.pid, 9)
