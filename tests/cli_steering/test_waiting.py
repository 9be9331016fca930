"""`orchestra wait`: an end of one's own is told from one that was asked for, also at the program's end."""

import importlib
import os
import signal
import sys
import threading

import pytest
from steering_kit import PATIENCE, Place, Played

from orchestra.cli.following import following
from orchestra.cli.program import orchestra as cli

wait_module = importlib.import_module("orchestra.cli.wait")

PROGRAM = """\
from pathlib import Path
from orchestra import Conductor, StatusPlayer, run

async def job(ctx):
    while not Path("go").exists():
        if not await ctx.sleep(0.01):
            return
    if Path("go").read_text() == "fail":
        raise ValueError("no luck")

async def serves(ctx):
    await ctx.wait()

conductor = Conductor({"job": job})
serving = Conductor({"job": job, "serves": serves, "other": job}, idle={"other"})
first = Conductor({"job": job, "serves": serves}, stop_when="any")

if __name__ == "__main__":
    run(Conductor({"job": job, "status": StatusPlayer(name="own")}))
"""
OWN = [sys.executable, "shop.py"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(PROGRAM)
    place = Place(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", place.env["XDG_RUNTIME_DIR"])
    return place


def play(place, *args):
    return Played(place, sys.executable, "-m", "orchestra", "play", *args)


class Waiting:
    """`orchestra wait` in a thread, which has seen how all players are when this is made."""

    def __init__(self, monkeypatch, capsys, *args):
        seen, self._capsys = threading.Event(), capsys

        def followed(*given):
            for overview in following(*given):
                seen.set()
                yield overview

        monkeypatch.setattr(wait_module, "following", followed)
        self._codes = []
        self._thread = threading.Thread(target=lambda: self._codes.append(cli(["wait", *args])))
        self._thread.start()
        assert seen.wait(PATIENCE)

    def end(self):
        self._thread.join(PATIENCE)
        said = self._capsys.readouterr()
        return self._codes, said.out, said.err


@pytest.fixture
def wait(monkeypatch, capsys):
    return lambda *args: Waiting(monkeypatch, capsys, *args)


@pytest.mark.parametrize("how", ["play", "reload", "run"])
def test_a_job_that_is_done_as_its_program_is(place, wait, how):
    """It is seen also though the program ends in the same moment; with one whose code has the status, too."""
    args = ["shop", "--reload"] if how == "reload" else ["shop"]
    with Played(place, *OWN) if how == "run" else play(place, *args) as program:
        assert place.orchestra("wait", "job", "--timeout", "40").code == 0
        waiting = wait("job", "--for", "done")
        (place.folder / "go").touch()
        assert waiting.end() == ([0], "job: ✓ done\n", "")
        assert program.process.wait() == 0


@pytest.mark.parametrize("how", ["play", "run"])
def test_a_program_that_is_done(place, wait, how):
    """When all of it has ended by itself, and well; also one in which others stop with the first."""
    with Played(place, *OWN) if how == "run" else play(place, "shop:first") as program:
        assert place.orchestra("wait", "job", "--timeout", "40").code == 0
        waiting = wait("--for", "done")
        (place.folder / "go").touch()
        codes, out, err = waiting.end()
        assert (codes, err) == ([0], "")
        assert out.endswith(f" (pid {program.process.pid}): ✓ done\n")


def test_stopped_by_hand_is_not_done(place, wait):
    """A player that somebody has stopped, or that is idle, may be started yet, and is waited for."""
    with play(place, "shop:serving"):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        assert place.orchestra("stop", "job").code == 0
        said = place.orchestra("wait", "job", "other", "--for", "done", "--timeout", "0.3")
        assert (said.code, said.out) == (3, "")
        assert said.err == (
            "orchestra: after 0.3 s, not done: job (stopped, not by itself), "
            "other (stopped, not by itself)\n"
        )
        assert place.orchestra("wait", "job", "--for", "stopped").code == 0
        assert "○ stopped" in place.orchestra("status", "job").out
        waiting = wait("job", "--for", "done")
        (place.folder / "go").touch()
        assert place.orchestra("start", "job").code in (0, 1)  # it may have ended by then
        assert waiting.end() == ([0], "job: ✓ done\n", "")
        assert "✓ done" in place.orchestra("status", "job").out


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("paths", [[], ["job"]])
def test_a_program_that_is_ended_before(place, wait, signum, paths):
    """What was asked to stop with its program, or killed with it, is not done: it ends with 3."""
    with play(place, "shop", "--no-prefix") as program:
        assert place.orchestra("wait", "job", "--timeout", "40").code == 0
        waiting = wait(*paths, "--for", "done")
        os.kill(program.process.pid, signum)
        codes, out, err = waiting.end()
        assert (codes, out) == ([3], "")
        assert err.startswith(f"orchestra: shop (pid {program.process.pid}) has ended, not done: ")


def test_a_player_that_is_not_known_yet(place):
    """As long as something starts, it may come; a name that nobody has then ends with 4."""
    with play(place, "shop", "--reload"):
        asked = place.begin("wait", "jop", "--timeout", "40")
        assert place.orchestra("wait", "job", "--timeout", "40").code == 0
        out, err = asked.communicate(timeout=PATIENCE)
        assert (asked.returncode, out) == (4, "")
        assert err == "orchestra: no player 'jop'. Did you mean 'job'?\n"


def test_a_job_that_fails(place, wait):
    """It will never be done, which is told at once."""
    with play(place, "shop"):
        assert place.orchestra("wait", "job", "--timeout", "40").code == 0
        waiting = wait("job", "--for", "done")
        (place.folder / "go").write_text("fail")
        assert waiting.end() == ([3], "", "orchestra: job: failed\n")
