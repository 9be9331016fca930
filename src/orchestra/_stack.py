"""Where something is right now: the await chain of a task, the stack of a thread, as text."""

from __future__ import annotations

import asyncio
import gc
import inspect
import linecache
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

Place = tuple[str, int, str]  # file, line, function


def of_task(task: asyncio.Task[Any] | None) -> str:
    """The await chain of a task down to the innermost frame, a line each."""
    if task is None or task.done():
        return ""
    return in_words(_outside_of_here(_task_places(task, set())))


def has_begun(task: asyncio.Task[Any] | None) -> bool:
    """Whether the task's coroutine has taken its first step."""
    coroutine: Any = None if task is None else task.get_coro()
    return coroutine is not None and inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED


def of_thread(ident: int | None) -> str:
    """The stack of the thread with this ident, innermost frame last; `""` if it has ended."""
    frame = current_frames().get(ident or 0)
    if frame is None:
        return ""
    summary = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    places = [(entry.filename, entry.lineno or 0, entry.name) for entry in reversed(summary)]
    return in_words(_outside_of_here(place for place in places if place[0] != threading.__file__))


def current_frames() -> dict[int, FrameType]:
    """The innermost frame of each thread, by the thread's ident."""
    # On Python 3.11, a garbage collection in the middle of it may hang the process for ever
    # (python/cpython#106883).
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()


def in_words(places: Iterable[Place]) -> str:
    """Places as `at file:line in function: source`, a line each."""
    return "\n".join(_line(*place) for place in places)


def _line(filename: str, number: int, function: str) -> str:
    source = linecache.getline(filename, number).strip()
    return f"at {filename}:{number} in {function}" + (f": {source}" if source else "")


def _outside_of_here(places: Iterable[Place]) -> list[Place]:
    """Without what is ours around it: how each player begins, and what a context waits with."""
    found = list(places)
    while len(found) > 1 and found[0][0] in _AROUND:
        found.pop(0)
    while len(found) > 1 and found[-1][0] in _WITHIN:
        found.pop()
    return found


_HERE: Final = os.path.dirname(__file__)
_AROUND: Final = {
    os.path.join(_HERE, *parts)
    for parts in (
        ("_life.py",),
        ("players", "thread.py"),
        ("players", "periodic.py"),
        ("players", "_limit.py"),
    )
}
_WITHIN: Final = {os.path.join(_HERE, name) for name in ("_waiter.py", "_clock.py")}


def _task_places(task: asyncio.Task[Any], seen: set[int]) -> Iterator[Place]:
    seen.add(id(task))
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame, inner = _step(awaited)
        if frame is not None and getattr(awaited, "cr_running", False):
            yield from _places_from(frame)
            return
        if frame is not None:
            # A frame of compiled code has no line.
            yield frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name
        awaited = inner
    # What the innermost frame waits for may be another task, or several.
    for other in _tasks_behind(getattr(task, "_fut_waiter", None)):
        if id(other) not in seen:
            yield from _task_places(other, seen)


def _places_from(frame: FrameType) -> Iterator[Place]:
    """Where a coroutine is that runs right now, in whatever thread: it blocks its loop."""
    for innermost in current_frames().values():
        chain: list[FrameType] = []
        at: FrameType | None = innermost
        while at is not None and at is not frame:
            chain.append(at)
            at = at.f_back
        if at is frame:
            for one in (frame, *reversed(chain)):
                yield one.f_code.co_filename, one.f_lineno, one.f_code.co_name


def _step(awaited: Any) -> tuple[FrameType | None, Any]:
    for frame, inner in _FRAMES:
        if hasattr(awaited, frame):
            return getattr(awaited, frame), getattr(awaited, inner)
    if type(awaited).__name__ not in _BETWEEN:
        return None, None
    inner_ones = gc.get_referents(awaited)
    return None, next((one for one in inner_ones if _is_awaited(one)), None)


def _is_awaited(value: Any) -> bool:
    return type(value).__name__ in _BETWEEN or any(hasattr(value, frame) for frame, _ in _FRAMES)


_FRAMES: Final = (
    ("cr_frame", "cr_await"),
    ("gi_frame", "gi_yieldfrom"),
    ("ag_frame", "ag_await"),
)
# What stands between an `async for` and the generator's frame, with no public way through.
_BETWEEN: Final = {
    "anext_awaitable",
    "async_generator_asend",
    "async_generator_athrow",
    "coroutine_wrapper",
}


def _tasks_behind(future: Any) -> Iterable[asyncio.Task[Any]]:
    if isinstance(future, asyncio.Task):
        return [future]
    children = getattr(future, "_children", ())  # of `asyncio.gather`
    return [child for child in children if isinstance(child, asyncio.Task) and not child.done()]
