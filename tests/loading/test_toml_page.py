"""The page about `orchestra.toml`: its examples are right, and no key is missing."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

import orchestra.loading
from orchestra.loading.building import Place, build
from orchestra.loading.keys import PLAYER_KEYS, PROGRAM_KEYS
from orchestra.loading.toml import parse_pyproject, parse_toml

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "orchestra-toml.md"
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SCHEMA = json.loads((Path(orchestra.loading.__file__).parent / "schema.json").read_text())


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_the_examples(text: str) -> None:
    """Each example is taken by the loader and by the schema, and what it says can be built."""
    spec = parse_pyproject(text) if "[tool." in text else parse_toml(text)
    assert spec is not None
    if "[tool." not in text:
        jsonschema.validate(tomllib.loads(text), SCHEMA)
    if "target" not in text and "user" not in text:
        build(spec, Place())


def test_every_key_is_on_the_page_with_an_example() -> None:
    """Each key is described, and shown in an example."""
    described = re.findall(r"^((?:`\w+`(?:, )?)+)\n: ", PAGE.read_text(), re.MULTILINE)
    names = {name for line in described for name in re.findall(r"`(\w+)`", line)}
    assert names == {*PLAYER_KEYS, *PROGRAM_KEYS, "players", "defaults"}
    shown = "\n".join(EXAMPLES)
    for name in {*PLAYER_KEYS, *PROGRAM_KEYS}:
        assert re.search(rf"^{name} = ", shown, re.MULTILINE), name
