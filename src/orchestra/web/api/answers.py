"""What goes out over HTTP: objects in JSON, and errors that have a code."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import Response

from ..console.control import CommandError
from ..console.rows import VERSION, printable

ERRORS: Final = {
    "invalid": (400, "The request makes no sense"),
    "unauthorized": (401, "The token is missing or wrong"),
    "forbidden": (403, "It is served read-only, or asked for by a page of another site"),
    "unknown": (404, "Nobody has this path; the message has the nearest"),
    "refused": (409, "It can't be done as things are"),
    "too_large": (413, "The body is too large"),
    "failed": (500, "It was begun, and the player failed, or had to be cut off"),
    "missing": (501, "A library is not installed; the message says how to install it"),
    "busy": (503, "There are too many streams or connections, or the program stops"),
    "late": (504, "It was not over in the time that it was given, and goes on"),
}
"""The answers that are errors: their status, and what they say, by code."""


class Refusal(Exception):
    """A request that gets an error for an answer; `code` is one of `ERRORS`, `headers` come with it."""

    def __init__(self, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answer(values: dict[str, Any], status: int = 200, **more: Any) -> Response:
    """An answer with these values, and the version of their form."""
    return Response(encoded({"version": VERSION, **values}), status, media_type=JSON, **more)


def error_answer(error: Refusal | CommandError) -> Response:
    """The answer that an error is."""
    headers = error.headers if isinstance(error, Refusal) else None
    return failure(ERRORS[error.code][0], error.code, str(error), headers)


def failure(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """The answer that an error is, with a status of its own."""
    return answer({"error": {"code": code, "message": printable(message)}}, status, headers=headers)


def encoded(values: Any) -> bytes:
    """As JSON, in UTF-8 and in one line."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


JSON: Final = "application/json"
