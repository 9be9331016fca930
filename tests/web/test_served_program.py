"""How a program is called, and what it tells of itself."""

from importlib import metadata

import pytest

from orchestra import Conductor, playing
from orchestra.testing import FakePlayer
from orchestra.web.console import program
from orchestra.web.console.console import Console
from orchestra.web.console.program import Program, name_of_program, version


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/srv/shop.py"], "shop"),
        (["/usr/bin/shop", "--fast"], "shop"),
        (["/srv/shop/__main__.py"], "shop"),
        (["-c"], "python"),
        ([""], "python"),
        ([], "python"),
        (["__main__.py"], "python"),
    ],
)
def test_the_name_of_a_program(argv: list[str], name: str) -> None:
    """It is that of its file, or of the package that was started."""
    assert name_of_program(argv) == name


@pytest.mark.virtual_time
async def test_a_player_that_has_gone() -> None:
    """There is no row of a player that was removed while somebody steered it."""
    console = Console()
    async with playing(Conductor({"a": FakePlayer()})) as performance:
        with console.opened(performance):
            found = Program(console, "shop").row
            assert found("a") is not None
            assert found("b") is None


def test_a_library_that_was_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Used from a folder, it knows no version."""
    assert version()[0].isdigit()

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(program.metadata, "version", missing)
    assert version() == "unknown"
