"""Start, stop, restart and scale by path, for those who are far away: a result, or an error with a code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import OrchestraError
from ...log import in_words
from ...performance import Performance

Code = Literal["unknown", "invalid", "refused", "failed", "late"]


class CommandError(Exception):
    """A command that was not done, or did not end well; `code` says which of these it is.

    - `unknown`: nobody has this path; the message has the nearest.
    - `invalid`: it makes no sense, as a negative number of copies.
    - `refused`: it can't be done as things are, as a start in a group that is stopping.
    - `failed`: it was begun, and the player failed, or had to be cut off.
    - `late`: it was not over in the time that it was given, and goes on.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was done, or only accepted if it is not `finished`."""

    command: str
    path: str
    finished: bool


class Control:
    """Steers one tree for others. What it has begun goes on, whoever still waits for it.

    `own` is the path of the player that this is a part of, if it is in the tree itself: what stops or
    restarts that player, or a group around it, is accepted and not waited for. With `wait=False` nothing
    is waited for; with `timeout`, in seconds, a command that takes longer is `late`.

    Methods are for the tree's loop, and raise `CommandError`.
    """

    def __init__(self, performance: Performance, *, own: str | None = None) -> None:
        self._performance = performance
        self._own = own
        self._begun: set[asyncio.Task[None]] = set()

    async def start(self, path: str, *, wait: bool = True, timeout: float | None = None) -> Done:
        """Start a player that does not play; done when it is ready."""
        return await self._do("start", path, self._performance.start, wait, timeout)

    async def stop(self, path: str, *, wait: bool = True, timeout: float | None = None) -> Done:
        """Stop a player, and leave it so until somebody starts it; done when it has ended."""
        waits = wait and not self._is_around(path)
        return await self._do("stop", path, self._performance.stop_player, waits, timeout)

    async def restart(self, path: str, *, wait: bool = True, timeout: float | None = None) -> Done:
        """Stop a player and start it again; done when it is ready."""
        waits = wait and not self._is_around(path)
        return await self._do("restart", path, self._performance.restart, waits, timeout)

    async def scale(
        self, path: str, count: int, *, wait: bool = True, timeout: float | None = None
    ) -> Done:
        """Have so many copies; done when all of them are ready, and those too many have ended."""
        if type(count) is not int or count < 0:  # it may come from far away
            raise CommandError(
                "invalid", f"a number of copies is a number from 0 on, not {count!r}"
            )

        async def scale(path: str) -> None:
            await self._performance.scale(path, count)

        return await self._do("scale", path, scale, wait, timeout)

    def stop_all(self, reason: object = "stopped by hand") -> Done:
        """Ask the whole tree to stop; accepted at once."""
        self._performance.stop(reason)
        return Done("stop all", "", False)

    def _is_around(self, path: str) -> bool:
        own = self._own
        return own is not None and (not path or own == path or own.startswith(path + "."))

    async def _do(
        self,
        command: str,
        path: str,
        act: Callable[[str], Coroutine[Any, Any, None]],
        wait: bool,
        timeout: float | None,
    ) -> Done:
        try:
            if self._performance.elsewhere(path) is None:
                self._performance.find(path)
        except KeyError as error:
            raise CommandError("unknown", str(error.args[0])) from None
        # In a task of its own, since whoever asked may go away before it is over.
        task = asyncio.create_task(act(path), name=f"{command} {path}")
        self._begun.add(task)
        task.add_done_callback(self._on_done)
        if wait:
            await asyncio.wait([task], timeout=timeout)
            if not task.done():
                raise CommandError("late", f"{command} {path!r} goes on, after {timeout:g} seconds")
        else:
            await asyncio.sleep(0)  # what is refused is refused in its first step
        if task.cancelled():
            raise CommandError("late", f"{command} {path!r} goes on, and nobody here waits for it")
        if task.done():
            _raise_failure(task)
        return Done(command, path, task.done())

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # that of a player has been told of as an event

    async def close(self) -> None:
        """Wait no more for what has been begun; the tree itself brings it to its end.

        Whoever waits for it here is told that it is late.
        """
        begun = list(self._begun)
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def _raise_failure(task: asyncio.Task[None]) -> None:
    error = task.exception()
    if error is None:
        return
    # A player may raise one as well, and then a note says whose it is.
    if type(error) is OrchestraError and not hasattr(error, "__notes__"):
        raise CommandError("refused", str(error)) from error
    raise CommandError("failed", in_words(error)) from error
