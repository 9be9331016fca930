"""What a request asks: its query and its body, checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from ...errors import nearest
from .answers import JSON, Refusal

MOST_BODY: Final = 64 * 1024
"""Bytes that the body of a request may have."""

MOST_DISCARDED: Final = 1024 * 1024
"""Bytes of one that is too large which are read all the same: who still sends does not hear the answer."""

MOST_NUMBER: Final = 2**53
MOST_COPIES: Final = 10_000

UNIX: Final = "orchestra.unix"
"""In the `state` of a request's scope: that it has come over the Unix socket, from one of us."""

Check = Callable[[Any], Any]


def is_over_unix(scope: Mapping[str, Any]) -> bool:
    """Whether a request has come over the Unix socket; what does not say so has not."""
    return scope.get("state", {}).get(UNIX) is True


def query_of(request: Request, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The parameters of the query, checked; those that are not given are left out.

    Raises a `Refusal`, `invalid`, for one that is unknown, given twice, or wrong.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Refusal("invalid", f"the parameter {name!r} is given more than once")
        given[name] = value
    return _checked(given, checks, "parameter")


async def body_of(request: Request, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The object in the body, checked; what is not given is left out, and no body is an empty one.

    Raises a `Refusal` for what is no JSON, is too large, or has a member that is unknown or wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _read(request)
    if kind != JSON:
        # What a form on another site sends, without asking first, is none of that.
        raise Refusal("invalid", f"the Content-Type has to be {JSON}, not {kind!r}")
    try:
        found = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid", f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refusal("invalid", 'the body has to be an object, such as {"wait": true}')
    return _checked(found, checks, "member")


async def _read(request: Request) -> bytes:
    """The whole body; of one that is too large some is read and thrown away."""
    size, parts = 0, []
    try:
        async for part in request.stream():
            size += len(part)
            if size <= MOST_BODY:
                parts.append(part)
            elif size > MOST_DISCARDED:
                break
    except ClientDisconnect:
        raise Refusal("invalid", "the body has ended too early") from None
    if size > MOST_BODY:
        message = f"the body of a request may have {MOST_BODY} bytes"
        raise Refusal("too_large", message, connection="close")
    return b"".join(parts)


def _checked(given: Mapping[str, Any], checks: Mapping[str, Check], noun: str) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        check = checks.get(name)
        if check is None:
            raise Refusal("invalid", f"the {noun} {name!r} is unknown. {nearest(name, checks)}")
        try:
            found[name] = check(value)
        except ValueError as error:
            raise Refusal("invalid", f"the {noun} {name!r} has to be {error}") from None
    return found


# Checks, which raise a `ValueError` that says what it has to be

T = TypeVar("T")


def text(value: str) -> str:
    """Any text."""
    return value


def number(value: str) -> int:
    """A whole number in a query."""
    if not (value.isascii() and value.isdigit()) or int(value[:18]) > MOST_NUMBER:
        raise ValueError(f"a number from 0 on, not {value!r}")
    return int(value[:18])


def flag(value: str) -> bool:
    """Yes or no in a query."""
    if value not in ("true", "false"):
        raise ValueError(f"true or false, not {value!r}")
    return value == "true"


def one_of(*words: str) -> Check:
    """One of these words in a query."""

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}, not {value!r}")
        return value

    return check


def truth(value: Any) -> bool:
    """Yes or no in a body."""
    if not isinstance(value, bool):
        raise ValueError(f"true or false, not {value!r}")
    return value


def time_limit(value: Any) -> float | None:
    """Seconds in a body, or null for no limit."""
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"a number of seconds or null, not {value!r}")
    if not 0 <= value <= MOST_NUMBER or not math.isfinite(value):
        raise ValueError(f"a number of seconds from 0 on, not {value!r}")
    return float(value)


def count(value: Any) -> int:
    """A number of copies in a body."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # in JSON there is no difference
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_COPIES:
        raise ValueError(f"a whole number from 0 to {MOST_COPIES}, not {value!r}")
    return value
