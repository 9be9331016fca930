"""What changes in a tree, found once for all who follow it, and no more often than it is worth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Self

from ...log import report

PAUSE: Final = 0.1
"""Seconds between two looks for new lines and events."""

SHORTEST: Final = 0.25
"""Seconds between two looks at the players."""

LONGEST: Final = 2.0
"""And no more than so many, since not all that a status has in it is told by an event."""

SHARE: Final = 0.05
"""The share of its time that the loop may spend on looking at the players."""

JITTER: Final = 0.05
"""Seconds by which `since` differs from one look to the next though nothing has happened."""

MOST_GONE: Final = 1000
"""So many players that have gone are told of one by one."""

RUNNING_ON: Final = ("uptime", "next_restart_in", "since")
"""What changes by itself as time goes by."""


class Pulse:
    """Looks at a tree while somebody follows, and wakes all who do when there is something new.

    `look` gives the whole tree, as `Console.overview` does, and `newest` the number of its newest line
    or event.
    """

    def __init__(self, look: Callable[[], dict[str, Any]], newest: Callable[[], int]) -> None:
        self._look, self._newest = look, newest
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        self._gone: dict[str, int] = {}
        self._forgotten = 0  # the last beat with somebody who went and is not in `_gone` any more
        self._tree: dict[str, Any] = {}
        self._cost = 0.0
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when there may be something new, or it is over; then there is another."""
        self.beat = 0
        """How often something has changed among the players."""
        self.closed = False
        """Whether it is over, and followers are to take their last look."""

    def __enter__(self) -> Self:
        self._followers += 1
        if self._task is None:
            seen = self._newest()
            self._look_again()
            if not self.closed:
                self._task = asyncio.create_task(self._run(seen), name="looks for changes")
        return self

    def __exit__(self, *_: object) -> None:
        self._followers -= 1
        if not self._followers and self._task is not None:
            self._task.cancel()
            self._task = None

    def changes(self, since: int | None, keep: Callable[[str], bool]) -> dict[str, Any] | None:
        """What has changed among the players that are to be kept since this beat; None: nothing has.

        Since None: all of them.
        """
        whole = since is None or since < self._forgotten
        last = 0 if since is None or whole else since
        rows = self._rows.items()
        players = [row for path, (beat, row) in rows if beat > last and keep(path)]
        left = () if whole else self._gone.items()
        gone = [path for path, beat in left if beat > last and keep(path)]
        if not (whole or players or gone):
            return None
        return {**self._tree, "all": whole, "players": players, "gone": gone}

    def close(self) -> None:
        """Take a last look, and wake all for theirs."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._look_safely()
        self._wake()

    async def _run(self, seen: int) -> None:
        loop = asyncio.get_running_loop()
        told, looked = seen, loop.time()
        while True:
            await asyncio.sleep(PAUSE)
            newest, now = self._newest(), loop.time()
            changed = False
            if now - looked >= pause_after(self._cost, changed=newest != seen):
                seen, looked = newest, now
                changed = self._look_safely()
            if changed or newest != told:
                told = newest
                self._wake()

    def _look_safely(self) -> bool:
        try:
            return self._look_again()
        except Exception as error:
            # It may be a detail of somebody's player that has no text; the next look comes.
            report("the players can't be looked at", error)
            return False

    def _look_again(self) -> bool:
        # Its own work only: others may have the processor meanwhile.
        began = time.thread_time()
        tree = self._look()
        players = {row["path"]: row for row in tree.pop("players")}
        self._tree = tree
        changed = self._take_in(players)
        self._cost = time.thread_time() - began
        return changed

    def _take_in(self, players: dict[str, dict[str, Any]]) -> bool:
        beat, before, changed = self.beat + 1, self._rows, False
        # In the order of the tree, which a new player may have changed.
        self._rows = {}
        for path, row in players.items():
            known = before.get(path)
            if known is not None and is_same(known[1], row):
                self._rows[path] = known[0], row
            else:
                self._rows[path] = beat, row
                changed = True
        for path in before.keys() - players.keys():
            self._gone[path] = beat
            changed = True
        for path in self._gone.keys() & players.keys():
            del self._gone[path]
        while len(self._gone) > MOST_GONE:
            self._forgotten = self._gone.pop(next(iter(self._gone)))
        self.beat = beat if changed else self.beat
        return changed

    def _wake(self) -> None:
        woken, self.woken = self.woken, self.woken.get_loop().create_future()
        if not woken.done():
            woken.set_result(None)


def pause_after(cost: float, *, changed: bool) -> float:
    """Seconds from a look at the players that has taken `cost` seconds to the next.

    >>> pause_after(0.001, changed=True), pause_after(0.001, changed=False), pause_after(0.5, changed=True)
    (0.25, 2.0, 10.0)
    """
    return max(SHORTEST if changed else LONGEST, cost / SHARE)


def is_same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a player's row says the same as before, but for what runs on by itself."""
    return abs(before["since"] - now["since"]) < JITTER and all(
        before.get(key) == value for key, value in now.items() if key not in RUNNING_ON
    )
