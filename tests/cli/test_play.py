"""`orchestra play` as its users see it, in processes of its own: output, signals, exit codes."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from play_kit import Play, Said, on_a_terminal, orchestra

Here = Callable[..., Said]
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
PYTHON = sys.executable


# Exit codes


@pytest.mark.parametrize("signum", [INT, TERM, HUP])
def test_a_clean_stop(folder: Path, signum: int) -> None:
    """0 after any of the signals that ask it to stop, also that of a terminal that is closed."""
    with Play(folder, "shop") as play:
        play.until("shop ✓ ready")
        assert play.end(signum) == 0
        hint = " (Ctrl-C again to force)" if signum == INT else f": {signal.Signals(signum).name}"
        assert f"□ stopping 2 players{hint}" in play.text
        assert play.lines[-1].startswith("shop ■ stopped in ")
        assert play.lines[-1].endswith(", 0 restarts, exit code 0")


def test_an_end_of_its_own(folder: Path) -> None:
    """0 as well when all players have ended."""
    with Play(folder, "shop:make()") as play:
        assert play.end() == 0
        assert "ended by itself after " in play.lines[-1]


def test_a_failure(folder: Path) -> None:
    """1, and the last thing on the screen is who failed, and why, in the user's own words."""
    with Play(folder, "shop:failing") as play:
        assert play.end() == 1
        summary = next(at for at, line in enumerate(play.lines) if "exit code 1" in line)
        end = [line.partition("fails")[2] for line in play.lines[summary + 1 :]]
        assert end[0] == " ✗ failed: ConnectionError: the queue is away"
        assert end[1] == " │ Traceback (most recent call last):"
        assert end[-1] == " │ ConnectionError: the queue is away"
        assert f'File "{folder}/shop.py", line' in play.text
        assert "src/orchestra" not in play.text
        assert play.errors == ""


def test_only_a_stop_timeout(folder: Path) -> None:
    """3, and whoever was late is named, with where it was."""
    with Play(folder, "shop:late") as play:
        play.until("✓ ready")
        assert play.end(TERM) == 3
        assert "did not stop in time: stuck" in play.text
        assert "in is_stuck: await asyncio.sleep(60)" in play.text
        assert play.errors == ""


def test_a_failure_and_a_stop_timeout(folder: Path) -> None:
    """1 if something has failed as well."""
    with Play(folder, "shop:both") as play:
        assert play.end() == 1
        assert "failed: ConnectionError" in play.text
        assert "did not stop in time: stuck" in play.text


def test_a_second_signal(folder: Path) -> None:
    """It cuts off at once whoever has not stopped."""
    with Play(folder, "shop:stuck") as play:
        play.until("shop ✓ ready")
        play.send(INT)
        play.until("waiting for stuck, for 1 s now")
        assert play.end(INT) == 3
        assert "shop ! cutting off who is left (Ctrl-C again to end at once)" in play.text
        assert "stuck ! cut off, it did not stop in time" in play.text


def test_by_force(folder: Path) -> None:
    """128 and the signal's number if the loop is blocked when the time is over, with where it is."""
    with Play(folder, "shop:blocking") as play:
        play.until("nobody else gets a turn")
        assert play.end(TERM) == 128 + TERM
        assert "the process ends with 143: the loop is blocked" in play.errors
        assert "in blocks: time.sleep(60)" in play.errors


