"""The reference: members are listed there by hand, and none may be forgotten."""

import re
from pathlib import Path

import pytest

import orchestra
import orchestra.probes
import orchestra.testing

REFERENCE = Path(__file__).parents[1] / "docs/reference"
LISTED = {
    name
    for page in REFERENCE.glob("*.md")
    for name in re.findall(r"^\.\. auto\w+:: ([\w.]+)", page.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize(
    "name",
    [
        f"{module.__name__}.{name}"
        for module in (orchestra, orchestra.probes, orchestra.testing)
        for name in module.__all__
    ],
)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """Each has an entry of its own."""
    assert name in LISTED
