"""Where each task and each thread of a player is right now."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import thread as pool
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, Final, Literal

from ... import _stack
from ..._life import Life
from ..._snapshot import below
from ...log import player_path
from ...performance import Performance
from ...status import State
from .rows import process_of


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
    `to_thread`, and the players had their paths by then: see `PathFilter`. Of those in another process
    only that is known. Raises `KeyError` for a path that nobody has. In the tree's loop.
    """
    if path and (process := process_of(performance, path)) is not None:
        return [Place(path, "player", path.rpartition(".")[2], process.where())]
    lives = [one for top in _tops(performance, path) for one in _all(top) if not one.over]
    paths = {one.path for one in lives}
    found = [Place(one.path, "player", one.name, _where(one)) for one in lives]
    found += _tasks(paths, {one.task for one in lives})
    found += _threads(paths)
    order = {path: number for number, path in enumerate(one.path for one in lives)}
    return sorted(found, key=lambda place: order[place.path])


def _where(life: Life) -> str:
    # Its task is our own then, and what that waits for tells nobody anything.
    if life.state is State.BACKING_OFF:
        return "between two runs"
    return life.where() or "before its first run"


def _tops(performance: Performance, path: str) -> list[Life]:
    if path or performance.root is not None:
        return [performance.find(path)[1]]
    # Conductors over a bare context, which are nobody's players.
    return [life for group in performance.groups or () for life in group.lives.values()]


def _all(life: Life) -> Iterator[Life]:
    yield life
    for one in below(life):
        yield from _all(one)


def _tasks(paths: set[str], known: set[Any]) -> Iterator[Place]:
    for task in asyncio.all_tasks() - known:
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
