"""Each verb that sees or steers, run for real against a program in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from steering_kit import PATIENCE, Place, Played, shop


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("p"))


@pytest.fixture(scope="module")
def played(place):
    """A program that the tests of this module share; each leaves it as it was."""
    with shop(place) as program:
        assert place.orchestra("wait", "--timeout", "40").code == 0
        yield program


def states(place, *paths):
    rows = place.orchestra("status", "--json", *paths).data["players"]
    return {row["path"]: row["state"] for row in rows}


def test_status(place, played):
    """The table has a line for each player, with glyph and word, and no colours when it is piped."""
    said = place.orchestra("status")
    assert said.code == 0
    head, names, *rows = said.lines
    assert head == f"shop (pid {played.process.pid}): ✓ ready"
    assert names.split() == ["PLAYER", "KIND", "STATE", "UP", "RESTARTS", "LAST", "LINE"]
    assert [row.split()[0] for row in rows][:5] == [
        "jobs",
        "jobs.mailer",
        "jobs.slow",
        "jobs.once",
        "web",
    ]
    mailer = next(row for row in rows if row.startswith("jobs.mailer "))
    assert "  ✓ ready  " in mailer
    assert mailer.endswith("mailer takes its place")
    assert "\033" not in said.out
    assert len({row.index(" s  ") > 0 for row in rows if " s  " in row}) == 1


def test_poor_terminals(place, played):
    """Where there are no such signs, the words are enough; where nobody reads on, it ends silently."""
    said = place.orchestra("status", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert said.code == 0
    assert said.lines[0].endswith(": ? ready")
    piped = f"{sys.executable} -m orchestra logs --json | head -n 1"
    done = subprocess.run(
        ["sh", "-c", piped], env=place.env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_status_of_some(place, played):
    """A path shows a player, or a group with all in it; a glob shows those that it fits."""
    assert list(states(place, "jobs")) == ["jobs", "jobs.mailer", "jobs.slow", "jobs.once"]
    assert list(states(place, "web.*", "jobs.mailer")) == ["jobs.mailer", "web.0", "web.1"]


def test_status_that_is_not_ready(place, played):
    """What is named has to play for `status` to end with 0; at rest among all it keeps nobody."""
    said = place.orchestra("status", "console")
    assert said.code == 3
    assert said.lines[0].endswith("✗ not ready: console")
    assert place.orchestra("status", "--json", "console").data["unready"] == ["console"]


def test_watch(place, played):
    """`--watch` prints a JSON line with all players, and one for each change after it."""
    watching = place.begin("status", "--watch", "jobs")
    try:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        assert [row["path"] for row in first["players"]][:2] == ["jobs", "jobs.mailer"]
        place.orchestra("restart", "web.0", "jobs.mailer")
        changed = json.loads(watching.stdout.readline())
        assert {row["path"] for row in changed["players"]} <= {"jobs", "jobs.mailer"}
        assert not changed["all"]
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=PATIENCE)
        assert (watching.returncode, err) == (130, "")
    finally:
        watching.kill()
        watching.communicate()


def test_stop_and_start(place, played):
    """`stop` waits until they have ended, `start` until they are ready, several at the same time."""
    said = place.orchestra("stop", "jobs.slow", "web.0")
    assert said.code == 0
    assert sorted(line.split(" in ")[0] for line in said.lines) == [
        "jobs.slow: stopped",
        "web.0: stopped",
    ]
    assert set(states(place, "jobs.slow", "web.0").values()) == {"stopped"}
    said = place.orchestra("start", "jobs.slow", "web.0", "console")
    assert said.code == 0
    assert all(line.endswith("✓ ready") for line in said.lines)
    place.orchestra("stop", "console")


def test_restart(place, played):
    """`restart` by a glob leaves none of them as it was; a group is restarted whole."""
    before = place.orchestra("status", "--json").data["players"]
    said = place.orchestra("restart", "web.*", "jobs")
    assert said.code == 0
    assert sorted(line.split(":")[0] for line in said.lines) == ["jobs", "web.0", "web.1"]
    after = place.orchestra("status", "--json").data["players"]
    began = {row["path"]: row["since"] for row in before}
    newer = {row["path"] for row in after if row["since"] > began[row["path"]]}
    assert newer >= {"web.0", "web.1", "jobs.mailer", "jobs.slow"}


def test_scale(place, played):
    """`scale` makes and takes away copies, and is refused by what has none."""
    said = place.orchestra("scale", "web=4")
    assert said.code == 0
    assert said.out.startswith("web: scaled to 4 in ")
    assert list(states(place, "web")) == ["web", "web.0", "web.1", "web.2", "web.3"]
    assert place.orchestra("scale", "web=2").code == 0
    said = place.orchestra("scale", "jobs=2")
    assert (said.code, said.out) == (1, "")
    assert "no group of copies" in said.err


def test_without_waiting(place, played):
    """With `--no-wait` it is asked, and not waited for; with `--timeout`, it ends with 3 if it is late."""
    said = place.orchestra("start", "late", "--no-wait")
    assert (said.code, said.lines) == (0, ["late: asked, and not waited for"])
    said = place.orchestra("restart", "late", "--timeout", "0.1")
    assert said.code == 3
    assert "late: restart 'late' goes on" in said.err
    assert place.orchestra("stop", "late").code == 0


def test_wait(place, played):
    """`wait` ends when they are ready, stopped or done, and with 3 when they are not in time."""
    assert place.orchestra("wait").code == 0
    assert place.orchestra("wait", "jobs.once", "--for", "done").code == 0
    said = place.orchestra("wait", "late", "web", "--timeout", "0.1")
    assert (said.code, said.out) == (3, "")
    assert said.err == "orchestra: after 0.1 s, not ready: late (stopped)\n"
    place.orchestra("start", "late", "--no-wait")
    waiting = place.begin("wait", "late", "--timeout", "40")
    (place.folder / "here").touch()
    out, err = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, out, err) == (0, "late: ✓ ready\n", "")
    waiting = place.begin("wait", "late", "--for", "stopped")
    place.orchestra("stop", "late")
    waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0
    (place.folder / "here").unlink()


def test_logs(place, played):
    """Lines come with their time, path and sign, oldest first, as `play` prints them."""
    said = place.orchestra("logs", "jobs.mailer", "-n", "1")
    assert said.code == 0
    time, path, sign, *text = said.out.split()
    assert (path, sign, " ".join(text)) == ("jobs.mailer", "·", "shop: mailer takes its place")
    assert time.count(":") == 2
    whole = place.orchestra("logs", "--json").lines
    numbers = [json.loads(line)["id"] for line in whole]
    assert numbers == sorted(numbers)
    assert len(place.orchestra("logs", "-n", "2").lines) >= 2


def test_logs_that_are_chosen(place, played):
    """`--grep`, `--since` and `--previous` leave out the others."""
    place.orchestra("restart", "jobs.mailer")
    found = place.orchestra("logs", "--grep", "takes its .lace", "jobs").lines
    assert found
    assert all("takes its place" in line for line in found)
    assert place.orchestra("logs", "--since", "2999-01-01").lines == []
    before = place.orchestra("logs", "--previous", "jobs.mailer", "--json").lines
    assert json.loads(before[-1])["text"] == "jobs.mailer: stopping: restart"


def test_logs_of_a_terminal(place, played):
    """What would turn a terminal upside down does not get there."""
    place.orchestra("start", "console")
    said = place.orchestra("logs", "console", "--grep", "opens")
    place.orchestra("stop", "console")
    assert "\033" not in said.out
    assert said.lines[-2].endswith("shop: console opens")
    assert said.lines[-1].endswith("│ a second line")


def test_follow(place, played):
    """`-f` goes on with what comes, of those that are meant."""
    place.orchestra("start", "console")
    following = place.begin("logs", "-f", "-n", "1", "--json", "console")
    try:
        assert following.stdout is not None
        kept = json.loads(following.stdout.readline())
        place.orchestra("stop", "console", "web.0")
        came = json.loads(following.stdout.readline())
        assert came["id"] > kept["id"]
        place.orchestra("start", "web.0")
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=PATIENCE)
        assert (following.returncode, err) == (130, "")
        assert {json.loads(line)["path"] for line in out.splitlines()} <= {"console"}
    finally:
        following.kill()
        following.communicate()


def test_stack(place, played):
    """`stack` shows the await chain of a player, and of all below a group."""
    said = place.orchestra("stack", "jobs.slow")
    assert said.lines[0] == "jobs.slow"
    assert "in slow: await ctx.wait()" in said.lines[1]
    assert [line for line in place.orchestra("stack", "jobs").lines if line[:1] not in " "] == [
        "jobs",
        "jobs.mailer",
        "jobs.slow",
    ]
    assert place.orchestra("stack", "late").out == "late does not play\n"


def test_the_root(place, played):
    """The root has an empty path, and is named in words."""
    said = place.orchestra("stop", "")
    assert (said.code, said.out) == (1, "")
    assert said.err == "✗ the whole: the conductor is the root: stop the whole tree instead\n"
    assert place.orchestra("stack", "").lines[0] == "the whole"


def test_list(place, played):
    """`list` shows the programs of this user, and `--json` where their sockets are."""
    said = place.orchestra("list")
    assert said.lines[0].split() == ["PROGRAM", "PID", "STATE", "UP", "FILE"]
    assert said.lines[1].split()[:4] == ["shop", str(played.process.pid), "✓", "ready"]
    (found,) = place.orchestra("list", "--json").data["programs"]
    assert (found["name"], found["pid"], found["ready"]) == ("shop", played.process.pid, True)
    assert Path(found["socket"]).is_socket()


def test_open(place, played):
    """`open` says what to do where there is no page."""
    said = place.orchestra("open", "--print")
    assert (said.code, said.out) == (1, "")
    assert "--web" in said.err


def test_reload(place, played):
    """`reload` is refused by a program that plays no file."""
    said = place.orchestra("reload", "--dry-run")
    assert (said.code, said.out) == (1, "")
    assert "file" in said.err


@pytest.mark.parametrize(
    "args",
    [
        ["status", "jops"],
        ["stop", "jops"],
        ["restart", "jops.*"],
        ["scale", "jops=2"],
        ["wait", "jops"],
        ["logs", "jops"],
        ["stack", "jops"],
    ],
)
def test_nobody_of_this_name(place, played, args):
    """A path that nobody has ends with 4, and says which is nearest."""
    said = place.orchestra(*args)
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("orchestra: no player 'jops")
    assert "Did you mean 'jobs'?" in said.err


@pytest.mark.parametrize(
    "args",
    [
        ["start"],
        ["restart"],
        ["scale", "web"],
        ["scale", "web=-1"],
        ["scale", "=1"],
        ["wait", "--timeout", "nan"],
        ["wait", "--for", "godot"],
        ["wait", "--timeout", "soon"],
        ["logs", "--grep", "("],
        ["logs", "--since", "once upon a time"],
        ["logs", "-f", "--previous"],
        ["completion", "command.com"],
        ["statsu"],
    ],
)
def test_usage(place, played, args):
    """What makes no sense ends with 2, and says what does."""
    said = place.orchestra(*args)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Usage: orchestra")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(place, played, shell):
    """The script of a shell asks `orchestra` itself, which knows the paths of the players."""
    assert "_ORCHESTRA_COMPLETE" in place.orchestra("completion", shell).out
    words = {"COMP_WORDS": "orchestra restart jobs.m", "COMP_CWORD": "2"}
    if shell == "bash":
        said = place.orchestra(_ORCHESTRA_COMPLETE="bash_complete", **words)
        assert said.out == "plain,jobs.mailer\n"
        words = {"COMP_WORDS": "orchestra play ap", "COMP_CWORD": "2"}
        assert place.orchestra(_ORCHESTRA_COMPLETE="bash_complete", **words).out == "file,ap\n"


def test_several_programs(place, played):
    """With several, one is named, or by its pid; otherwise there is a list of them."""
    with shop(place, "other") as other:
        said = place.orchestra("status")
        assert said.code == 2
        assert f"shop (pid {played.process.pid})" in said.err
        assert f"other (pid {other.process.pid})" in said.err
        for which in ("other", str(other.process.pid)):
            assert place.orchestra("status", "--program", which).lines[0].startswith("other (pid")
        socket = place.folder / "orchestra" / f"other-{other.process.pid}.sock"
        assert place.orchestra("stack", "web.0", "-p", str(socket)).code == 0
        said = place.orchestra("status", "-p", "othr")
        assert said.code == 4
        assert "Did you mean 'other'?" in said.err
        with shop(place, "other"):
            said = place.orchestra("status", "-p", "other")
            assert (said.code, said.err.count("other (pid ")) == (2, 2)
        said = place.orchestra("stop", "-p", str(other.process.pid))
        assert (said.code, said.out.split(" in ")[0]) == (
            0,
            f"other (pid {other.process.pid}): ○ stopped",
        )
        assert other.process.wait() == 0


def test_nobody_plays(tmp_path):
    """Without a program each verb ends with 4, and says what to do."""
    place = Place(tmp_path)
    for verb in ("status", "logs", "stop", "wait", "reload", "open"):
        said = place.orchestra(verb)
        assert (said.code, said.out) == (4, "")
        assert said.err.startswith("orchestra: no program plays: play one with `orchestra play`")
    assert place.orchestra("list").out == "no program plays\n"
    assert place.orchestra("wait", "--timeout", "0.1").code == 4


def test_one_that_was_killed(tmp_path):
    """The socket of a program that was killed is taken away, and counts for nothing."""
    place = Place(tmp_path)
    with shop(place) as killed:
        pass
    (socket,) = (tmp_path / "orchestra").glob("*.sock")
    assert socket.name == f"shop-{killed.process.pid}.sock"
    assert place.orchestra("status").code == 4
    assert not socket.exists()


def test_one_that_is_frozen(tmp_path):
    """A program that does not answer is shown so, and does not hold up the list."""
    place = Place(tmp_path)
    with shop(place) as program:
        os.kill(program.process.pid, signal.SIGSTOP)
        said = place.orchestra("list")
        os.kill(program.process.pid, signal.SIGCONT)
    assert "✗ no answer in 2 seconds" in said.lines[1]


def test_waiting_for_a_program(tmp_path):
    """With a timeout, `wait` waits for a program that is not there yet, too, and for its end."""
    place = Place(tmp_path)
    waiting = place.begin("wait", "jobs", "--timeout", "40")
    with shop(place) as program:
        waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 0
        for_its_end = place.begin("wait", "--for", "stopped", "--timeout", "40")
        while_it_plays = place.begin("logs", "-f", "-n", "0")
        assert place.orchestra("stop", "--no-wait").code == 0
        for each in (for_its_end, while_it_plays):
            each.communicate(timeout=PATIENCE)
            assert each.returncode in (0, 4)
        assert program.process.wait() == 0


def test_import(place):
    """A file of another tool goes to standard output as TOML, and what did not map to standard error."""
    (place.folder / "s.conf").write_text("[program:web]\ncommand=web\nserverurl=x\nnice=3\n")
    said = place.orchestra("import", "s.conf")
    assert said.code == 0
    assert '[players.web]\ncommand = "web"' in said.out
    assert said.err == (
        "orchestra: what did not map of s.conf:\n- [program:web] nice: there is no such thing\n"
    )
    assert place.orchestra("import", "-", given="web: serve $PORT\n").out == (
        '# Made from <stdin>.\n\n[orchestra]\nstop_when = "any"\n\n[players.web]\n'
        'command = "serve $PORT"\nshell = true\n'
    )


def test_import_of_nonsense(place):
    """What can't be read ends with 2 and a line."""
    (place.folder / "nonsense").write_bytes(b"\xff\xfe nonsense")
    for name in ("nonsense", "missing", "."):
        assert place.orchestra("import", name).code == 2
    said = place.orchestra("import", "-", given="nonsense")
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_python_m(place):
    """`python -m orchestra` is `orchestra`, and its help names all verbs."""
    out = place.orchestra("--help").out
    assert all(f"\n  {verb} " in out for verb in ("play", "status", "logs", "completion"))
    assert sys.version_info >= (3, 11)


