"""Functions that build a server: what they build, as far as can be told without calling them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, Final

from .calls import Call, call_of, unbound

_NOT_AN_ADDRESS: Final = {"ctx", "context", "request", "environ", "scope", "websocket"}


def server_of(built: Any) -> str | None:
    """The kind of a server that has been built; None if it is none that can be played."""
    if is_server_class(type(built), "grpc.aio"):
        return "grpc"
    return "socketserver" if is_server_class(type(built), "socketserver") else None


def is_server_class(cls: Any, module: str) -> bool:
    """Whether instances of this class are servers of `grpc`, of `grpc.aio` or of `socketserver`."""
    if not inspect.isclass(cls):
        return False
    names = {"BaseServer"} if module == "socketserver" else {"Server", "_Server"}
    return any(
        base.__name__ in names and f"{base.__module__}.".startswith(f"{module}.")
        for base in cls.__mro__
    )


def builds_grpc(app: Any) -> bool:
    """One that says that it returns a `grpc.aio.Server`; it may be async."""
    return _factory(app, 0, 1) is not None and is_server_class(_returned(app), "grpc.aio")


def builds_socketserver(app: Any) -> bool:
    """One that takes the address, or binds such a class, or says that it returns one."""
    call = _factory(app, 0, 1)
    if call is None or call.is_async:
        return False
    bound = unbound(app)
    return call.wants(1) or any(
        is_server_class(cls, "socketserver") for cls in (bound, _returned(app))
    )


def builds_something(app: Any) -> bool:
    """A plain function without arguments, of which nobody knows what it builds."""
    call = _factory(app, 0)
    return call is not None and not call.is_async


class Built:
    """A function that has been called once: what it built then is for the first who asks."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.first: Any = factory()
        self._factory = factory

    def __call__(self) -> Any:
        """What it built; from the second time on, another."""
        first, self.first = self.first, None
        return self._factory() if first is None else first

    def close(self) -> None:
        """Let go of what nobody has asked for."""
        if self.first is not None and server_of(self.first) == "socketserver":
            self.first.server_close()


def build(factory: Callable[..., Any], address: Any) -> Any:
    """What such a function builds; it gets the address if it takes one.

    >>> build(lambda: "built", ("127.0.0.1", 8000))
    'built'
    >>> build(lambda address: address, ("127.0.0.1", 8000))
    ('127.0.0.1', 8000)
    """
    call = call_of(factory)
    return factory(address) if call is not None and len(call.required) == 1 else factory()


def _factory(app: Any, *numbers: int) -> Call | None:
    if inspect.isclass(app):
        return None
    call = call_of(app)
    if call is None or not call.known or call.most is None:
        return None
    if _NOT_AN_ADDRESS.intersection(call.required):
        return None
    return call if any(call.wants(number) for number in numbers) else None


def _returned(function: Any) -> Any:
    """The class that a function says it returns; None if it does not say, or can't be understood."""
    function = unbound(function)
    if not inspect.isroutine(function):
        return None
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:
        # It names what is imported for type checkers only; what it builds will show.
        return None
