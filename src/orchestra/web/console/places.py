"""Where each task and each thread of a player is right now."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import thread as pool
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Any, Final, Literal

from ... import _stack
from ..._life import Life
from ..._seat import Subtree
from ..._snapshot import below
from ...errors import OrchestraError
from ...log import player_path
from ...performance import Performance
from ...status import State

PATIENCE: Final = 1.0
"""Seconds that the loop of another process has to answer in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one thing of a player is: the player itself, another task of its, or a thread.

    `where` is an await chain or a stack, innermost last, a line each.
    """

    path: str
    what: Literal["player", "task", "thread"]
    name: str
    where: str

    def to_dict(self) -> dict[str, Any]:
        """The same as values that JSON has."""
        return asdict(self)


def places(performance: Performance, path: str = "") -> list[Place]:
    """Where a player is, and all below it, with the tasks and the threads that they have started.

    A task or a thread is a player's if it was started in its context, as by `create_task` and
    `to_thread`, and the players had their paths by then: see `PathFilter`. Raises `KeyError` for a path
    that nobody has, with the nearest. From any thread.
    """
    lives = [one for top in _tops(performance, path) for one in _all(top) if not one.over]
    paths = {one.path for one in lives}
    found = [Place(one.path, "player", one.name, _where(one)) for one in lives]
    found += _tasks(paths, lives)
    found += _threads(paths)
    order = {path: number for number, path in enumerate(one.path for one in lives)}
    return sorted(found, key=lambda place: order[place.path])


def _where(life: Life) -> str:
    # Its task is our own then, and what that waits for tells nobody anything.
    if life.state is State.BACKING_OFF:
        return "between two runs"
    return life.where() or "before its first run"


async def all_places(performance: Performance, path: str = "") -> list[Place]:
    """The same, with what plays in other processes.

    Raises `TimeoutError` if the process that has this path does not answer. In the tree's loop.
    """
    subtree = performance.elsewhere(path)
    if subtree is not None:
        return await _asked(subtree, path)
    found = places(performance, path)
    for top in [life for one in _tops(performance, path) for life in _all(one)]:
        if top.subtree is not None and not top.over:
            found = _joined(found, top.path, await _asked_or_none(top.subtree, top.path))
    return found


async def _asked_or_none(subtree: Subtree, path: str) -> list[Place]:
    try:
        return await _asked(subtree, path)
    except (TimeoutError, KeyError, OrchestraError):
        return []


async def _asked(subtree: Subtree, path: str) -> list[Place]:
    found: list[Place]
    try:
        async with asyncio.timeout(PATIENCE):
            found = await subtree.ask(all_places, path)
    except TimeoutError:
        # Its loop is blocked. A thread beside it knows all but what is in processes of its own.
        async with asyncio.timeout(PATIENCE):
            found = await subtree.ask(places, path)
    return found


def _joined(found: list[Place], path: str, inner: list[Place]) -> list[Place]:
    """These places, and those in the process of the player at this path, after its own."""
    own = next(number for number, place in enumerate(found) if place.path == path)
    if inner:
        # Both are places of the same player, which is in a process, and somewhere in there.
        inner = [replace(inner[0], where=f"{found[own].where}\n{inner[0].where}"), *inner[1:]]
        found = [*found[:own], *inner, *found[own + 1 :]]
    return found


def _tops(performance: Performance, path: str) -> list[Life]:
    if path or performance.root is not None:
        return [performance.find(path)[1]]
    # Conductors over a bare context, which are nobody's players.
    return [life for group in performance.groups or () for life in group.lives.values()]


def _all(life: Life) -> Iterator[Life]:
    yield life
    for one in below(life):
        yield from _all(one)


def _tasks(paths: set[str], lives: list[Life]) -> Iterator[Place]:
    known = {one.task for one in lives}
    for task in asyncio.all_tasks(lives[0].keeper.loop) - known if lives else ():
        path = _path_in(_context_of(task))
        if path in paths:
            yield Place(path, "task", task.get_name(), _stack.of_task(task))


def _context_of(task: asyncio.Task[Any]) -> contextvars.Context | None:
    # Its `get_context` came with Python 3.12.
    inner = gc.get_referents(task)
    return next((one for one in inner if isinstance(one, contextvars.Context)), None)


def _threads(paths: set[str]) -> Iterator[Place]:
    frames = _stack.current_frames()
    for thread in threading.enumerate():
        path = _path_in(_context_in(thread, frames.get(thread.ident or 0)))
        if path in paths:
            yield Place(path, "thread", thread.name, _stack.of_thread(thread.ident))


def _context_in(thread: threading.Thread, frame: FrameType | None) -> contextvars.Context | None:
    """The context that a thread works in, where it was handed one in a way that we know."""
    # As `threading.Thread(target=context.run)`, which a thread player does.
    context = _bound_to(getattr(thread, "_target", None))
    while frame is not None and context is None:
        if frame.f_code is _POOL_WORK:
            # As `asyncio.to_thread`, whose function is a partial of a context's `run`.
            context = _bound_to(getattr(frame.f_locals["self"].fn, "func", None))
        elif frame.f_globals.get("__name__") == "anyio._backends._asyncio":
            context = frame.f_locals.get("context")
        frame = frame.f_back
    return context


_POOL_WORK: Final = getattr(pool, "_WorkItem").run.__code__  # noqa: B009


def _bound_to(run: Any) -> contextvars.Context | None:
    context = getattr(run, "__self__", None)
    return context if isinstance(context, contextvars.Context) else None


def _path_in(context: Any) -> str | None:
    """The player's path in a context; None where there is none, as in what no player has started."""
    return context.get(player_path) if isinstance(context, contextvars.Context) else None
