"""One running tree, as a page and a command line see it: all of it as values that JSON has."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import OrchestraError, nearest
from ...performance import Performance
from ...status import PlayerStatus
from ..record.entries import LogLine
from ..record.recorder import Recorder, Runs, Slice
from . import rows
from .control import CommandError, Control
from .places import all_places


class Console:
    """What there is to see of one tree, and what can be done with it.

    Make it before the players start, so that their lines have a path, and open it over the tree, as a
    player does with its own:

        console = Console()
        ...
        with console.opened(ctx.performance, own=ctx.path):
            console.overview()
            await console.control.restart("jobs.mailer")

    Each answer is new, and carries the `version` of its form. A path that nobody has is a `CommandError`
    with the code `unknown`, here as in the commands of `control`. For the tree's loop.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = Recorder() if recorder is None else recorder
        self.instance = secrets.token_hex(4)  # numbers to resume from are of one console
        self._tree: tuple[Performance, Control] | None = None

    @contextmanager
    def opened(self, performance: Performance, *, own: str | None = None) -> Iterator[Console]:
        """Record this tree, and answer about it, for as long as this is entered.

        `own` is the path of the player that does so, if it is one of the tree's.
        """
        if self._tree is not None:
            raise RuntimeError("this console is open already")
        self._tree = performance, Control(performance, own=own)
        detach = self.recorder.attach(performance)
        try:
            yield self
        finally:
            detach()
            self._tree = None

    @property
    def control(self) -> Control:
        """What steers the tree."""
        return self._opened[1]

    @property
    def performance(self) -> Performance:
        """The tree."""
        return self._opened[0]

    @property
    def _opened(self) -> tuple[Performance, Control]:
        if self._tree is None:
            raise RuntimeError("this console is not open")
        return self._tree

    def unknown(self, path: str) -> CommandError:
        """The error about a path that nobody has."""
        return _unknown(self._status(), path)

    def _status(self) -> PlayerStatus:
        return self._opened[0].status()

    def _answer(self, **values: Any) -> dict[str, Any]:
        answer = {"version": rows.VERSION, "time": self._opened[0].wall_time(), **values}
        return {**answer, "resume": self.resume}

    @property
    def resume(self) -> str:
        """What to resume from to get all that comes from now on."""
        return f"{self.instance}-{self.recorder.last}"

    # What there is to see

    def overview(self) -> dict[str, Any]:
        """The whole tree: `players`, each with its `last_line`; whether it is `ready`, and who is not.

        `unready` are the paths of those that keep the tree from being ready: see `rows.unready`. Each
        player also has `waits_for` and `copies`: see `rows.reasons`.
        """
        status, last_lines = self._status(), self.recorder.last_lines()
        unready, told = rows.unready(status), rows.reasons(self._opened[0])
        players = [
            {**_with_line(row, last_lines.get(row["path"])), **told.get(row["path"], rows.NOTHING)}
            for row in rows.rows(status)
        ]
        return self._answer(ready=not unready, unready=unready, players=players)

    def player(self, path: str) -> dict[str, Any]:
        """One `player` of the tree."""
        status = self._status()
        try:
            row = rows.row(status, path)
        except KeyError:
            raise _unknown(status, path) from None
        lines = self.recorder.lines(path)
        own = next((line for line in reversed(lines) if line.path == path), None)
        told = rows.reasons(self._opened[0]).get(path, rows.NOTHING)
        return self._answer(player={**_with_line(row, own), **told})

    def lines(
        self, path: str = "", *, since: int = 0, runs: Runs = "both", limit: int | None = None
    ) -> dict[str, Any]:
        """The `lines` of a player and all below it, oldest first; with a `limit`, the newest of them."""
        found = self.recorder.lines(path, since=since, runs=runs, limit=limit)
        self._check_known(path, found)
        return self._answer(lines=[rows.printable(line.to_dict()) for line in found])

    def events(self, path: str = "", *, since: int = 0, limit: int | None = None) -> dict[str, Any]:
        """The `events` of a player and all below it, oldest first; with a `limit`, the newest."""
        found = self.recorder.events(path, since=since, limit=limit)
        self._check_known(path, found)
        return self._answer(events=[rows.printable(event.to_dict()) for event in found])

    async def stack(self, path: str = "") -> dict[str, Any]:
        """The `places` where a player is right now, and all below it, with their tasks and threads."""
        try:
            found = await all_places(self._opened[0], path)
        except KeyError:
            raise _unknown(self._status(), path) from None
        except TimeoutError:
            raise CommandError("late", f"the process of {path!r} does not answer") from None
        except OrchestraError as error:
            raise CommandError("refused", str(error)) from None
        return self._answer(places=[rows.printable(place.to_dict()) for place in found])

    async def follow(
        self, resume: str | None = None, path: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """The `entries`, lines and events, that come after an answer's `resume`; without, from now on.

        Each answer has some, oldest first, and a `resume` of its own; `missed` says that there were
        more before, which are gone, as after a restart of the program. It goes on for ever.
        """
        async for found in self.recorder.follow(self._since(resume), path):
            yield self._followed(found)

    def recent(self, resume: str | None, path: str = "", *, limit: int = 1000) -> dict[str, Any]:
        """The same at once, and no more than `limit`: the `entries` may be none."""
        since = self._since(resume)
        last = self.recorder.last if since is None else since
        return self._followed(self.recorder.recent(last, path, limit=limit))

    def _since(self, resume: str | None) -> int | None:
        if resume is None:
            return None
        instance, _, number = resume.partition("-")
        known = instance == self.instance and number.isascii() and number.isdigit()
        # What cannot be resumed from is told as missed: see `Recorder.recent`.
        return int(number[:18]) if known else self.recorder.last + 1

    def _followed(self, found: Slice) -> dict[str, Any]:
        return {
            "version": rows.VERSION,
            "entries": [rows.printable(entry.to_dict()) for entry in found.entries],
            "missed": found.missed,
            "resume": f"{self.instance}-{found.last}",
        }

    def _check_known(self, path: str, found: list[Any]) -> None:
        # One that was removed may still have lines.
        if not found:
            status = self._status()
            if all(player.path != path for player in status.walk()):
                raise _unknown(status, path)


def _with_line(row: dict[str, Any], line: LogLine | None) -> dict[str, Any]:
    return {**row, "last_line": None if line is None else rows.printable(_in_one_line(line))}


def _in_one_line(line: LogLine) -> str:
    return line.text.partition("\n")[0]


def _unknown(status: PlayerStatus, path: str) -> CommandError:
    paths = [player.path for player in status.walk()]
    return CommandError("unknown", f"no player {path!r}. {nearest(path, paths)}")
