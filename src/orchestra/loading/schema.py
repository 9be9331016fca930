"""The JSON Schema of `orchestra.toml`, made of the same keys that the loader reads by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .keys import COMMAND_ONLY, GROUP_ONLY, NOT_FOR_GROUPS, PLAYER_KEYS, PROGRAM_KEYS, Key


def json_schema() -> dict[str, Any]:
    """The schema, for editors and for those who check their files without us.

    >>> json_schema()["properties"]["players"]["additionalProperties"]
    {'$ref': '#/$defs/player'}
    """
    players = {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
        "additionalProperties": {"$ref": "#/$defs/player"},
        "minProperties": 1,
    }
    own = {"command", "target", "after", "args", *GROUP_ONLY}
    defaults = {name: key for name, key in PLAYER_KEYS.items() if name not in own}
    program = _properties(PROGRAM_KEYS)
    program["defaults"] = {
        "description": "what counts for each player that says nothing else",
        **_table(defaults),
    }
    not_for_groups = COMMAND_ONLY | NOT_FOR_GROUPS
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "orchestra.toml",
        "type": "object",
        "properties": {
            "orchestra": {"type": "object", "properties": program, "additionalProperties": False},
            "players": players,
        },
        "required": ["players"],
        "additionalProperties": False,
        "$defs": {
            "player": {
                "type": "object",
                "properties": {
                    **_properties(PLAYER_KEYS),
                    "players": {**players, "minProperties": 0},
                },
                "additionalProperties": False,
                "oneOf": [
                    {"required": ["command"], **_without(GROUP_ONLY | {"target", "players"})},
                    {
                        "required": ["target"],
                        **_without(GROUP_ONLY | COMMAND_ONLY | {"command", "players"}),
                    },
                    {"required": ["players"], **_without(not_for_groups | {"command", "target"})},
                ],
            }
        },
    }


def _properties(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {name: {"description": key.what, **key.schema} for name, key in keys.items()}


def _table(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {"type": "object", "properties": _properties(keys), "additionalProperties": False}


def _without(names: frozenset[str]) -> dict[str, Any]:
    return {"not": {"anyOf": [{"required": [name]} for name in sorted(names)]}}
