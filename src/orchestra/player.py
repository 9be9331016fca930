"""What a player is, and what is made into one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any, Final, Literal, Protocol, runtime_checkable

from ._clock import seconds
from .backoff import as_backoff
from .context import Context
from .errors import nearest


@runtime_checkable
class Player(Protocol):
    """Anything with `async def play(self, ctx)`.

    `play` works until `ctx` is done, then stops gracefully within `ctx.remaining()` seconds and
    returns. It returns earlier when there is nothing left to do, and raises if something is wrong.
    It is cancelled only when its time is over.

    A player may also declare, as attributes:

    - `signals_ready = True`: it calls `ctx.ready()` when it serves; others are ready once started.
    - `start_timeout`: seconds that it has to get ready, or the run fails (`StartTimeoutError`).
    - `watchdog`: seconds without `ctx.heartbeat()` after which the run fails (`WatchdogError`).
    - `def backoff(self)`: see `PlayerWithBackoff`.

    >>> class Worker:
    ...     async def play(self, ctx):
    ...         while await ctx.sleep(60):
    ...             print("tick")
    """

    def play(self, ctx: Context, /) -> Awaitable[Any]:
        """Work until `ctx` is done."""
        ...


@runtime_checkable
class PlayerWithBackoff(Player, Protocol):
    """A player that comes back when it fails, after the delays of its backoff.

    >>> class Worker:
    ...     async def play(self, ctx):
    ...         raise ConnectionError("the queue is away")
    ...     def backoff(self):
    ...         return [1, 5, 30]
    """

    def backoff(self) -> Iterable[float]:
        """Delays in seconds, asked anew for each series of restarts; exhausted means give up."""
        ...


PlayerLike = Player | Callable[..., Any]
"""What is accepted wherever a player is: a player, or a function that `as_player` makes one of."""


class PlayerFunc:
    """A player made of an async function.

    An `async def f(ctx)` is cooperative: it watches `ctx` itself. An `async def f()` is cancelled
    when its context is done, and that cancellation is its clean stop. Raises `TypeError` for
    anything else.

    >>> async def greet(ctx):
    ...     print("hello")
    >>> asyncio.run(PlayerFunc(greet).play(Context()))
    hello
    """

    __slots__ = ("_function", "play")

    kind = "coroutine"
    play: Callable[[Context], Awaitable[Any]]

    def __init__(self, function: Callable[..., Awaitable[object]]) -> None:
        is_async, takes_ctx = _judge(function)
        if not is_async:
            raise TypeError(f"PlayerFunc takes an async function, not {function!r}")
        self._take(function, takes_ctx)

    def _take(self, function: Callable[..., Awaitable[object]], takes_ctx: bool) -> PlayerFunc:
        self._function = function
        # The function itself, without a frame of ours around each run of it.
        self.play = function if takes_ctx else functools.partial(_interrupted, function)
        return self

    @property
    def __name__(self) -> str:
        return name_of(self._function)

    def __repr__(self) -> str:
        return f"PlayerFunc({self.__name__})"


async def _interrupted(function: Callable[[], Awaitable[object]], ctx: Context) -> None:
    async with ctx.interrupt():
        await function()


def as_player(given: Any) -> Player:
    """The player that `given` is, or is made into.

    A player is returned as it is. An async function becomes a `PlayerFunc`, a plain function a
    `ThreadPlayer`; either may take the context or nothing. Raises `TypeError`, which says what was
    given and what is accepted, for anything else: also for a class that was given for an instance.

    >>> as_player(lambda: None)
    ThreadPlayer(<lambda>)
    """
    if isinstance(given, FunctionType):  # most often; and a function has no `play`
        return _from_function(given)
    if isinstance(given, type):
        hint = "give an instance" if hasattr(given, "play") else "it has no `play` method"
        raise TypeError(f"the class {given.__name__} is no player: {hint}")
    if callable(getattr(given, "play", None)):
        return given  # type: ignore[no-any-return]
    if callable(given):
        return _from_function(given)
    raise TypeError(f"{_what(given)} is no player: {ACCEPTED}")


ACCEPTED: Final = (
    "a player is an object with `async def play(self, ctx)`, "
    "or a function, async or plain, that takes the context or nothing"
)


def _what(given: object) -> str:
    if inspect.iscoroutine(given):
        return f"the coroutine {given.__name__}(...), a call that has been made already,"
    if hasattr(given, "play"):
        return f"{given!r}, whose `play` is no method,"
    return f"{given!r} of type {type(given).__name__}"


def _from_function(function: Callable[..., Any]) -> Player:
    is_async, takes_ctx = _judge(function)
    if is_async:
        return PlayerFunc.__new__(PlayerFunc)._take(function, takes_ctx)
    return _plain_functions[0](function)


_plain_functions: list[Callable[[Callable[..., Any]], Player]] = []


def register_plain_functions(make: Callable[[Callable[..., Any]], Player]) -> None:
    """Say what makes a player of a plain function; threads lie on a floor above this one."""
    _plain_functions[:] = [make]


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether a player's function is called with the context, or with nothing."""
    return _judge(function)[1]


