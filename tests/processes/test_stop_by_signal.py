"""A program stops by real signals: the first asks, the second cuts off."""

import signal

import pytest

from program import Program

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_asks(signum: signal.Signals, loop: str) -> None:
    """SIGINT and SIGTERM stop a program gracefully, it goes on after `run` and exits with 0."""
    with Program("graceful", loop) as program:
        program.wait_for("ready")
        program.send(signum)
        program.wait_for(f"asked: {signum.name}", "after")
        assert program.end() == 0
        assert program.errors == ""


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_second_signal_cuts_everything_off(signum: signal.Signals) -> None:
    """With an hour left to stop in, a second signal ends it; who was cut off is named, and where."""
    with Program("slow") as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("asked: SIGTERM")
        program.send(signum)
        program.wait_for("cut off")
        assert program.end() == 1
        errors = program.errors
    assert "orchestra: 1 player did not stop in time: group.worker" in errors
    assert "slow.py:14 in worker: await asyncio.sleep(3600)" in errors
    assert "in sleep" in errors
    assert "orchestra.errors.ConductorError" in errors


def test_a_player_that_swallows_its_cancellation_is_abandoned() -> None:
    """After its time and a tenth of it the program goes on without it, names it, and exits with 1."""
    with Program("stubborn", 0.1) as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("asked", "cut off")
        assert program.end() == 1
        errors = program.errors
    assert "group.worker (abandoned, may go on: group.worker)" in errors
    assert "in worker: await asyncio.sleep(3600)" in errors
    assert "Task was destroyed" not in errors


def test_a_signal_before_the_player_is_ready() -> None:
    """A player that is still starting is asked like any other."""
    with Program("starting") as program:
        program.wait_for("starting")
        program.send(signal.SIGTERM)
        program.wait_for("asked: SIGTERM", "after")
        assert program.end() == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_signals_before_there_is_a_loop(signals: int) -> None:
    """A signal that comes before the loop runs counts as well."""
    with Program("early", signals) as program:
        assert program.end() == 0
        assert program.lines == ["after"]


def test_a_signal_while_the_loop_is_blocked() -> None:
    """Threads are asked at once, the loop's players once it goes on, and all ends gracefully."""
    with Program("blocked", "input") as program:
        program.wait_for("blocked")
        program.send(signal.SIGTERM)
        program.wait_for("thread asked: SIGTERM")
        program.say("go on")
        program.wait_for("asked: SIGTERM", "after")
        assert program.end() == 0


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_forked_child_gets_the_same_signal(how: str) -> None:
    """A Ctrl-C that parent and child get counts once, and the child has the handlers found before."""
    with Program("forks", how) as program:
        program.wait_for("ready", "child")
        program.send_to_group(signal.SIGINT)
        program.wait_for("child interrupted", "asked")
        program.say("go on")
        program.wait_for("stopped")
        assert program.end() == 0


def test_a_second_signal_skips_the_drain_delay() -> None:
    """From the first signal on nothing is ready and nobody is asked; a second signal asks."""
    with Program("draining") as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("draining, asked: False")
        program.send(signal.SIGINT)
        program.wait_for("asked: SIGINT")
        assert program.end() == 0


def test_a_second_signal_after_the_drain_delay_cuts_off() -> None:
    """When the delay is over and all have been asked, the next signal is the one that cuts off."""
    with Program("slow", 0.01) as program:
        program.wait_for("ready")
        program.send(signal.SIGTERM)
        program.wait_for("asked: SIGTERM")
        program.send(signal.SIGTERM)
        program.wait_for("cut off")
        assert program.end() == 1


def test_a_hangup_ends_the_program_unless_it_is_one_of_the_signals() -> None:
    """SIGHUP is left as it is by default, and stops gracefully where it is named."""
    with Program("hangup", "heard") as program:
        program.wait_for("ready")
        program.send(signal.SIGHUP)
        program.wait_for("asked: SIGHUP")
        assert program.end() == 0
    with Program("hangup") as program:
        program.wait_for("ready")
        program.send(signal.SIGHUP)
        assert program.end() == -signal.SIGHUP
