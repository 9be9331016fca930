"""From a file to what plays: each key does what it says, or is refused by name."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from test_toml import programs

from orchestra import Conductor, ConductorError, playing
from orchestra.loading.building import Place, build
from orchestra.loading.errors import LoadError, UserCodeError
from orchestra.loading.keys import PLAYER_KEYS
from orchestra.loading.procfile import procfile_spec
from orchestra.loading.spec import PlayerSpec, ProgramSpec
from orchestra.loading.times import time_to_stop
from orchestra.loading.toml import _Reader, parse_toml
from orchestra.player import inner_of, terms_of

PYTHON = sys.executable


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a module of the user's; all that comes of it is forgotten afterwards."""
    known, path = set(sys.modules), list(sys.path)
    (tmp_path / "shop.py").write_text(
        "from orchestra import Conductor\n"
        "async def worker(ctx):\n    await ctx.wait()\n"
        "def make(size=1) -> Conductor:\n"
        "    return Conductor({str(n): worker for n in range(size)})\n"
        "conductor = make()\n"
        "def broken():\n    raise OSError('no disk')\n"
    )
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def built(text: str, folder: Path = Path()) -> Conductor:
    return build(parse_toml(text), Place(folder, "orchestra.toml"))


def one(keys: str, folder: Path = Path(), what: str = "command = 'x'") -> Any:
    """The only player of a file, with these keys."""
    return built(f"[players.a]\n{what}\n{keys}", folder).players["a"]


def order(keys: str, what: str = "command = 'x'") -> Any:
    return inner_of(one(keys, what=what))._order  # type: ignore[attr-defined]


def refused(text: str, folder: Path = Path()) -> str:
    with pytest.raises(LoadError) as caught:
        built(text, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_command() -> None:
    """A command is split as a shell would, its args come after it, and it starts where the file lies."""
    assert order("args = ['b c', 3]", "command = 'x \"y z\"'").argv == ("x", "y z", "b c", "3")
    assert order("", "command = ['x', 'y z']").argv == ("x", "y z")
    assert order("shell = true", "command = 'x > y'").argv == ("/bin/sh", "-c", "x > y")
    assert refused("[players.a]\ncommand = 'x \"'").startswith("orchestra.toml: a: the command")
    assert "a shell takes no args" in refused("[players.a]\ncommand='x'\nshell=true\nargs=['y']")


def test_where_a_command_runs() -> None:
    """The folder is the file's, or one named from there; what is said of rights comes with it."""
    folder = Path("/srv/shop")
    command: Any = one("cwd = 'media'\numask = '027'", folder)
    assert (command._order.cwd, command._order.umask) == ("/srv/shop/media", 0o027)
    assert one("", folder)._order.cwd == "/srv/shop"
    assert one("cwd = '/'", folder)._order.cwd == "/"
    assert not one("cwd = '~'")._order.cwd.startswith("~")
    assert "no user 'nobody-here'" in refused("[players.a]\ncommand='x'\nuser='nobody-here'")


def test_the_environment() -> None:
    """A player's own variables count more than the file's, and these more than the inherited ones."""
    spec = parse_toml("[players.a]\ncommand = 'x'\nenv = { A = 1 }\n[players.b]\ncommand = 'x'")
    players: Any = build(spec, Place(env={"A": "0", "B": "2"})).players
    assert dict(players["a"]._order.env) == {"A": "1", "B": "2", "PYTHONUNBUFFERED": "1"}
    assert dict(players["b"]._order.env) == {"A": "0", "B": "2", "PYTHONUNBUFFERED": "1"}
    alone = order("inherit_env = false\nenv = { A = 'b' }")
    assert (alone.inherit_env, dict(alone.env)) == (False, {"A": "b"})


def test_copies() -> None:
    """Copies are a group that can be scaled, and each finds its number in its environment."""
    copies: Any = one("copies = 2\nrestart = 'always'")
    assert list(copies.players) == ["0", "1"]
    last = copies.players["1"]
    assert dict(inner_of(last)._order.env)["ORCHESTRA_COPY"] == "1"  # type: ignore[attr-defined]
    assert terms_of(last).always
    asyncio.run(copies.scale(3))
    assert list(copies.players) == ["0", "1", "2"]


def test_probes_and_stopping() -> None:
    """Probes, the signal and the time to stop, and clean codes reach the command."""
    terms = one(
        "ready = { http = 'http://localhost:80/', status = 204, timeout = '2s' }\n"
        "alive = { tcp = 'localhost:80', every = '3s', failures = 2, interval = 1 }\n"
        "stop = { signal = 'INT', timeout = '4s' }\nclean_codes = [0, 3]"
    )._terms
    assert repr(terms.ready) == "http('http://localhost:80/', status=204)"
    assert (terms.ready.timeout, terms.alive.probe.interval) == (2.0, 1.0)
    assert (terms.alive.every, terms.alive.failures) == (3.0, 2)
    assert (terms.stop_signal.name, terms.stop_timeout) == ("SIGINT", 4.0)
    assert terms.clean_codes == {0, 3}
    for probe, name in [
        ("output = 'x', timeout = 3", "output('x')"),
        ("after = '3s'", "after(3)"),
        ("command = 'x y'", "command('x y')"),
    ]:
        assert repr(one(f"ready = {{ {probe} }}")._terms.ready) == name


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("output = 'x', interval = 1", "interval is for tcp and http and command, and not for out"),
        ("after = 1, timeout = 1", "timeout is for tcp and http and output and command, and not"),
        ("tcp = 'x:1', status = 200", "status is for http, and not for tcp"),
    ],
)
def test_options_of_another_probe(probe: str, said: str) -> None:
    """What a probe does not understand is refused, with the line."""
    found = refused(f"[players.a]\ncommand = 'x'\nready = {{ {probe} }}")
    assert found.startswith("orchestra.toml:3: ready: ")
    assert said in found