def test_a_third_signal(folder: Path) -> None:
    """It ends the process, with 128 and the signal's number, whatever keeps it."""
    with Play(folder, "shop:blocking", "--timeout", "40s") as play:
        play.until("nobody else gets a turn")
        # Each by itself, since two that come at once are one to the system.
        while not play.ended(within=0.1):
            play.send(INT)
        assert play.end() == 128 + INT
        assert "one signal more than it takes to cut everything off" in play.errors


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["shop:condctor"], "orchestra: shop has no 'condctor'. Did you mean 'conductor'?\n"),
        (["shap"], "orchestra: there is no module 'shap'. Did you mean 'shop'?\n"),
        (["shop:log"], "orchestra: log in shop:log is <Logger shop ("),
        (["shop:make"], "orchestra: make in shop:make makes a Conductor: say shop:make()\n"),
        (["shop", "--scale", "works=2"], "orchestra: works is no group of copies"),
        (["shop", "--only", "wrks"], "orchestra: no player 'wrks'. Did you mean 'works'?\n"),
        ([], "orchestra: there is nothing to play in "),
    ],
)
def test_usage(here: Here, args: list[str], said: str) -> None:
    """2 with one line that has the nearest name, or what may be meant."""
    found = here("play", *args)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(said)
    assert len(found.err.splitlines()) == 1
    if args == ["shop:log"]:
        assert "Players in this module: shop:blocking" in found.err


def test_an_error_in_the_code(folder: Path) -> None:
    """1 with the user's own traceback, and no frame of ours."""
    (folder / "broken.py").write_text("def load():\n    raise KeyError('x')\nload()\n")
    found = orchestra(folder, "play", "broken")
    assert (found.code, found.out) == (1, "")
    # Newer versions underline what they mean.
    lines = [line for line in found.err.splitlines(True) if line.strip(" ~^\n")]
    assert "".join(lines) == (
        f'Traceback (most recent call last):\n  File "{folder}/broken.py", line 3, in <module>\n'
        f'    load()\n  File "{folder}/broken.py", line 2, in load\n'
        "    raise KeyError('x')\nKeyError: 'x'\n"
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--timeout", "soon"], "'soon' is no duration: write '20s'"),
        (["--scale", "web"], "'web' says no number of copies: write web=3"),
        (["--web=a b"], "'a b' is no address: write 8080, or localhost:8080"),
        (["--web", "--no-control"], "--web and --no-control exclude each other"),
        (["--reload-dir", "."], "--reload-dir goes with --reload"),
        (["--env-file", "nothing"], "File 'nothing' does not exist"),
        (["--nothing"], "No such option"),
        (["--log-level", "loud"], "'loud' is not one of"),
    ],
)
def test_options_that_make_no_sense(here: Here, args: list[str], said: str) -> None:
    """2, and what would make sense."""
    found = here("play", "shop", *args)
    assert found.code == 2
    assert said in found.err


# What it shows


def test_while_it_waits(folder: Path) -> None:
    """Each second it names whom it still waits for."""
    with Play(folder, "shop:stuck") as play:
        play.until("shop ✓ ready")
        play.send(TERM)
        play.until("shop · waiting for stuck, for 1 s now")
        play.until("shop · waiting for stuck, for 2 s now")


def test_json(folder: Path) -> None:
    """With `--log-format json`, all of it are lines of JSON, the end as well."""
    with Play(folder, "shop:failing", "--log-format", "json") as play:
        assert play.end() == 1
        found = [(one["path"], one["event"]) for one in play.data if "event" in one]
        assert found[:2] == [("", "started"), ("works", "started")]
        assert ("jobs.fails", "failed") in found
        assert found[-2:] == [("", "summary"), ("jobs.fails", "reason")]
        logged = next(one for one in play.data if one.get("logger") == "shop")
        assert (logged["path"], logged["level"], logged["message"]) == ("works", "INFO", "at work")
        assert play.data[-2]["exit_code"] == 1


def test_how_lines_look(folder: Path, here: Here) -> None:
    """A prefix, the time of day and colours are as they are asked for; piped, it is plain."""
    (folder / "Procfile").write_text("web: echo hello\n")
    play = ("play", "--no-control")
    assert "web │ hello\n" in here(*play).out
    assert "\nhello\n" in here(*play, "--no-prefix").out
    stamped = here(*play, "--timestamps").out.splitlines()
    assert all(line[2] == line[5] == ":" and line[8] == "." for line in stamped)
    assert "\033[" in here(*play, "--color", "always").out


