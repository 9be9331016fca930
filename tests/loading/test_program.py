"""From what a user names to a program: where it is looked for, what is chosen, and its environment."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra import Conductor, replicate
from orchestra.loading.choice import Choice, choose, choose_in
from orchestra.loading.environment import read_env_files
from orchestra.loading.errors import LoadError
from orchestra.loading.program import Program, Wish, find_program
from orchestra.loading.source import find_source
from orchestra.loading.toml import parse_toml

TOML = "[players.web]\ncommand = 'x'\nafter = 'db'\n[players.db]\ncommand = 'y'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder; what is imported from it, and put into the environment, is forgotten."""
    known, path, environ = set(sys.modules), list(sys.path), dict(os.environ)
    monkeypatch.delenv("PORT", raising=False)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environ)


def found(folder: Path, target: str | None = None, **more: Any) -> Program:
    return find_program(Wish(target, folder, **more))


def refused(folder: Path, target: str | None = None, **more: Any) -> str:
    with pytest.raises(LoadError) as caught:
        found(folder, target, **more).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_lies_in_a_folder(folder: Path) -> None:
    """Without a target, an orchestra.toml counts more than a pyproject.toml, and that than a Procfile."""
    (folder / "Procfile").write_text("web: serve")
    assert found(folder).source.file == folder / "Procfile"
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'")
    assert found(folder).source.file == folder / "Procfile"
    (folder / "pyproject.toml").write_text(
        "[tool.orchestra]\nname = 'y'\n[tool.orchestra.players.a]\ncommand='z'"
    )
    assert (found(folder).source.file, found(folder).name) == (folder / "pyproject.toml", "y")
    (folder / "orchestra.toml").write_text(TOML)
    assert found(folder).source.file == folder / "orchestra.toml"
    assert found(folder.parent, folder.name).source.file == folder / "orchestra.toml"


def test_an_empty_folder(folder: Path) -> None:
    """Where there is nothing to play, it is said what was looked for."""
    assert refused(folder) == (
        f"there is nothing to play in {folder}: no orchestra.toml, no [tool.orchestra] in a "
        "pyproject.toml, no Procfile. Name what to play, as in `orchestra play app.py`"
    )


def test_files_by_name(folder: Path) -> None:
    """A file is known by its ending: Python, TOML; of another program; and else a Procfile."""
    for name in ("Procfile.dev", "all.toml", "app.py", "supervisord.conf"):
        (folder / name).write_text(
            "web: serve" if "Proc" in name else TOML if "toml" in name else ""
        )
    assert found(folder, "Procfile.dev").source.is_procfile
    assert not found(folder, "all.toml").source.is_procfile
    assert find_source("app.py", folder).target is not None
    assert "orchestra import supervisord.conf" in refused(folder, "supervisord.conf")
    assert refused(folder, "orchestra.toml") == "there is no file 'orchestra.toml'"
    (folder / "orchestra.toml").write_text(TOML)
    assert refused(folder, "nothing.toml").endswith(". There are: orchestra.toml.")


def test_a_file_that_can_not_be_read(folder: Path) -> None:
    """A file with bytes that are no text, and a table that is missing, are told by the file's name."""
    (folder / "orchestra.toml").write_bytes(b"\xff\xfe")
    assert refused(folder) == f"{folder}/orchestra.toml: it can't be read: it is no text in UTF-8"
    (folder / "pyproject.toml").write_text("[project]")
    assert refused(folder, "pyproject.toml").endswith("there is no [tool.orchestra] in it")


def test_a_package_and_a_folder(folder: Path) -> None:
    """A folder that is a package is meant as a module."""
    package = folder / "shop"
    package.mkdir()
    assert "nothing to play" in refused(folder, "shop")
    (package / "__init__.py").write_text("async def main(ctx): ...")
    assert found(folder, "shop").load() is not None
    assert found(folder, "shop").name == "shop"


def test_the_name(folder: Path) -> None:
    """A program is called as its file says, or by its folder, its module, or its file of code."""
    (folder / "my shop").mkdir()
    (folder / "my shop" / "Procfile").write_text("web: serve")
    assert found(folder / "my shop").name == "my_shop"
    assert found(folder, "shop.main:conductor").name == "shop"
    assert found(folder, "some/app.py:make()").name == "app"


def test_only_and_except() -> None:
    """The chosen players are left, with all below them, and wait for nobody who is left out."""
    program = parse_toml(
        TOML + "[players.g.players.a]\ncommand='a'\n[players.g.players.b]\ncommand='b'"
    )

    def names(**choice: Any) -> list[str]:
        made = choose(program, Choice(**choice))
        return [
            path
            for name, one in made.players.items()
            for path in ([f"{name}.{inner}" for inner in one.players] if one.players else [name])
        ]

    assert names() == ["web", "db", "g.a", "g.b"]
    assert names(only=("g",)) == ["g.a", "g.b"]
    assert names(only=("web", "*.b")) == ["web", "g.b"]
    assert names(but=("g.a", "d*")) == ["web", "g.b"]
    assert choose(program, Choice(only=("web",))).players["web"].after == {}
    assert choose(program, Choice(scale={"g.a": 3})).players["g"].players["a"].copies == 3  # type: ignore[index]
    for choice, said in [
        (Choice(only=("wbe",)), "no player 'wbe'. Did you mean 'web'?"),
        (Choice(scale={"x": 1}), "no player 'x'."),
        (Choice(scale={"w*": 1}), "is a pattern"),
        (Choice(but=("*",)), "no player is left to play"),
    ]:
        with pytest.raises(LoadError, match=said.replace("?", r"\?").replace("*", r"\*")):
            choose(program, choice)


