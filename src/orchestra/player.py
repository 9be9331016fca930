"""What a player is, and what is made into one."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import Any, Final, Literal, Protocol, runtime_checkable

from ._clock import seconds
from ._signature import ACCEPTED, check_play, judge, what_is
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
    - `kind`: the word for it in a status; without one, the name of its class.
    - `def shown_settings(self)`: what a status page shows of it, as a mapping of names to values.

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


class _BoundPlay(Protocol):
    """The `play` of one player, as it is called."""

    def __call__(self, ctx: Context, /) -> Awaitable[Any]: ...


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
    play: _BoundPlay

    def __init__(self, function: Callable[..., Awaitable[object]]) -> None:
        is_async, takes_ctx = judge(function)
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
        raise TypeError(f"{what_is(given)} is no player: {hint}")
    play = getattr(given, "play", None)
    if callable(play):
        check_play(given, play)
        return given  # type: ignore[no-any-return]
    if callable(given):
        return _from_function(given)
    raise TypeError(f"{what_is(given)} is no player: {ACCEPTED}")


def _from_function(function: Callable[..., Any]) -> Player:
    is_async, takes_ctx = judge(function)
    if is_async:
        return PlayerFunc.__new__(PlayerFunc)._take(function, takes_ctx)
    # Threads lie on a floor above this one; so they are named here, and not imported.
    threads = import_module(".players.thread", __package__)
    made: Player = threads.ThreadPlayer(function)
    return made


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
        # How to copy or pickle this is its own matter; and a copy in the making has no player yet.
        if name.startswith("__") or name == "_player":
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
    overlaps: bool = False  # it may start while an earlier run of it, that was abandoned, goes on
    lingers: bool = False  # asked to stop, it waits for others only: cut off, it was not late
    has_limits: bool = False  # whether a run has to be watched


_DEFAULT_TERMS: Final = Terms()


def terms_of(player: Player) -> Terms:
    """The terms of a player; raises `ValueError` or `TypeError` for a declaration that is wrong."""
    if type(player) is PlayerFunc:
        return _DEFAULT_TERMS
    limits = {}
    for name in ("start_timeout", "watchdog"):
        declared = getattr(player, name, None)
        limits[name] = None if declared is None else seconds(f"{name_of(player)}.{name}", declared)
    backoff: Callable[[], Iterable[float]] | None = getattr(player, "backoff", None)
    if not (backoff is None or callable(backoff)):
        raise TypeError(f"{name_of(player)}.backoff must be a method, not {backoff!r}")
    return Terms(
        has_limits=any(limit is not None for limit in limits.values()),
        signals_ready=bool(getattr(player, "signals_ready", False)),
        backoff=backoff,
        always=bool(getattr(player, "_restarts_always", False)),
        # A player may have something of this name that means something else.
        overlaps=getattr(player, "overlap", False) is True,
        lingers=getattr(player, "lingers", False) is True,
        **limits,
    )


def is_same(one: Player, other: Player) -> bool:
    """Whether these are one player: the same object, or made of the same function."""
    function = getattr(one, "_function", one)
    return bool(function == getattr(other, "_function", other))


def inner_of(player: object) -> object:
    """The player itself, where this is one with a backoff around it."""
    while isinstance(player, _Restarting):
        player = player._player
    return player


def name_of(player: object) -> str:
    """What to call a player that nobody has named: its function, or its class."""
    while isinstance(player, functools.partial):
        player = player.func
    player = inner_of(player)
    name = getattr(player, "__name__", None) or type(player).__name__
    return str(name)


def kind_of(player: object) -> str:
    """The word for a kind of player: what it says as `kind`, else the name of its class."""
    player = inner_of(player)
    kind = getattr(player, "kind", None)
    return kind if isinstance(kind, str) else type(player).__name__
