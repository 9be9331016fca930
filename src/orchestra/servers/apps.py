"""Which kind of application something is; no library is imported to find out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from . import asgi, factories
from .calls import call_of, method_of

_CONTEXT_NAMES: Final = {"ctx", "context"}

_NEW_EACH_RUN: Final = ": give the function that builds it, since each run needs a new one"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of application: its name, what it is, and how it is recognised.

    `may_be` tells whether it can be this if the user says so; by default it can't be anything else than
    what it is recognised as. `prepared` gives what adapters get.
    """

    name: str
    what: str
    recognises: Callable[[Any], bool]
    may_be: Callable[[Any], bool] = lambda app: False
    prepared: Callable[[Any], Any] = lambda app: app


def _called_with(*numbers: int) -> Callable[[Any], bool]:
    def may_be(app: Any) -> bool:
        call = call_of(app)
        return call is not None and any(call.takes(number) for number in numbers)

    return may_be


def binds_serve(app: Any) -> bool:
    """Whether this is `functools.partial(serve, handler, ...)`, or that of `route`, of websockets."""
    return (
        isinstance(app, functools.partial)
        and getattr(app.func, "__module__", "").startswith("websockets.asyncio.")
        and app.func.__name__ in ("serve", "route")
        and bool(app.args)
    )


def _is_client_connected(app: Any) -> bool:
    call = call_of(app)
    if call is None or inspect.isclass(app):
        return False
    return call.required == ("reader", "writer") or (call.is_async and call.wants(2))


def _is_wsgi(app: Any) -> bool:
    call = call_of(app)
    if call is None or call.is_async or not call.wants(2):
        return False
    # A class of which each request makes an instance, as the standard has it.
    return not inspect.isclass(app) or method_of(app, "__iter__") is not None


def _is_websockets(app: Any) -> bool:
    if binds_serve(app):
        return True
    call = call_of(app)
    if call is None or inspect.isclass(app) or not call.is_async or not call.wants(1):
        return False
    return call.required[0] not in _CONTEXT_NAMES | {"request"}


KINDS: Final = (
    Kind(
        "aiohttp",
        "an aiohttp.web.Application, or a function that makes it",
        factories.is_or_makes_aiohttp,
        _called_with(0),
    ),
    Kind(
        "asyncio",
        "a client-connected callback, that is an async function with (reader, writer)",
        _is_client_connected,
        _called_with(2),
    ),
    Kind(
        "asgi",
        "an ASGI application, that is an async callable with (scope, receive, send), such as a "
        "Starlette or FastAPI instance",
        asgi.recognises,
        _called_with(3),
        asgi.as_asgi3,
    ),
    Kind(
        "wsgi",
        "a WSGI application, that is a callable with (environ, start_response), such as a Flask instance",
        _is_wsgi,
        _called_with(2),
    ),
    Kind(
        "grpc",
        "a function that builds a grpc.aio.Server",
        factories.builds_grpc,
        _called_with(0, 1),
    ),
    Kind(
        "websockets",
        "a websockets handler, that is an async function with (websocket)",
        _is_websockets,
        _called_with(1),
    ),
    Kind(
        "socketserver",
        "a function that builds a socketserver.BaseServer, or its class in functools.partial",
        factories.builds_socketserver,
        _called_with(0, 1),
    ),
)

FACTORY: Final = Kind(
    "factory", "a function that builds a server", factories.builds_something, _called_with(0)
)
"""What it builds is known when it has built the first."""


def kind_named(name: str) -> Kind:
    """The kind of this name; there has to be one."""
    return next(kind for kind in KINDS if kind.name == name)


def kind_of_app(app: Any) -> Kind | None:
    """The kind of `app` as it is recognised; None for what is none of them."""
    return next((kind for kind in (*KINDS, FACTORY) if kind.recognises(app)), None)


def no_application(app: Any) -> TypeError:
    """The error that says what was given, what may be meant, and what is accepted."""
    accepted = "; ".join(kind.what for kind in KINDS)
    return TypeError(
        f"{what_is(app)} is no application that can be served{_hint(app)}. Accepted: {accepted}. "
        "What can't be recognised can be said, as in server='websockets'"
    )


def what_is(app: object) -> str:
    """What was given, in words."""
    if inspect.isclass(app):
        return f"the class {app.__name__}"
    return f"{app!r} of type {type(app).__name__}"


def _hint(app: object) -> str:
    if inspect.isclass(app):
        if factories.is_server_class(app, "socketserver"):
            return f": bind it, as in `functools.partial({app.__name__}, RequestHandlerClass=...)`"
        if factories.is_server_class(app, "grpc"):
            return _NEW_EACH_RUN
        if any(base.__name__ == "BaseRequestHandler" for base in app.__mro__):
            server = "functools.partial(http.server.ThreadingHTTPServer, RequestHandlerClass="
            return f": give a server for it, as in `{server}{app.__name__})`"
        return ": give an instance"
    if inspect.iscoroutine(app):
        return ": it is a call that has been made already"
    if isinstance(app, str):
        return ": import it, and give the application itself"
    if factories.server_of(app) is not None or factories.is_server_class(type(app), "grpc"):
        return _NEW_EACH_RUN
    call = call_of(app)
    if call is not None and len(call.required) == 1:
        name = call.required[0]
        if name in _CONTEXT_NAMES:
            return ": it takes a context, so it is a player by itself"
        if name == "request":
            return ": it answers requests, so it belongs into an application"
    return ""
