"""`orchestra.toml`: what it says, what is said of a wrong one, and that its JSON Schema agrees."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orchestra.loading
from orchestra.loading.difference import difference
from orchestra.loading.durations import parse_duration
from orchestra.loading.errors import LoadError
from orchestra.loading.keys import PLAYER_KEYS, PROGRAM_KEYS
from orchestra.loading.schema import json_schema
from orchestra.loading.spec import BackoffSpec, LogSpec, PlayerSpec, ProbeSpec
from orchestra.loading.toml import _Reader, parse_pyproject, parse_toml

FULL = """\
[orchestra]
name = "shop"
env_file = ".env"
log = { file = "shop.log", max_size = "20MB", keep = 3 }
timeout = "20s"

[orchestra.defaults]
restart = "failure"
cwd = "/srv/shop"

[players.db]
command = ["redis-server", "--port", "0"]
ready = { tcp = "localhost:6379", timeout = "2s" }
alive = { command = "redis-cli ping", every = "10s", failures = 3 }
backoff = { initial = "1s", max_delay = "1m" }
give_up = "5 in 60s"
stop = { signal = "INT", timeout = "20s" }
clean_codes = [0, 3]
umask = "022"

[players.migrate]
command = "shop migrate > log"
shell = true
once = true
after = { db = "ready" }
restart = "never"

[players.web]
target = "shop.web:make()"
args = [8000]
copies = 2
after = ["migrate", "db"]
watch = "shop/*.py"

[players.jobs]
ordered = true
timeout = 5
backoff = [1, "5s", 30]