def test_a_terminal_that_has_few_signs(folder: Path) -> None:
    """Where the signs can't be shown, others stand for them."""
    (folder / "Procfile").write_text("web: echo hello\n")
    found = orchestra(folder, "play", "--no-control", PYTHONIOENCODING="ascii")
    assert "web | hello\n" in found.out


def test_levels(folder: Path, here: Here) -> None:
    """`--log-level` leaves out what is below, but never what a command prints."""
    (folder / "Procfile").write_text("web: echo hello\n")
    found = here("play", "--log-level", "error", "--no-control")
    assert "web │ hello\n" in found.out
    assert "started" not in found.out


def rest_of(terminal: int) -> bytes:
    """All that is shown there until its end."""
    shown = b""
    with contextlib.suppress(OSError):  # its end is closed
        while piece := os.read(terminal, 65536):
            shown += piece
    os.close(terminal)
    return shown


def test_on_a_terminal(folder: Path) -> None:
    """There it has colours of its own accord, but for NO_COLOR."""
    for env, colored in [({}, True), ({"NO_COLOR": "1"}, False)]:
        process, ours = on_a_terminal(folder, "play", "shop:make()", "--no-control", **env)
        shown = rest_of(ours)
        assert process.wait() == 0
        assert (b"\033[" in shown) is colored
        assert b"ended by itself" in shown


def test_ctrl_c_on_a_terminal(folder: Path) -> None:
    """What it says then begins where its other lines do, over the `^C` that the terminal shows."""
    process, terminal = on_a_terminal(folder, "play", "shop", "--no-control", NO_COLOR="1")
    shown = b""
    while b" ready" not in shown.rpartition(b"shop")[2]:
        shown += os.read(terminal, 65536)
    os.write(terminal, b"\x03")
    shown += rest_of(terminal)
    assert process.wait() == 0
    # The terminal may be late with its own.
    assert re.search(r"\r(\^C)?shop +□ stopping 2 players", shown.decode())


def test_a_terminal_that_is_closed(folder: Path) -> None:
    """It stops gracefully when its terminal goes, though nobody sees that any more."""
    process, terminal = on_a_terminal(folder, "play", "shop", "--no-control")
    shown = b""
    while b" ready" not in shown.rpartition(b"shop")[2]:
        shown += os.read(terminal, 65536)
    os.close(terminal)
    assert process.wait() == 0


def test_code_that_sets_up_logging(folder: Path) -> None:
    """A logging of the code's own stands, and what commands print still comes."""
    (folder / "own.py").write_text(
        "import logging.config, sys\nfrom orchestra import CommandPlayer, Conductor\n"
        "logging.config.dictConfig({'version': 1, 'formatters': {'f': {'format': 'own %(message)s'}},\n"
        "    'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}},\n"
        "    'root': {'handlers': ['h'], 'level': 'INFO'}})\n"
        "conductor = Conductor({'web': CommandPlayer('echo hello')})\n"
    )
    found = orchestra(folder, "play", "own", "--no-control")
    assert found.code == 0
    assert "own hello\n" in found.err
    assert "web ■ stopped" in found.out


def test_a_reader_that_is_gone(folder: Path) -> None:
    """It goes on when nobody reads its output any more, and stops as it should."""
    with Play(folder, "shop") as play:
        play.until("shop ✓ ready")
        play.stop_reading()
        assert play.end(TERM) == 0
        assert play.errors == ""


# What it plays


def test_a_procfile(folder: Path) -> None:
    """Web, worker and clock, as every tutorial has them: output, ports, and one end for all."""
    (folder / "Procfile").write_text(
        f"web: {PYTHON} -c 'import os, time; print(os.environ[\"PORT\"]); time.sleep(60)'\n"
        "worker: echo worker $PORT; sleep 60\n"
        "clock: while true; do echo tick; sleep 0.05; done\n"
    )
    with Play(folder, "--scale", "worker=2") as play:
        for _ in range(3):
            play.until("tick")
        while not all(one in play.text for one in ("│ 5000", "│ worker 5100", "│ worker 5101")):
            play.until("│")
        assert play.end(INT) == 0
        assert "worker.1 │ worker 5101" in play.text


