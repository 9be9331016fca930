"""A process that plays always ends: by force where nothing else helps, and never silently."""

import os
import signal

import pytest

from program import Program


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGINT])
def test_a_third_signal_ends_the_process(last: signal.Signals) -> None:
    """The exit code is 128 and the third signal, after every stack has been printed."""
    with Program("stubborn", 600) as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("asked")
        program.send(signal.SIGTERM)
        program.wait_for("cut off")
        program.send(last)
        assert program.end() == 128 + last
        errors = program.errors
    assert f"the process ends with {128 + last}" in errors
    assert "group.worker" in errors
    assert "stubborn.py:" in errors
    # The program's own threads, and none of those that see to its end.
    assert [line for line in errors.splitlines() if line.startswith("  thread ")] == [
        "  thread MainThread"
    ]


def test_a_third_signal_before_there_is_a_loop() -> None:
    """What blocks before anything plays is ended by the third signal as well."""
    with Program("early", 3, "stuck") as program:
        assert program.end() == 128 + signal.SIGTERM
        assert "in loop_factory: " in program.errors


@pytest.mark.parametrize("how", ["sleep", "busy"])
def test_a_loop_that_stays_blocked(how: str) -> None:
    """One signal is enough: when the time to stop is over, the process ends with 128 + signum."""
    with Program("blocked", how) as program:
        program.wait_for("blocked")
        program.send(signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
        assert "in blocker: " + ("time.sleep(3600)" if how == "sleep" else "") in program.errors
        assert "after" not in program.lines
        # What stood in the buffer of the pipe has not been lost.
        assert ("unflushed" in program.lines) == (how == "sleep")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_loop_that_is_stuck_in_c(loop: str) -> None:
    """Signals are heard also where no handler of Python's can run, in whatever loop."""
    with Program("stuck_in_c", loop) as program:
        program.wait_for("blocked")
        program.send(signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
        assert "in blocker: lock(mutex)" in program.errors


def test_standard_error_that_nobody_reads() -> None:
    """Where the loop is stuck in printing, the forced end does not wait for what it would print."""
    reader, writer = os.pipe()
    try:
        with Program("blocked", "print", stderr=writer) as program:
            program.wait_for("blocked", "full")
            program.send(signal.SIGTERM)
            assert program.end() == 128 + signal.SIGTERM
    finally:
        os.close(reader)
        os.close(writer)


def test_a_blocked_loop_while_draining() -> None:
    """A loop that is blocked for good is no longer waited for when the delay, too, is over."""
    with Program("blocked", "sleep", 0.01) as program:
        program.wait_for("blocked")
        program.send(signal.SIGINT)
        assert program.end() == 128 + signal.SIGINT


@pytest.mark.parametrize("how", ["failure", "failure unheard", "stop", "thread"])
def test_a_blocked_loop_where_no_signal_began_the_stop(how: str) -> None:
    """The process ends with 1, after every stack has been printed."""
    with Program("own_stop", *how.split()) as program:
        assert program.end() == 1
        errors = program.errors
    assert "the process ends with 1: the loop is blocked" in errors
    assert "in blocker: time.sleep(3600)" in errors


def test_a_signal_that_comes_after_the_stop_has_begun() -> None:
    """It does not count as the one that began it: the process still ends with 1."""
    with Program("own_stop", "stop") as program:
        program.wait_for("blocked")
        program.send(signal.SIGTERM)
        assert program.end() == 1


@pytest.mark.parametrize("number", [1, 200])
def test_threads_that_never_return(number: int) -> None:
    """They are abandoned: each is named, with the line where it is, and the program exits with 1."""
    with Program("threads", number, 0.1) as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for(f"left: {number}")
        assert program.end() == 1
        assert program.errors.count("in never_returns: threading.Event().wait()") >= number


def test_two_hundred_threads_at_a_forced_end() -> None:
    """The stack of every single one is printed."""
    with Program("threads", 200, 3000) as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("asked")
        program.send(signal.SIGTERM)
        program.wait_for("cut off")
        program.send(signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
        errors = program.errors
    assert all(f"  thread thread-{number}\n" in errors for number in range(200))
    # As a player that is left, and as a thread of the process.
    assert errors.count("in never_returns: threading.Event().wait()") == 400


def test_a_call_in_a_pool_that_never_returns() -> None:
    """Its player ends well and `run` returns, but the interpreter would wait: it ends with 1."""
    with Program("pool") as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("after")
        assert program.end() == 1
        errors = program.errors
    assert "the process ends with 1, since threads still run after its end" in errors
    assert "in work: returns.wait()" in errors


def test_a_program_that_goes_on_for_long_after_it_left_a_thread() -> None:
    """If the thread has ended by then, neither later threads nor functions at exit are cut short."""
    with Program("pool", "returns") as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("after")
        assert program.end() == 0
        assert program.lines[-2:] == ["own work is done", "late"]
        assert program.errors == ""


@pytest.mark.parametrize("how", ["closed pipe", "none"])
def test_nowhere_to_print_to(how: str) -> None:
    """Without standard error nothing is lost but the words: `run` raises, and force is still used."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with Program("deaf", how, stderr=writer) as program:
            program.wait_for("ready")
            program.send(signal.SIGTERM)
            program.wait_for("1 player did not stop in time: worker", "again")
            program.send(signal.SIGTERM)
            assert program.end() == 128 + signal.SIGTERM
    finally:
        os.close(writer)


def test_standard_output_that_nobody_reads_any_more() -> None:
    """What can't be written any more changes nothing about the end and its exit code."""
    with Program("blocked", "sleep") as program:
        program.wait_for("blocked")
        program.stop_reading()
        program.send(signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
