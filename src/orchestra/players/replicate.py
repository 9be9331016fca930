"""Copies of one player, as a group that grows and shrinks while it plays."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

from .._clock import Loop
from .._group import Group, StopWhen
from .._life import Life
from .._signature import CONTEXT_NAMES, judge
from ..conductor import Conductor, checked
from ..context import Context
from ..errors import ConductorError, OrchestraError
from ..log import Logger
from ..player import Player, PlayerLike, inner_of, name_of

_NOTHING: Final = (None, "None", NoReturn, "NoReturn", "Never")


class Replicas(Conductor):
    """What `replicate` makes: a conductor of copies, named `"0"` to `"n-1"`.

    It goes on while there are no copies, since there may be more soon; so a removal is never the end
    of it. Methods are for the loop's thread.
    """

    goes_on_empty = True

    def __init__(self, make: Callable[[int], Player], n: int, name: str, **terms: Any) -> None:
        self._make = make
        self._name = name
        self._turns: tuple[Loop, asyncio.Lock] | None = None
        super().__init__({str(number): make(number) for number in range(_count(n))}, **terms)

    def __repr__(self) -> str:
        return f"<Replicas of {self._name}: {len(self._copies())}>"

    def _copies(self) -> list[str]:
        """The names of the copies, in their order; others may have been added by hand."""
        return sorted((name for name in self.players if _is_number(name)), key=int)

    async def scale(self, n: int) -> None:
        """Have `n` copies: returns when those that are new are ready, and those removed are gone.

        The next numbers are added, or the highest removed: gracefully, at the same time, within
        `timeout`. Before it plays, the number just changes. Calls take their turns.

        Raises what a removed copy raised (a `ConductorError` if there are several), what a new one
        raises that fails, `OrchestraError` if this is stopping, and `ValueError` for what is no
        number of copies.
        """
        wanted = _count(n)
        async with self._turn():
            missing = [one for one in range(wanted) if str(one) not in self.players]
            made = [(str(number), self._make(number)) for number in missing]
            for name, player in made:
                self.add(name, player)
            group = self._running()
            lives = [] if group is None else [group.lives[name] for name, _ in made]
            await self._remove_all([one for one in self._copies() if int(one) >= wanted])
        if group is not None:  # and meanwhile, another call has its turn
            await _until_ready(group, lives)

    def resize(self, n: int) -> None:
        """Have `n` copies at the next start; raises `OrchestraError` if this plays: `scale` is for that."""
        if self._running() is not None:
            raise OrchestraError(f"{self!r} plays: use `await replicas.scale({n})`")
        wanted = _count(n)
        for number in range(wanted):
            if str(number) not in self.players:
                self.add(str(number), self._make(number))
        for name in self._copies()[wanted:]:
            self._forget(name)

    async def rolling_restart(self) -> None:
        """Restart the copies one at a time, each when the one before is ready again.

        One that fails ends it, and what it raised is raised; the others have not been touched.
        Raises `OrchestraError` if this does not play, or stops.
        """
        async with self._turn():
            for name in self._copies():
                if name in self.players:
                    await self.restart(name)

    def _turn(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = (loop, asyncio.Lock())
        return self._turns[1]

    async def _remove_all(self, names: list[str]) -> None:
        results = await asyncio.gather(
            *(self.remove(name) for name in names), return_exceptions=True
        )
        errors = list(_failures(names, results))
        if len(errors) == 1:
            raise errors[0][1]
        if errors:
            paths, exceptions = zip(*errors, strict=True)
            raise ConductorError(
                f"{len(errors)} copies failed as they were removed", exceptions, paths
            )


async def _until_ready(group: Group, lives: list[Life]) -> None:
    for life in lives:
        await group.until(life, functools.partial(_has_begun, life))
        if life.errors:
            raise life.errors[0]


def _has_begun(life: Life) -> bool:
    return life.was_ready or life.over


def replicate(
    player: PlayerLike,
    n: int,
    *,
    timeout: float = 9.0,
    backoff: Iterable[float] | None = None,
    stop_when: StopWhen = "all",
    logger: Logger | None = None,
) -> Replicas:
    """A conductor of `n` copies of a player, named `"0"` to `"n-1"`; the keywords are a `Conductor`'s.

    A player, or a function that is one, is played `n` times as it is. What makes players is called
    for each copy: a class, and a plain function that does not take the context. If it takes an
    argument, that is the copy's number. So `Worker`, `lambda: Worker(queue)` and
    `lambda number: Worker(8000 + number)` make a player a copy, while `Worker(queue)`,
    `async def work(ctx)` and `def work(ctx)` are played.

    A plain `def work()` might be either: it is a thread's work if its return type is `None`, makes
    players if that is another, and is refused without one. `ThreadPlayer(work)` is clear.

    `await replicas.scale(n)` changes the number at any time, and `await replicas.rolling_restart()`
    restarts one after the other.

    Raises `ValueError` for what is no number of copies, and `TypeError` for what is no player and
    makes none. A conductor can play only once at a time: give what makes it.

    >>> async def worker(ctx):
    ...     await ctx.wait()
    >>> replicate(worker, 3, timeout=5)
    <Replicas of worker: 3>
    """
    make = _factory(player) if _is_factory(player) else _same(player)
    return Replicas(
        make,
        n,
        name_of(player),
        timeout=timeout,
        backoff=backoff,
        stop_when=stop_when,
        logger=logger,
    )


def _count(n: object) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise ValueError(f"the number of copies must be a whole number, 0 or more, not {n!r}")
    return n


def _is_number(name: str) -> bool:
    return name.isdecimal() and str(int(name)) == name


def _failures(names: list[str], results: list[Any]) -> Iterator[tuple[str, Exception]]:
    for name, result in zip(names, results, strict=True):
        if isinstance(result, ConductorError):
            yield from ((path or name, error) for _, path, error in result.entries())
        elif isinstance(result, Exception):
            yield name, result


# A player, or what makes players


def _same(given: PlayerLike) -> Callable[[int], Player]:
    player = checked(given)
    if isinstance(inner_of(player), Conductor):
        raise TypeError(
            f"{player!r} can play only once at a time: give what makes one for each copy, such as "
            "`lambda: Conductor(...)`"
        )
    return functools.partial(_itself, player)


def _itself(player: Player, number: int) -> Player:
    return player


def _factory(make: Any) -> Callable[[int], Player]:
    takes_number = not _is_class(make) and judge(make)[1]
    return functools.partial(_made, make, takes_number)


def _made(make: Any, takes_number: bool, number: int) -> Player:
    player = make(number) if takes_number else make()
    try:
        return checked(player)
    except TypeError as error:
        error.add_note(
            f"{name_of(make)} was called to make a player for each copy. A function that is to be "
            "played itself takes `ctx`, or is given as ThreadPlayer(function)"
        )
        raise


def _is_factory(given: Any) -> bool:
    """Whether this makes players, and is none itself; a `TypeError` if nobody can say."""
    if _is_class(given):
        return True
    if not callable(given) or callable(getattr(given, "play", None)):
        return False
    is_async, takes_argument = judge(given)
    if is_async:
        return False
    signature = inspect.signature(given)
    first = next(iter(signature.parameters.values()), None)
    if first is not None and (first.name in CONTEXT_NAMES or _is_context(first.annotation)):
        return False
    if signature.return_annotation is not signature.empty:
        return signature.return_annotation not in _NOTHING
    if takes_argument or name_of(given) == "<lambda>":
        return True
    raise TypeError(
        f"is {name_of(given)}() to be played n times, or does it make a player for each copy? Give "
        f"ThreadPlayer({name_of(given)}) to play it, `lambda: {name_of(given)}()` to call it for each "
        "copy, or say what it returns: `-> None`, or the player's type"
    )


def _is_class(given: Any) -> bool:
    while isinstance(given, functools.partial):
        given = given.func
    return isinstance(given, type)


def _is_context(annotation: Any) -> bool:
    if isinstance(annotation, str):
        annotation = annotation.rpartition(".")[2]
    return annotation in (Context, "Context")
