"""The keys that an `orchestra.toml` may have: how each is read, and what JSON Schema says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .durations import parse_duration
from .values import (
    CONDITIONS,
    read_after,
    read_args,
    read_backoff,
    read_codes,
    read_command,
    read_environment,
    read_flag,
    read_give_up,
    read_liveness,
    read_log,
    read_name,
    read_number,
    read_one_of,
    read_probe,
    read_stop,
    read_text,
    read_texts,
    read_umask,
)

Schema = Mapping[str, Any]

_STRING: Final = {"type": "string", "minLength": 1}
_STRINGS: Final = {"type": "array", "items": _STRING, "minItems": 1}
_DURATION: Final = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"},
    ]
}
_COUNT: Final = {"type": "integer", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it says, its form, how it is read, and the field that it fills if not its own."""

    what: str
    schema: Schema
    read: Callable[[Any], Any]
    field: str | None = None


def _object(properties: Mapping[str, Schema], *required: str, **more: Any) -> Schema:
    made: dict[str, Any] = {"type": "object", "properties": properties, **more}
    made["additionalProperties"] = False
    return made | ({"required": list(required)} if required else {})


_HOW_SCHEMA: Final[Mapping[str, Schema]] = {
    "status": {"type": "integer", "minimum": 100},
    "interval": _DURATION,
    "timeout": _DURATION,
}
_PROBE_SCHEMA: Final[Mapping[str, Schema]] = {
    "tcp": {"type": "string", "pattern": r"^.+:\d+$"},
    "http": {"type": "string", "pattern": r"^https?://[^/\s]+"},
    "output": _STRING,
    "after": _DURATION,
    "command": {"anyOf": [_STRING, _STRINGS]},
}


def _exactly_one(names: Mapping[str, Schema]) -> dict[str, Any]:
    return {"oneOf": [{"required": [name]} for name in names]}


_ALIVE_KINDS: Final = {
    name: one for name, one in _PROBE_SCHEMA.items() if name not in ("after", "output")
}

PLAYER_KEYS: Final[Mapping[str, Key]] = {
    "command": Key(
        "the command to run, split as a shell would, or a list",
        {"anyOf": [_STRING, _STRINGS]},
        read_command,
    ),
    "target": Key("the player in code, as in package.module:attribute", _STRING, read_text),
    "args": Key(
        "more arguments of the command, or those of a target that is called",
        {"type": "array"},
        read_args,
    ),
    "shell": Key("run the command by /bin/sh", {"type": "boolean"}, read_flag),
    "env": Key(
        "environment variables",
        {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        read_environment,
    ),
    "inherit_env": Key(
        "whether the environment of the program is passed on", {"type": "boolean"}, read_flag
    ),
    "cwd": Key("the working directory", _STRING, read_text),
    "user": Key("the user that it runs as", _STRING, read_text),
    "group": Key("the group that it runs as", _STRING, read_text),
    "umask": Key('the umask, as in "022"', {"type": ["string", "integer"]}, read_umask),
    "clean_codes": Key(
        'exit codes that are no failure; "any": however it ends',
        {"anyOf": [_COUNT, {"type": "array", "items": _COUNT}, {"const": "any"}]},
        read_codes,
    ),
    "copies": Key("how many of it play", _COUNT, read_number),
    "once": Key(
        "it runs to its end once, and what comes after it waits for that",
        {"type": "boolean"},
        read_flag,
    ),
    "autostart": Key("whether it starts with the program", {"type": "boolean"}, read_flag),
    "after": Key(
        "what it starts after, and stops before: names, or names with started, ready or done",
        {
            "anyOf": [
                _STRING,
                _STRINGS,
                {"type": "object", "additionalProperties": {"enum": list(CONDITIONS)}},
            ]
        },
        read_after,
    ),
    "ready": Key(
        "a probe that says when it serves",
        _object({**_PROBE_SCHEMA, **_HOW_SCHEMA}, **_exactly_one(_PROBE_SCHEMA)),
        read_probe,
    ),
    "alive": Key(
        "a probe that is asked again and again, and is a failure if it fails",
        _object(
            {
                **_ALIVE_KINDS,
                **_HOW_SCHEMA,
                "every": _DURATION,
                "failures": {"type": "integer", "minimum": 1},
            },
            **_exactly_one(_ALIVE_KINDS),
        ),
        read_liveness,
    ),
    "start_timeout": Key("how long it may take to be ready", _DURATION, parse_duration),
    "restart": Key(
        "whether it comes back",
        {"enum": ["never", "failure", "always"]},
        read_one_of("never", "failure", "always"),
    ),
    "backoff": Key(
        "how long it waits before it comes back: a duration, a list of them, or how it grows",
        {
            "anyOf": [
                _DURATION,
                {"type": "array", "items": _DURATION, "minItems": 1},
                _object(
                    {
                        "initial": _DURATION,
                        "multiplier": {"type": "number", "minimum": 1, "maximum": 1000},
                        "max_delay": _DURATION,
                        "jitter": {"type": "number", "minimum": 0, "maximum": 1},
                    }
                ),
            ]
        },
        read_backoff,
    ),
    "give_up": Key(
        'when it does not come back any more, as in "5 in 60s"',
        {"anyOf": [_COUNT, {"type": "string", "pattern": r"^\s*\d+(\s+in\s+\S.*)?$"}]},
        read_give_up,
    ),
    "stop": Key(
        "how it is stopped",
        _object({"signal": {"type": ["string", "integer"]}, "timeout": _DURATION}),
        read_stop,
    ),
    "watch": Key(
        "files, as patterns, whose change restarts it", {"anyOf": [_STRING, _STRINGS]}, read_texts
    ),
    "ordered": Key(
        "of a group: each player starts after the one before it", {"type": "boolean"}, read_flag
    ),
    "stop_when": Key(
        "of a group: when it ends by itself",
        {"enum": ["all", "any", "never"]},
        read_one_of("all", "any", "never"),
    ),
    "timeout": Key("of a group: how long its players have to stop", _DURATION, parse_duration),
}

PROGRAM_KEYS: Final[Mapping[str, Key]] = {
    "name": Key(
        "what the program is called",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        lambda value: read_name(value),
    ),
    "env_file": Key(
        "files with environment variables", {"anyOf": [_STRING, _STRINGS]}, read_texts, "env_files"
    ),
    "log": Key(
        "a file for the log, and when the next is begun",
        {
            "anyOf": [
                _STRING,
                _object(
                    {"file": _STRING, "max_size": {"type": ["string", "integer"]}, "keep": _COUNT},
                    "file",
                ),
            ]
        },
        read_log,
    ),
    "timeout": Key("how long the players have to stop", _DURATION, parse_duration),
    "drain_delay": Key(
        "how long it goes on, not ready any more, after the first signal", _DURATION, parse_duration
    ),
    "ordered": PLAYER_KEYS["ordered"],
    "stop_when": PLAYER_KEYS["stop_when"],
}

GROUP_ONLY: Final = frozenset({"ordered", "stop_when", "timeout"})
COMMAND_ONLY: Final = frozenset(
    {
        "shell",
        "env",
        "inherit_env",
        "cwd",
        "user",
        "group",
        "umask",
        "clean_codes",
        "ready",
        "alive",
        "stop",
    }
)
NOT_FOR_GROUPS: Final = frozenset({"args", "watch", "once", "start_timeout"})
