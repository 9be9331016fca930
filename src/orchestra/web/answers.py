"""What goes out over HTTP: objects in JSON, and errors that have a code."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import Response

from . import book
from .control import CommandError

STATUS: Final = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unknown": 404,
    "refused": 409,
    "too_large": 413,
    "failed": 500,
    "missing": 501,
    "busy": 503,
    "late": 504,
}
"""The status of an answer that is an error, by its code."""


class Refusal(Exception):
    """A request that gets an error for an answer; `code` is one of `STATUS`, `headers` come with it."""

    def __init__(self, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answer(values: dict[str, Any], status: int = 200, **more: Any) -> Response:
    """An answer with these values, and the version of their form."""
    return Response(encoded({"version": book.VERSION, **values}), status, media_type=JSON, **more)


def error_answer(error: Refusal | CommandError) -> Response:
    """The answer that an error is."""
    headers = error.headers if isinstance(error, Refusal) else None
    return failure(STATUS[error.code], error.code, str(error), headers)


def failure(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """The answer that an error is, with a status of its own."""
    return answer(
        {"error": {"code": code, "message": book.printable(message)}}, status, headers=headers
    )


def encoded(values: Any) -> bytes:
    """As JSON, in UTF-8 and in one line."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


JSON: Final = "application/json"
