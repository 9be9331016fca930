"""Which players are meant, and what is said of them, without a program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.cli import words
from orchestra.cli.choosing import chosen, is_chosen, unready
from orchestra.cli.failures import Failure, NotReady, Unknown, failure_of
from orchestra.cli.importing import importer_for
from orchestra.cli.logs import line_of
from orchestra.cli.programs import program_at
from orchestra.cli.status import lines_of
from orchestra.cli.wait import all_done, missing_for
from orchestra.loading.errors import LoadError
from orchestra.web.client import AnsweredError, UnreachableError

PATHS = ["", "api", "jobs", "jobs.a", "jobs.a.x", "jobs.b"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], []),
        (["api"], ["api"]),
        (["jobs.a.x", "jobs"], ["jobs"]),
        (["jobs.*"], ["jobs.a", "jobs.b"]),
        (["*"], ["api", "jobs"]),
        (["*.x", "ap?"], ["api", "jobs.a.x"]),
        (["jobs.[ab]"], ["jobs.a", "jobs.b"]),
        ([""], [""]),
    ],
)
def test_choosing(patterns, found):
    """A group stands for all below it, and a glob for the highest that it fits."""
    assert chosen(patterns, PATHS) == found


@pytest.mark.parametrize("pattern", ["jobs.c", "joobs*", "[", "a*z"])
def test_choosing_nobody(pattern):
    """A pattern that fits nobody is an error."""
    with pytest.raises(Unknown, match="no player"):
        chosen([pattern], PATHS)


@given(st.lists(st.text("ab.*?[]!"), max_size=4), st.lists(st.text("ab."), unique=True))
def test_any_patterns(patterns, paths):
    """Whatever is asked for, what is found is there, and nothing of it below another."""
    try:
        found = chosen(patterns, paths)
    except Unknown:
        return
    assert set(found) <= set(paths)
    for one in found:
        assert not any(is_chosen(one, [other]) for other in found if other != one)


def overview(**states):
    players = []
    for path, state in states.items():
        known = {"path": path.replace("_", "."), "parent": None, "kind": "coroutine"}
        players.append(
            {**known, "state": state.replace("done", "stopped"), "done": state == "done"}
        )
    bad = [one["path"] for one in players if one["state"] not in ("ready", "stopped", "skipped")]
    return {"players": players, "unready": bad}


def test_readiness():
    """Among all, one that is at rest keeps nobody; one that is named has to play."""
    seen = overview(api="ready", jobs_a="starting", idle="stopped")
    assert unready(seen, []) == ["jobs.a"]
    assert unready(seen, ["api"]) == []
    assert unready(seen, ["api", "idle"]) == ["idle"]
    assert unready(seen, ["jobs"]) == ["jobs.a"]


def test_what_is_waited_for():
    """`stopped` is however it ended, `done` only by itself and well; what has failed will not be done."""
    seen = overview(api="ready", job="done", cut="stopped", bad="failed")
    assert missing_for("stopped", seen, ["api", "bad", "job", "cut"]) == ["api (ready)"]
    assert missing_for("done", seen, ["job", "api", "cut"]) == [
        "api (ready)",
        "cut (stopped, not by itself)",
    ]
    with pytest.raises(NotReady, match="bad: failed"):
        missing_for("done", seen, [])


def test_a_whole_that_is_done():
    """Its ends are, but for the player that tells of it, which is the last to go."""
    tree = overview(root="ready", job="done", status="ready")
    for row in tree["players"][1:]:
        row["parent"] = "root"
    tree["players"][2]["kind"] = "status"
    assert all_done(tree)
    tree["players"][1]["done"] = False
    assert not all_done(tree)
    assert not all_done({"players": []})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AnsweredError("unknown", ""), 4),
        (UnreachableError("gone", ""), 4),
        (AnsweredError("late", ""), 3),
        (AnsweredError("invalid", ""), 2),
        (AnsweredError("refused", ""), 1),
        (AnsweredError("failed", ""), 1),
        (AnsweredError("forbidden", ""), 1),
        (UnreachableError("silent", ""), 1),
        (AnsweredError("of a newer version", ""), 1),
    ],
)
def test_exit_codes(error, code):
    """Each error of a program has its exit code."""
    assert failure_of(error).exit_code == code
    assert isinstance(failure_of(error), Failure)


@pytest.mark.parametrize(
    ("file", "name", "pid"),
    [
        ("shop-12.sock", "shop", 12),
        ("my-shop-7.sock", "my-shop", 7),
        ("shop.sock", "shop", None),
        ("-7.sock", "-7", None),
        ("shop-².sock", "shop-²", None),
    ],
)
def test_names_of_sockets(tmp_path, file, name, pid):
    """The name of a socket says which program it is of, whatever lies there."""
    assert program_at(tmp_path / file)[:2] == (name, pid)


@pytest.mark.parametrize(
    ("name", "text", "importer"),
    [
        ("Procfile", "", "import_procfile"),
        ("Procfile.dev", "", "import_procfile"),
        ("docker-compose.yml", "", "import_compose"),
        ("supervisord.conf", "; x\n[program:a]", "import_supervisord"),
        ("app.ini", "[program:a]", "import_supervisord"),
        ("circus.ini", "[circus]\n[watcher:a]", "import_circus"),
        ("<stdin>", "services:\n  a: {}", "import_compose"),
        ("<stdin>", "web: x", "import_procfile"),
        ("anything", "", "import_procfile"),
    ],
)
def test_kinds_of_files(name, text, importer):
    """The name of a file says what it is, or its text."""
    assert importer_for(name, text).__name__ == importer


@given(st.text(), st.sampled_from(["Procfile", "a.yaml", "a.ini", "<stdin>"]))
def test_any_file(text, name):
    """No file raises anything but a line for its user."""
    said = ""
    try:
        importer_for(name, text)(text, name).to_toml(name)
    except LoadError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("entry", "sign", "text"),
    [
        ({"text": "api: started"}, "started", "started"),
        ({"text": "api: started again"}, "again", "started again"),
        ({"text": "api: ready pid=3"}, "ready", "ready pid=3"),
        ({"text": "api: failed: X; restart 1 in 1 s"}, "again", "failed: X; restart 1 in 1 s"),
        ({"text": "api: failed: X"}, "failed", "failed: X"),
        ({"text": "api: stopped", "source": "orchestra.jobs"}, "stopped", "stopped"),
        ({"text": "api: what it is"}, "note", "what it is"),
        ({"text": "printed"}, "output", "printed"),
        ({"text": "api: x", "source": "shop"}, "note", "shop: api: x"),
        ({"text": "x", "source": "shop", "level": "error"}, "failed", "shop: x"),
        (
            {"text": "served", "source": "orchestra.web/status"},
            "note",
            "orchestra.web/status: served",
        ),
        ({"text": "printed", "source": "orchestra.web"}, "output", "printed"),
        ({"text": "api: x", "source": "orchestras"}, "note", "orchestras: api: x"),
    ],
)
def test_lines_of_a_log(entry, sign, text):
    """What was kept looks as it would have when it came."""
    made = line_of({"time": 1.0, "path": "api", "level": "info", "source": "orchestra", **entry})
    assert (made.sign, made.text) == (sign, text)


def row(path, **more):
    of_all = {"kind": "command", "state": "ready", "uptime": 61.0, "restarts": 0}
    rest = {"next_restart_in": None, "error": None, "last_line": None}
    return {"path": path, **of_all, **rest, **more}


def test_the_table():
    """Columns are aligned, whatever is in them; the measures are there where somebody has some."""
    rows = [
        row(""),
        row("a", last_line="a: ready"),
        row("longer", state="backing off", next_restart_in=2.0, error="X: no\n\033[2Jluck"),
        row("wide", kind="日本", cpu=0.51, memory=2_500_000, restarts=3),
    ]
    lines = [words._ESCAPES.sub("", line) for line in lines_of(rows)]
    assert lines == [
        "PLAYER  KIND     STATE               UP       RESTARTS  CPU  MEMORY  LAST LINE",
        "a       command  ✓ ready             1 m 1 s  -         -    -       ready",
        "longer  command  ↻ backing off, 2 s  1 m 1 s  -         -    -       X: no luck",
        "wide    日本     ✓ ready             1 m 1 s  3         51%  2.5 MB",
    ]
    assert "(root)" in lines_of([row("")])[1]


def test_narrow_terminals(monkeypatch):
    """The last column is cut off where the terminal ends."""
    monkeypatch.setattr(words, "_columns", lambda: 20)
    lines = words.table(["A", "B"], [["one", "x" * 40], ["two", "日" * 40]])
    assert lines[1] == "one  " + "x" * 14 + "…"
    assert words.width_of(lines[2]) in (19, 20)
    monkeypatch.setattr(words, "_columns", lambda: 3)
    assert words.table(["A", "B"], [["one", "xyz"]])[1] == "one"