def test_open_a_page(tmp_path):
    """`open` prints where the page is, with its token, and has the browser open it."""
    place = Place(tmp_path)
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o700)
    with shop(place, "shop", "page"):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        said = place.orchestra("open", "--print", BROWSER=f"{browser} %s")
        assert said.out.startswith("http://127.0.0.1:")
        assert "#token=" in said.out
        assert not (tmp_path / "opened").exists()
        assert place.orchestra("open", BROWSER=f"{browser} %s").out == said.out
        assert (tmp_path / "opened").read_text() == said.out


def test_reload_of_a_file(tmp_path):
    """`reload` prints what changed in the file that is played, and applies it, unless it is a dry run."""
    place = Place(tmp_path)
    file = tmp_path / "orchestra.toml"
    file.write_text("[players.one]\ncommand = 'sleep 1000'\n")
    with Played(place, sys.executable, "-m", "orchestra", "play"):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        assert place.orchestra("reload").out == "nothing has changed\n"
        with file.open("a") as more:
            more.write("[players.two]\ncommand = 'sleep 1001'\n")
        said = place.orchestra("reload", "--dry-run")
        assert said.code == 0
        assert "two" in said.lines[0]
        assert said.lines[-1] == "nothing was applied: this was a dry run"
        assert "two" not in states(place)
        assert place.orchestra("reload").code == 0
        assert place.orchestra("wait", "two", "--timeout", "40").code == 0
        file.write_text("nonsense")
        said = place.orchestra("reload")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "two" in states(place)


