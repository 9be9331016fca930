"""Runs of a player that were abandoned: cutting them off did not end them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from . import _stack


class Leftovers:
    """Those of one player, from its first run on. They are asked for in the loop's thread."""

    def __init__(self) -> None:
        self._runs: list[tuple[asyncio.Task[None], Callable[[], str] | None]] = []

    def add(self, task: asyncio.Task[None], locate: Callable[[], str] | None) -> None:
        """One more; `locate` says where it is, if that is not where its task is."""
        self._runs.append((task, locate))

    def count(self) -> int:
        """How many still go on."""
        self._runs = [run for run in self._runs if not run[0].done()]
        return len(self._runs)

    def where(self) -> str:
        """Where those are that still go on."""
        places = [
            _stack.of_task(task) if locate is None else locate() for task, locate in self._runs
        ]
        return "\n".join(place for place in places if place)

    def in_words(self) -> str:
        """What to call them."""
        count = self.count()
        return (
            "an earlier run, which was abandoned, still goes on"
            if count == 1
            else f"{count} earlier runs, which were abandoned, still go on"
        )
