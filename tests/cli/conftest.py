"""A folder to play in, and `orchestra` in this very process, where that is enough."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from play_kit import Said, unpadded

from orchestra.cli.program import orchestra as cli

PROGRAMS = Path(__file__).parent / "programs"

Here = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the module `shop`."""
    shutil.copy(PROGRAMS / "shop.py", tmp_path)
    return tmp_path


@pytest.fixture
def here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Runs `orchestra` in this process, in that folder; what it imports is forgotten afterwards."""
    known, path, environ = set(sys.modules), list(sys.path), dict(os.environ)
    monkeypatch.chdir(folder)
    for name in ("NO_COLOR", "PORT"):
        monkeypatch.delenv(name, raising=False)

    def here(*args: str) -> Said:
        code = cli(list(args))
        said = capsys.readouterr()
        return Said(code, unpadded(said.out), said.err)

    yield here
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environ)