def test_demo(tmp_path):
    """`demo` plays the demo, which can end by itself."""
    said = Place(tmp_path).orchestra("demo", DEMO_SECONDS="1")
    assert (said.code, said.err) == (0, "")
    assert "Stopped in" in said.out


def test_completion_of_programs(place, played, tmp_path):
    """The names of programs are completed; where nobody plays, nothing is, and nothing goes wrong."""
    words = {"COMP_WORDS": "orchestra status -p sh", "COMP_CWORD": "3"}
    said = place.orchestra(_ORCHESTRA_COMPLETE="bash_complete", **words)
    assert said.out == "plain,shop\n"
    for asked in (words, {"COMP_WORDS": "orchestra stop j", "COMP_CWORD": "2"}):
        said = Place(tmp_path).orchestra(_ORCHESTRA_COMPLETE="bash_complete", **asked)
        assert (said.out.strip(), said.err) == ("", "")
    tmp_path.joinpath("orchestra").mkdir(mode=0o755)
    said = Place(tmp_path).orchestra(_ORCHESTRA_COMPLETE="bash_complete", **words)
    assert said.out.strip() == ""


def test_a_folder_that_others_can_write_to(tmp_path):
    """Sockets in a folder that is not the user's alone are not trusted."""
    place = Place(tmp_path)
    tmp_path.joinpath("orchestra").mkdir(mode=0o755)
    said = place.orchestra("status")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "mode 0700" in said.err


def test_a_program_that_ends_meanwhile(tmp_path):
    """What was waited for can't come any more when the program has ended; being stopped has come."""
    place = Place(tmp_path)
    with shop(place):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        waiting = [
            place.begin("wait", "late", "--for", goal, "--timeout", "40")
            for goal in ("ready", "stopped")
        ]
        place.orchestra("start", "late", "--no-wait")
        assert place.orchestra("stop").code == 0
        said = [each.communicate(timeout=PATIENCE) for each in waiting]
    # One that had not looked before the end found nobody.
    assert waiting[0].returncode in (3, 4)
    assert said[0][0] == ""
    assert waiting[1].returncode in (0, 4)
