"""How the players of a program are, again each time that changes, until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ..web.client import ClientError, ServerEvent
from .deadline import Deadline
from .programs import Program


def following(program: Program, deadline: Deadline) -> Iterator[dict[str, Any]]:
    """The overview of all players at first, and each time that it changes; the last is how they ended.

    Raises `TimeoutError` when the time is over, and `ClientError` if the program gives no answer.
    """
    came: SimpleQueue[ServerEvent | ClientError | None] = SimpleQueue()

    def follow() -> None:
        try:
            for event in program.client.stream(players=True, entries=False):
                came.put(event)
        except ClientError as error:
            came.put(error)
        else:
            came.put(None)

    # In a thread of its own, since a stream can't be waited for with a limit.
    Thread(target=follow, daemon=True).start()
    rows: dict[str, Any] = {}
    while True:
        try:
            event = came.get(timeout=deadline.left())
        except Empty:
            raise TimeoutError from None
        if event is None:
            return
        if isinstance(event, ClientError):
            raise event
        if event.name == "players":
            yield _taken_in(rows, event.data)


def _taken_in(rows: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """The overview with what is new in it; `rows` are those that are known, by their paths."""
    if news["all"]:
        rows.clear()
    for path in news["gone"]:
        rows.pop(path, None)
    rows |= {row["path"]: row for row in news["players"]}
    return {**news, "players": list(rows.values())}
