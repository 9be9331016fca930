"""`orchestra check`: what it draws, and what it says of what can't be played."""

import itertools
from pathlib import Path

import pytest
from play_kit import orchestra

from orchestra import ConstantBackoff, ExponentialBackoff
from orchestra.cli.drawing import backoff_in_words
from orchestra.cli.program import orchestra as cli

TOML = """\
[orchestra]
name = "shop"
timeout = "20s"
drain_delay = "2s"

[players.db]
command = "redis-server"
ready = { tcp = "localhost:6379" }
alive = { command = "redis-cli ping", every = "10s" }
backoff = { initial = "1s", max_delay = "1m" }
give_up = "5 in 60s"
start_timeout = "30s"
stop = { timeout = "15s" }

[players.migrate]
command = "shop migrate"
once = true
after = "db"

[players.web]
command = "touch started"
copies = 2
after = ["migrate", "db"]
restart = "always"

[players.jobs]
ordered = true
stop_when = "any"
timeout = 5

[players.jobs.players.mailer]
command = "mailer"
backoff = [1, "5s", 30]

[players.jobs.players.spare]
command = "spare"
autostart = false
"""

TREE = """\
shop          group    20 s to stop, drain delay 2 s
├─ db         command  ready by tcp('localhost', 6379), 30 s to start, alive by command('redis-cli ping') every 10 s, 15 s to stop, comes back after 1 s to 1 m, at most 5 in 1 m
├─ migrate    command  after db, ready when done
├─ web        group    after migrate done and db, 9 s to stop
│  ├─ 0       command  always comes back after 0.5 s to 1 m
│  └─ 1       command  always comes back after 0.5 s to 1 m
└─ jobs       group    ordered, ends with any, 5 s to stop
   ├─ mailer  command  comes back after 1 s, 5 s, 30 s
   └─ spare   command  after mailer, idle
"""


def test_the_tree(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It draws all players with their order, times and backoffs; none of them starts."""
    (folder / "orchestra.toml").write_text(TOML)
    monkeypatch.chdir(folder)
    assert cli(["check"]) == 0
    assert capsys.readouterr().out == TREE
    assert not (folder / "started").exists()


def test_what_is_chosen_is_drawn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options that say what plays are those of `play`."""
    (folder / "orchestra.toml").write_text(TOML)
    monkeypatch.chdir(folder)
    assert cli(["check", "--only", "jobs.mailer,db", "--scale", "db=1", "--timeout", "3"]) == 0
    out = capsys.readouterr().out
    assert "shop          group    3 s to stop" in out
    assert "└─ 0  " in out
    assert "web" not in out
    assert "! the program has 3 s to stop, and its players need 22 s" in out


@pytest.mark.parametrize(
    ("target", "out"),
    [
        ("shop", "shop      group      9 s to stop\n├─ works  coroutine\n└─ others  group"),
        ("shop:works", "works  coroutine\n"),
    ],
)
def test_code(folder: Path, target: str, out: str) -> None:
    """A target in code is imported and drawn in the same way."""
    found = orchestra(folder, "check", target)
    assert (found.code, found.err) == (0, "")
    assert found.out.split()[:4] == out.split()[:4]


def test_a_time_that_is_too_short(folder: Path) -> None:
    """A group that has less time to stop than its players need is told of."""
    (folder / "orchestra.toml").write_text(
        "[players.g]\ntimeout = 5\n[players.g.players.a]\ncommand='x'\nstop={timeout='20s'}"
    )
    found = orchestra(folder, "check")
    assert found.code == 0
    assert found.out.splitlines()[-1] == (
        "! g has 5 s to stop, and its players need 24 s by what is said of each"
    )


def test_exit_codes(folder: Path) -> None:
    """2 for what can't be played, with the line; 1 for an error in the code, with its own traceback."""
    (folder / "orchestra.toml").write_text("[players.a]\ncommand = 'x'\nrestrt = 'always'")
    found = orchestra(folder, "check")
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        "orchestra: orchestra.toml:3: 'restrt' is unknown here. Did you mean 'restart'?\n"
    )
    (folder / "broken.py").write_text("1 / 0")
    found = orchestra(folder, "check", "broken")
    assert (found.code, found.out) == (1, "")
    assert found.err.endswith("ZeroDivisionError: division by zero\n")


def test_backoffs_in_words() -> None:
    """Whatever is a backoff is told of; one for ever is cut short."""
    assert backoff_in_words(()) == ""
    assert backoff_in_words(itertools.repeat(1)) == "after 1 s, 1 s, 1 s, 1 s, …"
    assert backoff_in_words(ExponentialBackoff(max_restarts=3)) == "after 0.5 s to 1 m, at most 3"
    assert backoff_in_words(ConstantBackoff(2)) == "after 2 s"


def test_a_watchdog_and_the_backoff_of_a_group(folder: Path) -> None:
    """What players in code declare is drawn as well."""
    (folder / "own.py").write_text(
        "from orchestra import Conductor\n"
        "class Own:\n    watchdog = 30\n    async def play(self, ctx): ...\n"
        "conductor = Conductor({'own': Own()}, backoff=[1])\n"
    )
    found = orchestra(folder, "check", "own")
    assert "group 9 s to stop, comes back after 1 s" in found.out
    assert "└─ own Own watchdog 30 s" in found.out
