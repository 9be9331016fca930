"""How something is called: what its signature tells."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """What has to be given to a callable by position, and what comes of it."""

    required: tuple[str, ...]
    most: int | None  # None: any number
    is_async: bool
    known: bool = True  # False: compiled, and can't be asked

    def takes(self, number: int) -> bool:
        """Whether it can be called with so many."""
        return len(self.required) <= number and (self.most is None or number <= self.most)

    def wants(self, number: int) -> bool:
        """Whether it is made to be called with so many, and not only able to."""
        return self.known and self.most is not None and len(self.required) == number


def call_of(given: Any) -> Call | None:
    """How this is called; None if it is not called at all, or yields and so does nothing by itself.

    A class is called to make an instance.
    """
    if not callable(given):
        return None
    function = _function(given)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return None
    is_async = inspect.iscoroutinefunction(function)
    try:
        parameters = inspect.signature(given).parameters.values()
    except (TypeError, ValueError):
        return Call((), None, is_async, known=False)
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        return Call((), -1, is_async)
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = tuple(p.name for p in by_position if p.default is p.empty)
    return Call(required, None if several else len(by_position), is_async)


def unbound(given: Any) -> Any:
    """What a partial stands for."""
    while isinstance(given, functools.partial):
        given = given.func
    return given


def method_of(cls: type, name: str) -> Callable[..., Any] | None:
    """A method that a class has given its instances; not what a metaclass has given the class."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _function(given: Any) -> Any:
    """What runs when this is called."""
    given = unbound(given)
    if inspect.isroutine(given) or inspect.isclass(given):
        return given
    return method_of(type(given), "__call__")
