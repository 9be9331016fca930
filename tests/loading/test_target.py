"""Targets in code: what they name, and what is said of those that name nothing."""

import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra import Conductor
from orchestra.loading.errors import LoadError, UserCodeError
from orchestra.loading.target import Target, load_target

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes a file of the user's; all modules that come of it are forgotten afterwards."""
    known, path = set(sys.modules), list(sys.path)

    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


SHOP = """\
    from orchestra import Conductor

    async def worker(ctx): ...

    async def other(ctx): ...

    def make() -> Conductor:
        return Conductor({"worker": worker})

    def build(size=2):
        return Conductor({str(n): worker for n in range(size)})

    shop = Conductor({"worker": worker})
    nothing = 7
    """


def load(text: str, folder: Path, **more: bool) -> object:
    return load_target(Target.parse(text), app_dir=folder, **more)


def complaint(text: str, folder: Path, **more: bool) -> str:
    with pytest.raises(LoadError) as caught:
        load(text, folder, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "players"),
    [
        ("shop_one:shop", ["worker"]),
        ("shop_one:make()", ["worker"]),
        ("shop_one:build()", ["0", "1"]),
        ("shop_one", ["worker"]),
        ("pkg.deep:shop", ["worker"]),
        ("pkg.deep:Holder.inner", ["worker"]),
    ],
)
def test_what_a_target_names(write: Write, tmp_path: Path, text: str, players: list[str]) -> None:
    """A target is an attribute, what a call of it makes, or the one conductor that there is."""
    write("shop_one.py", SHOP)
    write("pkg/__init__.py", "")
    write("pkg/deep.py", textwrap.dedent(SHOP) + "\nclass Holder:\n    inner = shop\n")
    player = load(text, tmp_path)
    assert isinstance(player, Conductor)
    assert list(player.players) == players


def test_a_file(write: Write, tmp_path: Path) -> None:
    """A Python file is loaded as a script is: the modules beside it are found."""
    write("beside_it.py", "SIZE = 3\n")
    file = write(
        "my-app.py", textwrap.dedent(SHOP) + "import beside_it\nconductor = build(beside_it.SIZE)\n"
    )
    player = load(str(file), tmp_path)
    assert isinstance(player, Conductor)
    assert len(player.players) == 3
    assert isinstance(load(f"{file}:make()", tmp_path), Conductor)


def test_a_file_is_loaded_once(write: Write, tmp_path: Path) -> None:
    """Two targets in one file are of one module, whose classes are the same."""
    file = write("twice_loaded.py", SHOP)
    assert load(f"{file}:shop", tmp_path) is load(f"{file}:shop", tmp_path)


def test_by_factory(write: Write, tmp_path: Path) -> None:
    """`--factory` says the same as the parentheses."""
    write("shop_two.py", SHOP)
    assert isinstance(load("shop_two:build", tmp_path, factory=True), Conductor)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop_thre", "there is no module 'shop_thre'. Did you mean 'shop_three'?"),
        ("shop_three:shp", "shop_three has no 'shp'. Did you mean 'shop'?"),
        ("shop_three:shop.x", "shop_three has no 'shop.x'."),
        ("shop_three:zzz", "shop_three has no 'zzz'. Players in this module: shop_three:make(),"),
        ("shop_three.x:shop", "no module 'shop_three.x', because 'shop_three' is no package"),
        ("shop_three:make", "make in shop_three:make makes a Conductor: say shop_three:make()"),
        ("shop_three:nothing", "Players in this module: shop_three:make(), shop_three:other,"),
        ("shop_three:nothing()", "nothing in shop_three:nothing() can't be called"),
        ("shop_three:worker()", "can't be called without arguments"),
        ("missing.py", "there is no file"),
        ("", "is no target"),
        ("a b", "is no target"),
        ("shop_three:", "after the colon comes a name"),
        ("shop_three:1x", "after the colon comes a name"),
    ],
)
def test_what_is_said_of_a_wrong_one(write: Write, tmp_path: Path, text: str, said: str) -> None:
    """A wrong target gets one line that says what is wrong, and what would be right."""
    write("shop_three.py", SHOP)
    assert said in complaint(text, tmp_path)


def test_where_there_is_no_module(tmp_path: Path) -> None:
    """A folder without any is named, since it may be the wrong one."""
    said = f"there is no module 'no_shop', and none at all in {tmp_path.resolve()}"
    assert complaint("no_shop:main", tmp_path) == said


def test_many_conductors(write: Write, tmp_path: Path) -> None:
    """Where it is not clear which is meant, the candidates are listed."""
    write("shop_many.py", textwrap.dedent(SHOP) + "second = make()\n")
    said = complaint("shop_many", tmp_path)
    assert "has no conductor, player or main" in said
    assert "shop_many:second" in said
    write("empty_one.py", "")
    assert "There is no player in this module" in complaint("empty_one", tmp_path)


def test_an_application(write: Write, tmp_path: Path) -> None:
    """An application is no player, and the hint says what makes it one."""
    write("web_app.py", "async def app(scope, receive, send): ...\n")
    assert "wrap it in ServerPlayer" in complaint("web_app:app", tmp_path)


def test_an_async_factory(write: Write, tmp_path: Path) -> None:
    """What is async is not called."""
    write("async_one.py", "async def main(): ...\n")
    assert "without the ()" in complaint("async_one:main()", tmp_path)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1 / 0", ZeroDivisionError),
        ("import no_such_module_at_all", ModuleNotFoundError),
        ("raise SystemExit(3)", SystemExit),
        ("def f(: pass", SyntaxError),
    ],
)
@pytest.mark.parametrize("form", ["module", "file"])
def test_what_the_code_raises(
    write: Write, tmp_path: Path, body: str, kind: type[BaseException], form: str
) -> None:
    """What the user's code raises comes as it is, with none of our frames before it."""
    file = write("broken_one.py", f"{body}\n")
    text = "broken_one" if form == "module" else str(file)
    with pytest.raises(UserCodeError) as caught:
        load(text, tmp_path)
    error = caught.value.error
    assert type(error) is kind
    frames = traceback.extract_tb(error.__traceback__)
    assert all(frame.filename == str(file) for frame in frames)
    assert frames or kind is SyntaxError
    assert "broken_one" not in sys.modules


def test_what_a_factory_raises(write: Write, tmp_path: Path) -> None:
    """What a factory raises is the user's own, a TypeError from within as well."""
    write("bad_factory.py", "def make():\n    return len(7)\n")
    with pytest.raises(UserCodeError) as caught:
        load("bad_factory:make()", tmp_path)
    assert isinstance(caught.value.error, TypeError)
    write("bad_attribute.py", "def __getattr__(name):\n    raise ValueError(name)\n")
    with pytest.raises(UserCodeError):
        load("bad_attribute:x", tmp_path)


@given(st.text())
def test_any_text(text: str) -> None:
    """No text makes a target raise anything but a line for its user."""
    try:
        target = Target.parse(text)
    except LoadError:
        return
    assert Target.parse(str(target)) == target