def test_a_process_of_a_procfile_that_ends(folder: Path) -> None:
    """Ends all of them; with 1, if it failed, and with its last lines."""
    (folder / "Procfile").write_text("web: sleep 60\nworker: echo no job; exit 3\n")
    with Play(folder) as play:
        assert play.end() == 1
        assert "sh exited with code 3" in play.text
        assert play.lines[-1].endswith("│ no job")
    (folder / "Procfile").write_text("web: sleep 60\nworker: true\n")
    with Play(folder) as play:
        assert play.end() == 0


def test_what_is_chosen(folder: Path, here: Here) -> None:
    """`--only` and `--except` say who plays."""
    (folder / "Procfile").write_text("a: echo one\nb: echo two\nc: echo three\n")
    found = here("play", "--only", "a,b", "--except", "b", "--no-control")
    assert "one" in found.out
    assert "two" not in found.out
    assert "three" not in found.out


def test_where_code_is_found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`--app-dir` says where modules are, `--factory` that the attribute is called, `--env-file` what it finds."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "vars").write_text("LEVEL=loud")
    args = ("shop:make", "--factory", "--app-dir", str(folder), "--env-file", "vars")
    found = orchestra(elsewhere, "play", *args)
    assert found.code == 0
    assert "level loud" in found.out


def test_times(folder: Path) -> None:
    """`--timeout` is the time to stop; `--drain-delay` is told, and cut short by a second signal."""
    with Play(folder, "shop:stuck", "--timeout", "200ms") as play:
        play.until("shop ✓ ready")
        assert play.end(TERM) == 3
    with Play(folder, "shop", "--drain-delay", "40s") as play:
        play.until("shop ✓ ready")
        play.send(INT)
        play.until("not ready any more, stopping in 40 s (Ctrl-C again to stop now)")
        assert play.end(INT) == 0


def test_uvloop(folder: Path) -> None:
    """`--uvloop` plays on it."""
    found = orchestra(folder, "play", "shop:tells_its_loop", "--uvloop", "--no-control")
    assert found.code == 0
    assert "uvloop" in found.out


def test_the_log_file(folder: Path, here: Here) -> None:
    """A file that the TOML names gets the same lines, with the time of day, and is followed by the next."""
    (folder / "orchestra.toml").write_text(
        "[orchestra]\nlog = { file = 'shop.log', max_size = 200, keep = 1 }\n"
        "[players.a]\ncommand = 'echo hello'\n[players.b]\ncommand = 'echo world'"
    )
    assert here("play", "--no-control").code == 0
    lines = [line for name in ("shop.log.1", "shop.log") for line in _lines(folder / name)]
    assert lines
    assert all(line[2] == ":" for line in lines)
    (folder / "orchestra.toml").write_text(
        "[orchestra]\nlog = 'no/such/folder'\n[players.a]\ncommand = 'true'"
    )
    found = here("play")
    assert found.code == 2
    assert "the log can't be written to" in found.err


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_signals_that_are_ignored(folder: Path) -> None:
    """What whoever starts it has had ignored, as `nohup` does, stays so."""
    before = signal.signal(HUP, signal.SIG_IGN)
    try:
        with Play(folder, "shop") as play:
            play.until("shop ✓ ready")
            play.send(HUP)
            assert play.end(TERM) == 0
            assert "SIGHUP" not in play.text
    finally:
        signal.signal(HUP, before)


def test_help(here: Here) -> None:
    """`--help` tells of the options and of the exit codes."""
    found = here("play", "--help")
    assert (found.code, found.err) == (0, "")
    for option in ("--reload", "--only", "--scale", "--drain-delay", "--no-control", "--uvloop"):
        assert option in found.out
    assert "128 + the signal's number" in found.out