def test_choosing_in_code() -> None:
    """Of a conductor in code, likewise; copies are there where code has made a group of them."""

    async def player(ctx: Any) -> None: ...

    conductor = Conductor(
        {
            "a": player,
            "g": Conductor({"b": player, "c": player}),
            "h": Conductor({"d": player}),
            "copies": replicate(player, 2),
        },
        after={"a": ["h"]},
    )
    choose_in(conductor, Choice(but=("h", "g.b"), scale={"copies": 3}))
    assert list(conductor.players) == ["a", "g", "copies"]
    assert conductor.after == {"a": {}}
    group, copies = conductor.players["g"], conductor.players["copies"]
    assert isinstance(group, Conductor)
    assert isinstance(copies, Conductor)
    assert list(group.players) == ["c"]
    assert list(copies.players) == ["0", "1", "2"]
    choose_in(conductor, Choice(scale={"copies": 1}))
    assert list(copies.players) == ["0"]
    with pytest.raises(LoadError, match="a is no group of copies"):
        choose_in(conductor, Choice(scale={"a": 2}))


def test_what_is_said_on_the_command_line_counts_more(folder: Path) -> None:
    """Times that are given count more than those in the file, and in the code."""
    (folder / "orchestra.toml").write_text("[orchestra]\ntimeout=5\ndrain_delay=1\n" + TOML)
    program = found(folder, timeout=7.0, drain_delay=2.0)
    conductor = program.load()
    assert isinstance(conductor, Conductor)
    assert (conductor.timeout, program.timeout, program.drain_delay) == (7.0, 7.0, 2.0)
    (folder / "code.py").write_text("from orchestra import Conductor\nconductor = Conductor()\n")
    assert found(folder, "code.py", timeout=3.0).load().timeout == 3.0  # type: ignore[attr-defined]
    assert found(folder, "code.py", drain_delay=3.0).drain_delay == 3.0


def test_one_player_has_nothing_to_choose_from(folder: Path) -> None:
    """A choice among the players of what is one player is refused."""
    (folder / "code.py").write_text("async def main(ctx): ...")
    assert "is one player" in refused(folder, "code.py", choice=Choice(only=("a",)))


def test_env_files(folder: Path) -> None:
    """A later file counts more, and all count for code that is imported as well."""
    (folder / "one").write_text("A=1\nB=${A}2\n# none\nC\n")
    (folder / "two").write_text("A=3")
    env = read_env_files([folder / "one", folder / "two"])
    assert env == {"A": "3", "B": "12"}
    (folder / "code.py").write_text("import os\nasync def main(ctx): ...\nvalue = os.environ['A']")
    found(folder, "code.py", env_files=(folder / "two",)).load()
    assert os.environ["A"] == "3"


def test_env_files_that_make_no_sense(folder: Path) -> None:
    """One that is missing, no text, or has what no process can have as a variable, is refused."""
    (folder / "bytes").write_bytes(b"\xff")
    (folder / "null").write_bytes(b"A=\0")
    for name, said in [
        ("nothing", "No such file"),
        ("bytes", "can't be read"),
        ("null", "is no var"),
    ]:
        with pytest.raises(LoadError, match=said):
            read_env_files([folder / name])


def test_the_environment_of_a_procfile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` beside it is read, its variables go to all processes, and its PORT is the first one."""
    (folder / "Procfile").write_text("web: serve\nworker: work\n")
    (folder / ".env").write_text("PORT=8000\nLEVEL=debug")
    conductor: Any = found(folder, choice=Choice(scale={"worker": 2})).load()
    env = dict(conductor.players["web"]._order.env)
    assert (env["PORT"], env["LEVEL"]) == ("8000", "debug")
    copies = conductor.players["worker"].players
    assert [dict(one._order.env)["PORT"] for one in copies.values()] == ["8100", "8101"]
    (folder / ".env").unlink()
    monkeypatch.setenv("PORT", "7000")
    assert found(folder).spec.players["worker"].port == 7100  # type: ignore[union-attr]
    monkeypatch.setenv("PORT", "soon")
    assert found(folder).spec.players["web"].port == 5000  # type: ignore[union-attr]


def test_what_is_watched(folder: Path) -> None:
    """The patterns of all players that have some, by path."""
    (folder / "orchestra.toml").write_text(
        "[players.g.players.a]\ncommand='x'\nwatch='*.py'\n[players.b]\ncommand='x'"
    )
    assert found(folder).watched == {"g.a": ("*.py",)}
    assert found(folder, "code.py").watched == {}


texts = st.text() | st.from_regex(r"[a-z./:()]{1,12}", fullmatch=True)


@given(texts, texts, st.integers(-1, 3))
def test_any_target(tmp_path_factory: pytest.TempPathFactory, text: str, path: str, n: int) -> None:
    """Whatever is named, the answer is a program, or one line."""
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "Procfile").write_text("web: serve\nworker: work")
    try:
        find_program(Wish(text, folder))  # what it is, without an import of it
        choice = Choice(only=(path,), scale={path: n} if n >= 0 else {})
        find_program(Wish(None, folder, choice=choice)).load()
    except LoadError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
