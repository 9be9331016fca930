"""What a function is to a player: async or plain, and called with the context or with nothing."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

ACCEPTED: Final = (
    "a player is an object with `async def play(self, ctx)`, "
    "or a function, async or plain, that takes the context or nothing"
)
HOW_TO_BIND: Final = "Bind the rest first, as in `functools.partial(function, queue=queue)`."
CONTEXT_NAMES: Final = {"ctx", "context"}

_YIELDS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_AWAITED: Final = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
_MOST_LAYERS: Final = 100


def judge(function: Any) -> tuple[bool, bool]:
    """Whether a function is async, and whether it takes the context; or a `TypeError`."""
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if code.co_flags & _YIELDS:
            raise _yields(function)
        keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        takes = _code_takes_context(code, len(function.__defaults__ or ()), keywords)
        is_async = bool(code.co_flags & inspect.CO_COROUTINE) or inspect.iscoroutinefunction(
            function
        )
    elif callable(function) and not isinstance(function, type):
        is_async, takes = _is_async(function), _takes_context(function)
    else:
        raise TypeError(f"{what_is(function)} is no function: {ACCEPTED}")
    if takes is None:
        raise TypeError(f"{function!r} is no player: it takes more than the context. {HOW_TO_BIND}")
    return is_async, takes


def check_play(player: object, play: Any) -> None:
    """Raise a `TypeError` for a player whose `play` can't be played, as far as that is to be seen."""
    function, bound = (play.__func__, 1) if isinstance(play, MethodType) else (play, 0)
    if type(function) is FunctionType:
        keywords = function.__code__.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        flaw = _flaw_of(function.__code__, bound, len(function.__defaults__ or ()), keywords)
        if flaw:
            raise TypeError(f"{player!r} is no player: its `play` {flaw}")


def _flaw_of(code: CodeType, bound: int, defaults: int, required_keywords: int) -> str | None:
    awaited = code.co_flags & _AWAITED
    if code.co_flags & _YIELDS and not awaited:
        return "yields, so a call of it does nothing by itself"
    if code.co_argcount <= bound and not code.co_flags & inspect.CO_VARARGS:
        return "does not take the context: make it `async def play(self, ctx)`"
    if required_keywords > 0 or code.co_argcount - bound - defaults > 1:
        return "takes more than the context: make it `async def play(self, ctx)`"
    if not awaited and _returns_nothing(code):
        return (
            "is a plain function that returns nothing to await: make it `async def play(self, ctx)`, "
            "or give the method itself, which then plays in a thread"
        )
    return None


# A thousand players are often of one class.
@functools.lru_cache(maxsize=256)
def _returns_nothing(code: CodeType) -> bool:
    """Whether it returns, but never anything but None; going by its instructions."""
    steps = list(dis.get_instructions(code))
    returns = [
        step if step.opname == "RETURN_CONST" else before
        for before, step in itertools.pairwise(steps)
        if step.opname in ("RETURN_CONST", "RETURN_VALUE")
    ]
    return bool(returns) and all(
        step.opname in ("RETURN_CONST", "LOAD_CONST") and step.argval is None for step in returns
    )


def what_is(given: object) -> str:
    """Something that is no player, in words."""
    if inspect.iscoroutine(given):
        return f"the coroutine {given.__name__}(...), a call that has been made already,"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if hasattr(given, "play"):
        return f"{given!r}, whose `play` is no method,"
    return f"{given!r} of type {type(given).__name__}"


def _yields(function: Callable[..., Any]) -> TypeError:
    return TypeError(
        f"{function!r} is no player: it yields, so a call of it does nothing by itself"
    )


# A thousand players are often one function, a thousand times.
@functools.lru_cache(maxsize=256)
def _code_takes_context(code: Any, defaults: int, required_keywords: int) -> bool | None:
    if required_keywords > 0 or code.co_argcount - defaults > 1:
        return None
    if code.co_argcount - defaults == 1:
        return True
    if code.co_argcount:
        return code.co_varnames[0] in CONTEXT_NAMES
    return bool(code.co_flags & inspect.CO_VARARGS)


def _takes_context(function: Any) -> bool | None:
    """Whether it takes the context; None if it takes more than that."""
    function = _called(function)
    behind = _behind(function)
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        if behind is not None:
            return _takes_context(behind)
        raise TypeError(
            f"{function!r} is no player: its signature can't be read; wrap it in a `def`"
        ) from None
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    if len(required) > 1 or any(
        p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters
    ):
        return None
    if required:
        return True
    if positional:
        return positional[0].name in CONTEXT_NAMES
    has_args = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    # `*args` takes what the function behind it takes, where there is one to ask.
    return _takes_context(behind) if has_args and behind is not None else has_args


def _called(function: Any) -> Any:
    """The method that is called where this is no function, but an object that can be called."""
    call = None if isinstance(function, functools.partial) else function.__call__
    return call if isinstance(call, MethodType) else function


def _behind(function: Any) -> Callable[..., Any] | None:
    """What a decorated function gives its arguments to, going by `functools.wraps`."""
    if isinstance(function, functools.partial):
        behind = _behind(_called(function.func))
        return behind and functools.partial(behind, *function.args, **function.keywords)
    behind = getattr(function, "__wrapped__", None)
    if not callable(behind):
        return None
    return MethodType(behind, function.__self__) if isinstance(function, MethodType) else behind


def _is_async(function: Any) -> bool:
    """Whether this, or what is behind it, is an `async def`."""
    given, decorated = function, False
    # Some objects have a `__wrapped__` behind each `__wrapped__`, for ever.
    for _ in range(_MOST_LAYERS):
        function = _called(function)
        if inspect.iscoroutinefunction(function):
            return True
        if inspect.isasyncgenfunction(function) or (
            inspect.isgeneratorfunction(function) and not decorated
        ):
            raise _yields(given)
        if isinstance(function, functools.partial):
            function = function.func
        elif callable(getattr(function, "__wrapped__", None)):
            function, decorated = function.__wrapped__, True
        else:
            break
    return False
