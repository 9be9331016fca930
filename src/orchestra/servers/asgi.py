"""ASGI applications: how they are recognised, in the new style and in the old."""

from __future__ import annotations

import inspect
from typing import Any

from .calls import call_of, method_of


def recognises(app: Any) -> bool:
    """Whether this is an ASGI application."""
    return is_asgi3(app) or is_asgi2(app)


def as_asgi3(app: Any) -> Any:
    """The application as an async callable that takes three arguments, and no fewer."""
    if is_asgi2(app):

        async def old_style(scope: Any, receive: Any, send: Any) -> None:
            await app(scope)(receive, send)

        return old_style
    call = call_of(app)
    if call is not None and call.takes(0):
        # Some servers call whatever lets itself be called without arguments, to see if it builds one.
        async def with_three(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return with_three
    return app


def is_asgi3(app: Any) -> bool:
    """Called with `(scope, receive, send)`, and awaited."""
    call = call_of(app)
    if call is None or inspect.isclass(app) or not call.takes(3):
        return False
    if call.required == ("scope", "receive", "send"):
        return True
    # Fewer that have to be given, and three that may, is something else with more to it.
    return call.is_async and (call.most is None or len(call.required) in (0, 3))


def is_asgi2(app: Any) -> bool:
    """The old style: called with the scope, it gives what is called with the rest."""
    call = call_of(app)
    if call is None or call.is_async or call.required != ("scope",):
        return False
    return not inspect.isclass(app) or method_of(app, "__call__") is not None