def test_coming_back() -> None:
    """A backoff, a restart and a limit become a player that comes back so."""
    assert list(terms_of(one("backoff = [1, '2s']")).backoff()) == [1.0, 2.0]  # type: ignore[misc]
    assert terms_of(one("")).backoff() == ()  # type: ignore[misc]
    assert not terms_of(one("restart = 'failure'")).always
    backoff: Any = terms_of(one("restart = 'always'\nbackoff = '3s'\ngive_up = '5 in 60s'"))
    limited = backoff.backoff()
    assert (limited.delay, limited.max_restarts, limited.per) == (3.0, 5, 60.0)
    assert backoff.always
    grown: Any = terms_of(one("backoff = { initial = 1, max_delay = 9, jitter = 0 }")).backoff
    assert next(iter(grown())) == 1.0


def test_once() -> None:
    """One that plays once is ready when it has ended, and what comes after it waits for that."""
    conductor = built(
        "[players.a]\ncommand='x'\nonce=true\n[players.b]\ncommand='y'\nafter=['a', 'c']\n"
        "[players.c]\ncommand='z'\nstart_timeout='3s'\n[players.d]\ncommand='z'\nafter={a='started'}"
    )
    assert conductor.after == {"b": {"a": "done", "c": "ready"}, "d": {"a": "started"}}
    players: Any = conductor.players
    assert repr(players["a"]._terms.ready) == "after(inf)"
    assert players["c"].start_timeout == 3.0


def test_groups() -> None:
    """A group has its own order, end, time and backoff, and may be idle or have copies."""
    conductor = built(
        "[orchestra]\nordered=true\nstop_when='never'\ntimeout=30\n"
        "[players.g]\nordered=true\nstop_when='any'\ntimeout='7s'\nbackoff=[2]\nautostart=false\n"
        "[players.g.players.a]\ncommand='x'\n[players.h]\ncopies=2\n[players.h.players.b]\ncommand='x'"
    )
    assert (conductor.ordered, conductor.stop_when, conductor.timeout) == (True, "never", 30.0)
    assert conductor.idle == {"g"}
    group: Any = inner_of(conductor.players["g"])
    assert (group.ordered, group.stop_when, group.timeout) == (True, "any", 7.0)
    assert list(terms_of(conductor.players["g"]).backoff()) == [2.0]  # type: ignore[misc]
    copies: Any = conductor.players["h"]
    assert [list(one.players) for one in copies.players.values()] == [["b"], ["b"]]
    assert "goes round in a circle" in refused(
        "[orchestra]\nordered=true\n[players.a]\ncommand='x'\nafter='b'\n[players.b]\ncommand='x'"
    )
    nobody_starts = "[orchestra]\nstop_when='any'\n[players.a]\ncommand='x'\nafter={b='done'}\n"
    assert "can never start" in refused(nobody_starts + "[players.b]\ncommand='x'")


def test_targets(folder: Path) -> None:
    """A target is found in the file's folder, called with its args, and may have what any player has."""
    made: Any = one("args = [3]", folder, "target = 'shop:make()'")
    assert list(made.players) == ["0", "1", "2"]
    copies: Any = one("copies = 2", folder, "target = 'shop:make()'")
    first, second = copies.players.values()
    assert first is not second
    limited: Any = one("start_timeout = 5\nrestart = 'always'", folder, "target = 'shop.py:worker'")
    assert (limited.start_timeout, terms_of(limited).always) == (5.0, True)
    own: Any = one("start_timeout = 5", folder, "target = 'shop.py:worker'")
    assert list(own.backoff()) == []


def test_wrong_targets(folder: Path) -> None:
    """What is wrong with a target is told with the path of the player; the user's error is his own."""

    def said(keys: str) -> str:
        return refused(f"[players.g.players.a]\n{keys}", folder)

    assert said("target = 'shop:wrker'") == (
        "orchestra.toml: g.a: shop has no 'wrker'. Did you mean 'worker'?"
    )
    assert "args are for a target that is called: shop:make()" in said(
        "target='shop:make'\nargs=[1]"
    )
    assert "is one conductor" in said("target = 'shop:conductor'\ncopies = 2")
    assert "can't be called with 3 arguments" in said("target = 'shop:make()'\nargs = [1, 2, 3]")
    with pytest.raises(UserCodeError) as caught:
        one("", folder, "target = 'shop:broken()'")
    assert isinstance(caught.value.error, OSError)


