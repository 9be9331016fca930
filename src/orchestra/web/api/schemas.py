"""The forms of the answers of the API, as schemas."""

from __future__ import annotations

from typing import Any, Final

from ...status import State
from .answers import ERRORS

Schema = dict[str, Any]


def ref(name: str, kind: str = "schemas") -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _object(text: str, required: Schema, **optional: Schema) -> Schema:
    return {
        "type": "object",
        "description": text,
        "properties": {**required, **optional},
        "required": list(required),
    }


def _answer(text: str, required: Schema, **optional: Schema) -> Schema:
    return _object(text, {"version": {"const": 1}, **required}, **optional)


def _list(items: Schema, text: str = "") -> Schema:
    return {"type": "array", "items": items, **({"description": text} if text else {})}


def _or_null(kind: str, text: str = "") -> Schema:
    return {"type": [kind, "null"], **({"description": text} if text else {})}


TEXT: Final = {"type": "string"}
NUMBER: Final = {"type": "number"}
WHOLE: Final = {"type": "integer"}
FLAG: Final = {"type": "boolean"}
ANY: Final = {"type": "object"}
TIME: Final = {"type": "number", "description": "Seconds since 1970"}
PATHS: Final = _list(TEXT)
RESUME: Final = {"type": "string", "description": "What to resume a stream from after this answer"}
ROW: Final = {"anyOf": [ref("Player"), {"type": "null"}]}

_PLAYER: Final = _object(
    "A player, parents before those below them",
    {
        "path": {
            "type": "string",
            "description": "Its full path; that of a group at the root is empty",
        },
        "parent": _or_null("string", "The path of the group that it plays in; null at the root"),
        "name": TEXT,
        "kind": {"type": "string", "description": "Such as `group`, `coroutine`, `command`"},
        "state": {"type": "string", "enum": [str(state) for state in State]},
        "ready": FLAG,
        "done": {**FLAG, "description": "Whether it has ended by itself, and well"},
        "since": {**TIME, "description": "When its state began, in seconds since 1970"},
        "uptime": _or_null("number", "Seconds that this run has taken so far"),
        "restarts": WHOLE,
        "next_restart_in": _or_null("number", "Seconds until its next run, while it backs off"),
        "error": _or_null("string", "Its last failure"),
        "details": {**ANY, "description": "What it has told when it got ready"},
        "waits_for": _list(TEXT, "Those that it waits for before it starts"),
        "copies": _or_null("integer", "How many copies it is, if it can be scaled"),
        "last_line": _or_null("string", "What was logged last by it or about it"),
        "cpu": _or_null("number", "The share of one core, for processes and commands"),
        "memory": _or_null("integer", "Bytes, for processes and commands"),
    },
)

_LINE: Final = _object(
    "Something that was logged",
    {
        "type": {"const": "line"},
        "id": WHOLE,
        "time": TIME,
        "path": TEXT,
        "run": {"type": "integer", "description": "The number of the player's run"},
        "level": TEXT,
        "source": {"type": "string", "description": "The name of the logger"},
        "text": TEXT,
    },
)

_EVENT: Final = _object(
    "Something that has happened to a player",
    {
        "type": {"const": "event"},
        "id": WHOLE,
        "time": TIME,
        "path": TEXT,
        "kind": {"type": "string", "description": "Such as `Started`, `Failed`, `Stopped`"},
        "text": _or_null("string", "In words, if it is worth some"),
        "details": ANY,
    },
)

_PLACE: Final = _object(
    "Where one thing of a player is",
    {
        "path": TEXT,
        "what": {"type": "string", "enum": ["player", "task", "thread"]},
        "name": TEXT,
        "where": {"type": "string", "description": "An await chain or a stack, innermost last"},
    },
)

SCHEMAS: Final[Schema] = {
    "Player": _PLAYER,
    "Line": _LINE,
    "Event": _EVENT,
    "Place": _PLACE,
    "Error": _answer(
        "What went wrong",
        {"error": _object("", {"code": {"type": "string", "enum": list(ERRORS)}, "message": TEXT})},
    ),
    "Live": _answer("The loop turns", {"live": {"const": True}}),
    "Readiness": _answer(
        "Whether all are ready", {"ready": FLAG, "unready": _list(TEXT, "Who is not")}
    ),
    "Startup": _answer("Whether all have been ready once", {"started": FLAG}),
    "Description": _answer("This description", {"openapi": TEXT, "info": ANY, "paths": ANY}),
    "Program": _answer(
        "The program itself",
        {
            "name": TEXT,
            "pid": WHOLE,
            "instance": {"type": "string", "description": "Another one after each start"},
            "started": TIME,
            "read_only": FLAG,
            "orchestra": {"type": "string", "description": "The version of Orchestra"},
            "python": {"type": "string", "description": "The version of Python"},
            "file": _or_null("string", "The file that is played"),
            "cpu": _or_null("number", "The share of one core since the last look"),
            "memory": _or_null("integer", "Bytes"),
            "url": _or_null("string", "The page's address, with the token; over the Unix socket"),
        },
    ),
    "Players": _answer(
        "All players",
        {
            "time": TIME,
            "resume": RESUME,
            "ready": FLAG,
            "unready": _list(TEXT, "Those who keep the tree from being ready"),
            "players": _list(ref("Player")),
        },
    ),
    "OnePlayer": _answer("One player", {"time": TIME, "resume": RESUME, "player": ref("Player")}),
    "Lines": _answer(
        "Lines, oldest first", {"time": TIME, "resume": RESUME, "lines": _list(ref("Line"))}
    ),
    "Events": _answer(
        "Events, oldest first", {"time": TIME, "resume": RESUME, "events": _list(ref("Event"))}
    ),
    "Places": _answer(
        "Where players are", {"time": TIME, "resume": RESUME, "places": _list(ref("Place"))}
    ),
    "Settings": _answer(
        "What a player was made with",
        {"settings": ANY, "variables": _list(TEXT, "Names of environment variables")},
    ),
    "Done": _answer(
        "A command that was done, or only accepted if it is not finished",
        {"command": TEXT, "path": TEXT, "finished": FLAG, "player": ROW},
    ),
    "Reloaded": _answer("What has changed", {"changes": _list(TEXT), "applied": FLAG}),
}