[players.jobs.players.mailer]
command = "mailer"
env = { LEVEL = "debug", SIZE = 3 }
autostart = false
"""


def test_all_of_it() -> None:
    """Each key ends up as a value that can be compared, the defaults where they mean something."""
    program = parse_toml(FULL)
    assert (program.name, program.timeout, program.env_files) == ("shop", 20.0, (".env",))
    assert program.log == LogSpec("shop.log", 20_000_000, 3)
    db, migrate, web, jobs = program.players.values()
    assert db == PlayerSpec(
        command=("redis-server", "--port", "0"),
        cwd="/srv/shop",
        ready=ProbeSpec("tcp", ("localhost", 6379), {"timeout": 2.0}),
        alive=ProbeSpec("command", "redis-cli ping", {"every": 10.0, "failures": 3}),
        restart="failure",
        backoff=BackoffSpec(initial=1.0, max_delay=60.0, max_restarts=5, per=60.0),
        stop_signal="INT",
        stop_timeout=20.0,
        clean_codes=(0, 3),
        umask=0o022,
    )
    assert (migrate.shell, migrate.once, migrate.restart) == (True, True, "never")
    assert migrate.after == {"db": "ready"}
    assert web.after == {"migrate": "", "db": ""}
    assert (web.copies, web.args, web.cwd, web.watch) == (2, (8000,), None, ("shop/*.py",))
    assert jobs.players is not None
    assert jobs.backoff == BackoffSpec(delays=(1.0, 5.0, 30.0))
    assert (jobs.restart, jobs.ordered, jobs.timeout) == ("failure", True, 5.0)
    mailer = jobs.players["mailer"]
    assert (mailer.env, mailer.autostart) == ({"LEVEL": "debug", "SIZE": "3"}, False)


def test_in_a_pyproject() -> None:
    """`[tool.orchestra]` has the keys of the program and the players in one table."""
    program = parse_pyproject(
        '[tool.orchestra]\nname = "x"\n[tool.orchestra.players.a]\ncommand = "b"'
    )
    assert program is not None
    assert (program.name, program.players["a"].command) == ("x", "b")
    assert parse_pyproject("[project]\nname = 'x'") is None
    assert parse_pyproject("tool = 1") is None
    for text, said in [
        ("[tool]\norchestra = 1", "pyproject.toml:2: it is no table"),
        (
            "[tool.orchestra]\nnam = 'x'",
            "pyproject.toml:2: 'nam' is unknown here. Did you mean 'name'?",
        ),
        ("\n[tool", "pyproject.toml:2: Expected ']' at the end of a table declaration"),
        (f"a = {'[' * 3000}", "pyproject.toml: it is nested too deeply"),
    ]:
        with pytest.raises(LoadError) as caught:
            parse_pyproject(text)
        assert str(caught.value).startswith(said)


A = '[players.a]\ncommand = "x"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (A + "cmd = 1", "3: 'cmd' is unknown here. "),
        (A + "restrt = 'always'", "3: 'restrt' is unknown here. Did you mean 'restart'?"),
        (A + "restart = 'allways'", "3: restart: 'allways' is unknown. Did you mean 'always'?"),
        ("[player.a]\n" + A, "1: 'player' is unknown here. Did you mean 'players'?"),
        ("[orchestra]\ntimout = 1\n" + A, "2: 'timout' is unknown here. Did you mean 'timeout'?"),
        (A + "stop = { signal = 'TREM' }", "3: stop: 'TREM' is no signal. Did you mean 'TERM'?"),
        (A + "stop = { timeout = 'soon' }", "3: stop: 'soon' is no duration: write '20s'"),
        (A + "ready = { tcp = 'x' }", "3: ready: 'x' is no address"),
        (A + "ready = {}", "3: ready: a probe has one of tcp, http, output, after, command"),
        (A + "ready = { output = '(' }", "3: ready: '(' is no regular expression"),
        (A + "ready = { tcp = 'a:1', status = 200 }", "3: ready: status is for http"),
        (A + "alive = { after = 3 }", "3: alive: after says that something has begun"),
        (A + "after = 'b'", "3: a comes after 'b', which is not there. There are none."),
        (A + "after = { b = 'up' }", "3: after: 'up' is unknown. There are: done, ready, started."),
        (
            A + "after = 'b'\n[players.b]\ncommand = 'y'\nafter = 'a'",
            "after goes round in a circle",
        ),
        (A + "ordered = true", "3: 'ordered' is for groups, and a is none"),
        (A + "give_up = 'never'", "3: give_up: 'never' does not say when to give up"),
        (A + "give_up = '5 in 0s'", "3: give_up: '5 in 0s': nothing happens in no time"),
        (A + "backoff = [1]\ngive_up = 3", "4: give_up and a list of delays exclude each other"),
        (A + "backoff = []", "3: backoff: no delay is no backoff"),
        (
            A + "backoff = { initial = 9, max_delay = 3 }",
            "3: backoff: max_delay is less than initial",
        ),
        (A + "once = true\nrestart = 'always'", "3: once and restart"),
        (A + "copies = -1", "3: copies: -1 is no whole number from 0 on"),
        (A + "autostart = 1", "3: autostart: 1 is neither true nor false"),
        (A + "env = { 'a=b' = 'x' }", "3: env: 'a=b' is no name of a variable"),
        (A + "env = { a = true }", "3: env: a = True is no text"),
        (A + "umask = 'x'", "3: umask: 'x' is no umask"),
        (A + "target = 'a:b'", "1: a has command and target: it needs one of them"),
        ("[players.a]\ncwd = '/'", "1: a has no command, no target and no players"),
        ("[players.a]\ntarget = 'a:b'\nenv = {}", "3: 'env' is for commands, and a is none"),
        (
            "[players.a]\nargs = []\n[players.a.players.b]\ncommand = 'x'",
            "2: 'args' is not for groups",
        ),
        ("[players.a]\ncommand = ['x']\nshell = true", "3: a shell takes the command as one text"),
        ("[players.'a b']\ncommand = 'x'", "1: 'a b' is no name for a player"),
        ("[orchestra.defaults]\ncommand = 'x'\n" + A, "2: 'command' is each player's own"),
        ("[orchestra]\nlog = {}\n" + A, "2: log: file is missing"),
        ("[orchestra]\nname = 'a b'\n" + A, "2: name: 'a b' is no name"),
        ("[orchestra]\nname = ?\n", "orchestra.toml:2: Invalid value"),
        ("players = 3", "1: players is no table"),
        ("", "there is no player in it"),
    ],
)
def test_what_is_wrong(text: str, said: str) -> None:
    """What is wrong is told in one line, with its place in the file and the nearest that is right."""
    with pytest.raises(LoadError) as caught:
        parse_toml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20s", 20), ("1m 30s", 90), ("500ms", 0.5), ("1h", 3600), ("1d", 86400), (0, 0), (2.5, 2.5)],
)
def test_durations(text: Any, seconds: float) -> None:
    """Durations are numbers of seconds, or text with units."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1", "1 x", "-1s", "1s 2", -1, True, float("nan"), None])
