"""A folder to play in."""

import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the module `shop`."""
    shutil.copy(PROGRAMS / "shop.py", tmp_path)
    return tmp_path
