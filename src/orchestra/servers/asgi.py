"""ASGI applications: how they are recognised, in the new style and in the old."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def recognises(app: Any) -> bool:
    """Whether this is an ASGI application."""
    return _is_asgi3(app) or _is_asgi2(app)


def as_asgi3(app: Any) -> Any:
    """The application as an async callable that takes three arguments, and no fewer."""
    if not _is_asgi3(app):

        async def old_style(scope: Any, receive: Any, send: Any) -> None:
            await app(scope)(receive, send)

        return old_style
    if _takes(app, 0):
        # Some servers call whatever lets itself be called without arguments, to see if it builds one.
        async def with_three(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return with_three
    return app


def parameters(app: Any) -> list[str]:
    """The names of the parameters that have to be given; none where nobody can tell."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return []
    return [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def _is_asgi3(app: Any) -> bool:
    if not callable(app) or inspect.isclass(app) or not _takes(app, 3):
        return False
    return _is_async(app) or parameters(app) == ["scope", "receive", "send"]


def _is_asgi2(app: Any) -> bool:
    """The old style: called with the scope, it gives what is called with the rest."""
    if not callable(app) or _is_async(app):
        return False
    return parameters(app) == ["scope"] and (not inspect.isclass(app) or callable(_call_of(app)))


def _is_async(app: Any) -> bool:
    while isinstance(app, functools.partial):
        app = app.func
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(_call_of(type(app)))


def _call_of(cls: type) -> Any:
    # Not what its metaclass makes of calling the class itself.
    return next((vars(base)["__call__"] for base in cls.__mro__ if "__call__" in vars(base)), None)


def _takes(app: Any, number: int) -> bool:
    try:
        inspect.signature(app).bind(*range(number))
    except ValueError:
        return number == 3  # compiled, and can't be asked
    except TypeError:
        return False
    return True
