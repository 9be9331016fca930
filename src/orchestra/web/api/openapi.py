"""The description of the API, in the form of OpenAPI."""

from __future__ import annotations

from typing import Any, Final

from .answers import ERRORS
from .schemas import SCHEMAS, ref

Schema = dict[str, Any]


def _parameter(name: str, text: str, schema: Schema, place: str = "query") -> Schema:
    found = {"name": name, "in": place, "description": text, "schema": schema}
    return {**found, "required": True} if place == "path" else found


NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": 2**53}
FLAG: Final = {"type": "boolean"}

PLAYER: Final = _parameter(
    "path", "The full path of a player, such as `jobs.mailer`.", {"type": "string"}, "path"
)
BELOW: Final = _parameter(
    "path", "A player, with all below it; without, all of them.", {"type": "string"}
)
SINCE: Final = _parameter("since", "Only those with a number above this one.", NUMBER)
LIMIT: Final = _parameter("limit", "The newest so many; 1000 without.", NUMBER)
RUNS: Final = _parameter(
    "runs",
    "Those of which run; both without.",
    {"type": "string", "enum": ["both", "current", "previous"]},
)
STREAM: Final = (
    _parameter("players", "Whether to tell of the players; true without.", FLAG),
    _parameter("entries", "Whether to tell of lines and events; true without.", FLAG),
    _parameter("resume", "What another answer has given as its `resume`.", {"type": "string"}),
    _parameter("Last-Event-ID", "The same, as browsers send it.", {"type": "string"}, "header"),
)

WAITING: Final = {
    "wait": {"type": "boolean", "description": "Whether to answer when it is done; true without."},
    "timeout": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 2**53,
        "description": "Seconds after which it is late; without, it may take as long as it takes.",
    },
}
COUNT: Final = {"count": {"type": "integer", "minimum": 0, "maximum": 10_000}}
DRY_RUN: Final = {"dry_run": {"type": "boolean", "description": "Only tell what would be done."}}


def _get(summary: str, answer: str, *parameters: Schema, **more: Any) -> Schema:
    found = _operation(summary, answer, ["invalid", *more.pop("errors", ())], parameters)
    return {"get": {**found, **more}}


def _post(
    summary: str, answer: str, members: Schema, *parameters: Schema, errors: tuple[str, ...] = ()
) -> Schema:
    required = [name for name in members if name == "count"]
    body: Schema = {"type": "object", "properties": members, "additionalProperties": False}
    if required:
        body["required"] = required
    found = _operation(summary, answer, ["invalid", "forbidden", "too_large", *errors], parameters)
    content = {"application/json": {"schema": body}}
    return {"post": {**found, "requestBody": {"required": True, "content": content}}}


def _operation(summary: str, answer: str, errors: list[str], parameters: Any) -> Schema:
    found: Schema = {
        "summary": summary,
        "responses": {
            "200": {
                "description": summary,
                "content": {"application/json": {"schema": ref(answer)}},
            },
            **{str(ERRORS[code][0]): ref(code, "responses") for code in ["unauthorized", *errors]},
        },
    }
    return {**found, "parameters": list(parameters)} if parameters else found


STEERED: Final = ("unknown", "refused", "failed", "late")

_STREAMED: Final = {
    "200": {
        "description": "Events `players`, with what has changed among them, and `entries`, each with "
        "an id to resume from. The first `players` has all of them.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

_stream: Final = _get(
    "What happens, as it happens", "Players", BELOW, *STREAM, errors=("unknown", "busy")
)
_stream["get"]["responses"].update(_STREAMED)


def _probe(summary: str, answer: str, *, may_fail: bool = True) -> Schema:
    content = {"application/json": {"schema": ref(answer)}}
    statuses = ("200", "503") if may_fail else ("200",)
    responses = {status: {"description": summary, "content": content} for status in statuses}
    return {"get": {"summary": summary, "security": [], "responses": responses}}


_METRICS: Final = {
    "get": {
        "summary": "The metrics of the players, for Prometheus",
        "security": [],
        "responses": {
            "200": {
                "description": "The metrics",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            "501": ref("missing", "responses"),
        },
    }
}

DOCUMENT: Final[Schema] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Orchestra",
        "version": "1",
        "description": "Sees and steers the players of one running program.",
    },
    "security": [{"token": []}],
    "paths": {
        "/livez": _probe("Whether the loop turns", "Live", may_fail=False),
        "/readyz": _probe("Whether all are ready and nothing stops", "Readiness"),
        "/startupz": _probe("Whether all have been ready once", "Startup"),
        "/metrics": _METRICS,
        "/api/openapi.json": _get("This description", "Description"),
        "/api/program": _get("The program itself", "Program"),
        "/api/players": _get("All players", "Players"),
        "/api/players/{path}": _get("One player", "OnePlayer", PLAYER, errors=("unknown",)),
        "/api/players/{path}/start": _post(
            "Start a player that does not play", "Done", WAITING, PLAYER, errors=STEERED
        ),
        "/api/players/{path}/stop": _post(
            "Stop a player, until it is started again", "Done", WAITING, PLAYER, errors=STEERED
        ),
        "/api/players/{path}/restart": _post(
            "Stop a player and start it again", "Done", WAITING, PLAYER, errors=STEERED
        ),
        "/api/players/{path}/scale": _post(
            "Have so many copies", "Done", {**COUNT, **WAITING}, PLAYER, errors=STEERED
        ),
        "/api/stop": _post("Ask the whole program to stop", "Done", {}),
        "/api/reload": _post(
            "Read the file again that is played", "Reloaded", DRY_RUN, errors=("refused", "failed")
        ),
        "/api/lines": _get(
            "What was logged", "Lines", BELOW, RUNS, SINCE, LIMIT, errors=("unknown",)
        ),
        "/api/events": _get(
            "What has happened", "Events", BELOW, SINCE, LIMIT, errors=("unknown",)
        ),
        "/api/stack": _get("Where everything is right now", "Places", BELOW, errors=("unknown",)),
        "/api/settings": _get(
            "What a player was made with", "Settings", BELOW, errors=("unknown",)
        ),
        "/api/stream": _stream,
    },
    "components": {
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "Over TCP; the Unix socket can be opened by its owner alone.",
            }
        },
        "responses": {
            code: {
                "description": text,
                "content": {"application/json": {"schema": ref("Error")}},
            }
            for code, (_, text) in ERRORS.items()
        },
        "schemas": SCHEMAS,
    },
}
