"""Handlers of gRPC that end no program.

What a handler raises in a task of gRPC's is an error for its client, but for a `SystemExit` and a
`KeyboardInterrupt`: asyncio lets those end the loop, and all that plays in it.
"""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_BEHAVIOURS: Final = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def contain_exits(server: Any) -> None:
    """Wrap the handlers of a server that has been built, where it keeps them.

    It has no other way in for that. Where it keeps them otherwise, they are left as they are.
    """
    for kept in gc.get_referents(server._server):
        if isinstance(kept, list):  # those for any method
            kept[:] = [_Containing(one) for one in kept]
        elif isinstance(kept, dict):  # those that are registered for one method
            kept.update({name: _contained(one) for name, one in kept.items()})


class _Containing:
    """Handlers for any method, as gRPC asks them."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method; None for one that it does not know."""
        return _contained(self._given.service(handler_call_details))


class _Handler:
    """A copy of a handler's attributes."""

    def __init__(self, given: Any, behaviours: dict[str, Any]) -> None:
        self.request_streaming = given.request_streaming
        self.response_streaming = given.response_streaming
        self.request_deserializer = given.request_deserializer
        self.response_serializer = given.response_serializer
        for name in _BEHAVIOURS:
            setattr(self, name, behaviours.get(name))


def _contained(given: Any) -> Any:
    if given is None or isinstance(given, _Handler):
        return given
    found = {name: getattr(given, name, None) for name in _BEHAVIOURS}
    return _Handler(given, {name: _wrapped(one) for name, one in found.items() if one is not None})


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of the same kind, since gRPC looks at that."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call(*args: Any) -> Any:
            with _no_exits():
                return await function(*args)

        return call
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def stream(*args: Any) -> AsyncIterator[Any]:
            with _no_exits():
                async for one in function(*args):
                    yield one

        return stream

    @functools.wraps(function)
    def call_in_thread(*args: Any) -> Any:
        with _no_exits():
            answer = function(*args)
        return _without_exits(answer) if inspect.isgenerator(answer) else answer

    return call_in_thread


def _without_exits(answers: Iterator[Any]) -> Iterator[Any]:
    with _no_exits():
        yield from answers


@contextmanager
def _no_exits() -> Iterator[None]:
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"the handler has raised {type(error).__name__}") from error