def test_a_backoff_of_its_own_stays(folder: Path) -> None:
    """A target that comes back by itself still does so with another time to start."""
    (folder / "own.py").write_text(
        "from orchestra import restarting\nasync def w(ctx): ...\n"
        "player = restarting(w, [1, 2], on='always')\n"
    )
    limited = one("start_timeout = 5", folder, "target = 'own'")
    assert list(terms_of(limited).backoff()) == [1, 2]  # type: ignore[misc]
    assert terms_of(limited).always


def test_time_to_stop() -> None:
    """Where nobody says it, a group has the time that its players need, one after the other in order."""
    slow = PlayerSpec("x", stop_timeout=20.0)
    assert time_to_stop(ProgramSpec(players={"a": PlayerSpec("x")})) == 9.0
    assert time_to_stop(ProgramSpec(players={"a": slow, "b": slow})) == 24.0
    assert time_to_stop(ProgramSpec(players={"a": slow, "b": slow}, ordered=True)) == 48.0
    quick = {"a": slow, "b": PlayerSpec("x", after={"a": "ready"})}
    assert time_to_stop(ProgramSpec(players=quick)) == 24.0
    long = PlayerSpec("x", stop_timeout=60.0)
    first = {"a": slow, "b": replace(long, after={"a": "ready"})}
    assert time_to_stop(ProgramSpec(players=first)) == 144.0
    last = {"a": long, "b": replace(slow, after={"a": "ready"})}
    assert time_to_stop(ProgramSpec(players=last)) == 96.0
    assert time_to_stop(ProgramSpec(players={"a": slow}, timeout=5.0)) == 5.0
    inner = PlayerSpec(players={"a": slow})
    assert time_to_stop(ProgramSpec(players={"g": inner})) == pytest.approx(28.8)
    copies = PlayerSpec("x", stop_timeout=20.0, copies=3)
    assert time_to_stop(ProgramSpec(players={"c": copies})) == pytest.approx(28.8)
    assert time_to_stop(copies) == 24.0


def test_a_procfile() -> None:
    """The processes of a Procfile have a port each, a shell where they need one, and end together."""
    program = procfile_spec("web: serve --port $PORT\nworker: python -m worker")
    conductor = build(program, Place(env={"A": "b"}))
    players: Any = conductor.players
    assert players["web"]._order.argv == ("/bin/sh", "-c", "serve --port $PORT")
    assert players["worker"]._order.argv == ("python", "-m", "worker")
    assert dict(players["web"]._order.env)["PORT"] == "5000"
    assert dict(players["worker"]._order.env) == {
        "PYTHONUNBUFFERED": "1",
        "A": "b",
        "PORT": "5100",
    }
    assert conductor.stop_when == "any"


def test_what_is_built_plays(tmp_path: Path) -> None:
    """What comes of a file plays: in its order, with copies, until its last player has ended."""
    log = tmp_path / "log"
    conductor = built(
        f"""
        [orchestra.defaults]
        shell = true
        [players.setup]
        command = "echo setup >> {log}"
        once = true
        [players.worker]
        command = "echo worker $ORCHESTRA_COPY $NAME >> {log}"
        env = {{ NAME = "x" }}
        copies = 1
        after = "setup"
        [players.spare]
        command = "echo spare >> {log}"
        after = "worker"
        """,
        tmp_path,
    )

    async def main() -> None:
        async with playing(conductor) as performance:
            async for _ in performance.events():
                pass  # until its end

    asyncio.run(main())
    assert log.read_text().splitlines() == ["setup", "worker 0 x", "spare"]


def test_a_command_that_fails() -> None:
    """A command that fails stops the program, and is named by its path."""
    conductor = built("[players.g.players.a]\ncommand = 'exit 3'\nshell = true")

    async def main() -> None:
        async with playing(conductor):
            await asyncio.sleep(30)

    with pytest.raises(ConductorError) as caught:
        asyncio.run(main())
    assert list(caught.value.failures) == ["g.a"]


def test_all_keys_are_used() -> None:
    """There is no key of a player that the builder does not look at."""
    source = "".join(
        (Path(sys.modules[name].__file__ or "")).read_text()
        for name in ("orchestra.loading.building", "orchestra.loading.times")
    )
    fields = {"give_up": "max_restarts", "stop": "stop_signal"}
    fields["watch"] = "restart"  # by what plays the program: see the tests of `orchestra play`
    for name in PLAYER_KEYS:
        assert f".{fields.get(name, name)}" in source, name


@settings(max_examples=200)
@given(programs)
def test_any_program(content: Any) -> None:
    """Whatever the loader takes, the builder plays or refuses in one line."""
    try:
        build(_Reader("", "orchestra.toml", ()).program(content), Place())
    except LoadError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