# A thousand players are often one function, a thousand times.
@functools.lru_cache(maxsize=256)
def _judge_code(code: Any, defaults: int, required_keywords: int) -> bool | None:
    if required_keywords > 0 or code.co_argcount - defaults > 1:
        return None
    if code.co_argcount - defaults == 1:
        return True
    if code.co_argcount and code.co_varnames[0] in _CONTEXT_NAMES:
        return True
    return not code.co_argcount and bool(code.co_flags & inspect.CO_VARARGS)


_CONTEXT_NAMES: Final = {"ctx", "context"}


def _judge(function: Callable[..., Any]) -> tuple[bool, bool]:
    """Whether a function is async, and whether it takes the context; or a `TypeError`."""
    if not callable(function):
        raise TypeError(f"{_what(function)} is no function: {ACCEPTED}")
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if code.co_flags & _ASYNC_GENERATOR:
            raise TypeError(f"{function!r} is no player: it yields, so it is an async generator")
        keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        takes = _judge_code(code, len(function.__defaults__ or ()), keywords)
        is_async = bool(code.co_flags & inspect.CO_COROUTINE) or inspect.iscoroutinefunction(
            function
        )
    else:
        takes, is_async = _judge_signature(function), _is_async(function)
    if takes is None:
        raise TypeError(f"{function!r} is no player: it takes more than the context. {HOW_TO_BIND}")
    return is_async, takes


HOW_TO_BIND: Final = "Bind the rest first, as in `functools.partial(function, queue=queue)`."
_ASYNC_GENERATOR: Final = inspect.CO_ASYNC_GENERATOR


def _judge_signature(function: Callable[..., Any]) -> bool | None:
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except ValueError:
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
        return positional[0].name in _CONTEXT_NAMES
    has_args = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    wrapped = getattr(function, "__wrapped__", None)
    # `*args` takes what the function behind it takes, where there is one to ask.
    return _judge_signature(wrapped) if has_args and callable(wrapped) else has_args


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, (FunctionType, MethodType)) and not inspect.isbuiltin(function):
        function = getattr(type(function), "__call__", function)
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def restarting(
    player: Any, backoff: Iterable[float], *, on: Literal["failure", "always"] = "failure"
) -> Player:
    """The player, with a backoff: it comes back when it fails, or `on="always"`, also when it ends.

    All else that the player declares is passed on. Only a supervisor restarts, that is a conductor
    or an entry point; calling `play` yourself is one run. Raises `TypeError` for what is no player
    or no backoff, and `ValueError` for a wrong `on` or delay.

    >>> async def fetch(ctx): ...
    >>> player = restarting(fetch, [1, 5, 30])
    """
    if on not in ("failure", "always"):
        raise ValueError(f"on={on!r} is unknown. {nearest(str(on), ['failure', 'always'])}")
    return _Restarting(as_player(player), as_backoff(backoff), always=on == "always")


class _Restarting:
    """Another player, with a backoff of its own."""

    def __init__(self, player: Player, backoff: Iterable[float], *, always: bool) -> None:
        self._player = player
        self._backoff = backoff
        self._restarts_always = always
        self.play = player.play

    def backoff(self) -> Iterable[float]:
        return self._backoff

    def __getattr__(self, name: str) -> Any:
        # Without this, a copy that is being unpickled would look for its player for ever.
        if name == "_player":
            raise AttributeError(name)
        return getattr(self._player, name)

    def __repr__(self) -> str:
        return f"restarting({self._player!r}, {self._backoff!r})"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a player declares to its supervisor beside `play`, checked."""

    signals_ready: bool = False
    start_timeout: float | None = None
    watchdog: float | None = None
    backoff: Callable[[], Iterable[float]] | None = None
    always: bool = False


_DEFAULT_TERMS: Final = Terms()


def terms_of(player: Player) -> Terms:
    """The terms of a player; raises `ValueError` or `TypeError` for a declaration that is wrong."""
    if isinstance(player, PlayerFunc):
        return _DEFAULT_TERMS
    limits = {}
    for name in ("start_timeout", "watchdog"):
        declared = getattr(player, name, None)
        limits[name] = None if declared is None else seconds(f"{name_of(player)}.{name}", declared)
    backoff = getattr(player, "backoff", None)
    if backoff is not None and not callable(backoff):
        raise TypeError(f"{name_of(player)}.backoff must be a method, not {backoff!r}")
    return Terms(
        signals_ready=bool(getattr(player, "signals_ready", False)),
        backoff=backoff,
        always=bool(getattr(player, "_restarts_always", False)),
        **limits,
    )


def is_same(one: Player, other: Player) -> bool:
    """Whether these are one player: the same object, or made of the same function."""
    function = getattr(one, "_function", one)
    return bool(function == getattr(other, "_function", other))


def name_of(player: object) -> str:
    """What to call a player that nobody has named: its function, or its class."""
    while isinstance(player, functools.partial):
        player = player.func
    if isinstance(player, _Restarting):
        return name_of(player._player)
    name = getattr(player, "__name__", None) or type(player).__name__
    return str(name)


def kind_of(player: object) -> str:
    """The word for a kind of player: what it says as `kind`, else the name of its class."""
    kind = getattr(player, "kind", None)
    return kind if isinstance(kind, str) else type(player).__name__
