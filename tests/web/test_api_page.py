"""The page about the API names all that can be asked for, and all that can go wrong."""

import re
from pathlib import Path

import pytest

from orchestra.web.api.answers import ERRORS
from orchestra.web.api.openapi import DOCUMENT

PAGE = (Path(__file__).parents[2] / "docs/how-to/status-page.md").read_text()


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path != "/"])
def test_a_path_is_on_the_page(path: str) -> None:
    """Each path of the API is there; of the commands for a player, the last part will do."""
    first, _, command = path.partition("/{path}")
    assert (f"{command.lstrip('/')}`" in PAGE) if command else (first in PAGE), path


@pytest.mark.parametrize("code", ERRORS)
def test_a_failure_is_on_the_page(code: str) -> None:
    """Each code of an error is there, with its status."""
    assert re.search(rf"^\| {ERRORS[code][0]} \| `{code}` \|", PAGE, re.MULTILINE)
