"""Which kind of application something is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from . import asgi


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of application: its name, what it is, how it is recognised, what is made of it to serve."""

    name: str
    what: str
    recognises: Callable[[Any], bool]
    prepared: Callable[[Any], Any]


KINDS: Final = (
    Kind(
        "asgi",
        "an ASGI application, that is an async callable with (scope, receive, send), such as a "
        "Starlette or FastAPI instance",
        asgi.recognises,
        asgi.as_asgi3,
    ),
)


def kind_of_app(app: Any) -> Kind:
    """The kind of `app`, or a `TypeError` that says what was given and what is accepted."""
    for kind in KINDS:
        if kind.recognises(app):
            return kind
    accepted = "; ".join(kind.what for kind in KINDS)
    raise TypeError(
        f"{_what(app)} is no application that can be served{_hint(app)}. Accepted: {accepted}"
    )


def _what(app: object) -> str:
    if inspect.isclass(app):
        return f"the class {app.__name__}"
    return f"{app!r} of type {type(app).__name__}"


def _hint(app: object) -> str:
    if inspect.isclass(app):
        return ": give an instance"
    if inspect.iscoroutine(app):
        return ": it is a call that has been made already"
    if isinstance(app, str):
        return ": import it, and give the application itself"
    if callable(app) and asgi.parameters(app) == ["environ", "start_response"]:
        return ": wrap what is WSGI, as in `a2wsgi.WSGIMiddleware(app)`"
    return ""