def test_no_durations(text: Any) -> None:
    """What has no unit, or makes no sense, is refused."""
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


def test_the_schema_that_is_shipped() -> None:
    """The file beside the code is the schema that the code makes, and is a schema."""
    shipped = json.loads((Path(orchestra.loading.__file__).parent / "schema.json").read_text())
    assert shipped == json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(shipped)


VALIDATOR = jsonschema.Draft202012Validator(json_schema())

words = st.sampled_from(
    ["x", "a b", "20s", "5 in 60s", "always", "failure", "never", "ready", "TERM", "localhost:80"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 700) | st.floats() | words | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tcp", "http", "after", "signal", "timeout", "initial", "file", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
players = st.recursive(
    st.dictionaries(st.sampled_from([*PLAYER_KEYS, "nothing"]), values, max_size=4).map(
        lambda table: {"command": "x", **table}
    )
    | st.dictionaries(st.sampled_from([*PLAYER_KEYS, "nothing"]), values, max_size=4),
    lambda inner: st.fixed_dictionaries(
        {"players": st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=2)}
    ),
    max_leaves=4,
)
programs = st.fixed_dictionaries(
    {"players": st.dictionaries(st.sampled_from(["a", "b", ""]), players, max_size=3)},
    optional={
        "orchestra": st.dictionaries(
            st.sampled_from([*PROGRAM_KEYS, "defaults"]), values, max_size=3
        )
    },
)


@settings(max_examples=300)
@given(programs | values)
def test_the_schema_agrees_with_the_loader(content: Any) -> None:
    """What the loader takes, the schema takes; and whatever it is given, the loader has one line for it."""
    if not isinstance(content, dict):
        content = {"players": content}
    try:
        _Reader("", "orchestra.toml", ()).program(content)
    except LoadError:
        return
    VALIDATOR.validate(content)


@given(st.text())
def test_any_text(text: str) -> None:
    """No text raises anything but a line for its user."""
    for parse in (parse_toml, parse_pyproject):
        try:
            parse(text)
        except LoadError:
            pass


def test_deep_nesting() -> None:
    """A file that is nested beyond all reason is refused as any other."""
    for text in ("a = " + "[" * 5000, "[players" + ".a.players" * 100 + ".b]\ncommand = 'x'"):
        with pytest.raises(LoadError):
            parse_toml(text)


def test_what_has_changed() -> None:
    """Between two readings, players are added, removed and replaced, those within groups one by one."""
    old = parse_toml(FULL)
    new = parse_toml(
        FULL.replace('command = "mailer"', 'command = "mailer --fast"')
        .replace("[players.web]", "[players.site]")
        .replace('timeout = "20s"\n\n', 'timeout = "30s"\n\n')
    )
    found = difference(old, new)
    assert found.removed == ("web",)
    assert found.added == ("site",)
    assert found.changed == ("jobs.mailer",)
    assert found.keys == {"jobs.mailer": ("command",)}
    assert found.fixed == ("timeout",)
    assert str(found).splitlines() == [
        "- web",
        "~ jobs.mailer (command)",
        "+ site",
        "! timeout counts from the next start on",
    ]
    assert not difference(old, old)
    assert str(difference(old, old)) == "nothing has changed"


def test_a_group_whose_own_keys_change() -> None:
    """A group is replaced whole when its own keys change, and when it is no group any more."""
    old = parse_toml(FULL)
    assert difference(old, parse_toml(FULL.replace("timeout = 5", "timeout = 6"))).changed == (
        "jobs",
    )
    other = parse_toml("[players.jobs]\ncommand = 'x'")
    assert difference(old, other).keys["jobs"][:2] == ("command", "players")
