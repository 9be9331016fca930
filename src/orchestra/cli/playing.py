"""Plays a program: loads it, shows it, serves its control, and tells how it has ended."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from .._own_loop import LoopFactory
from ..entry_points import run_within
from ..loading.errors import LoadError
from ..loading.program import Program, Wish, find_program
from ..performance import Performance
from ..player import Player
from . import web
from .asking import Reach
from .sight import Look, Sight

if TYPE_CHECKING:
    from ..web.console.program import Reloader

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
"""SIGHUP is what comes when the terminal is closed."""


def play_program(wish: Wish, look: Look, reach: Reach) -> int:
    """Play it to the end; returns the exit code. Raises `LoadError` and `UserCodeError`."""
    program = find_program(wish)
    web.check_web(reach.web)
    loop_factory = _loop_factory() if reach.uvloop else None
    sight = Sight(look, program.name, program.drain_delay)
    with sight.opened():
        player, around = _staged(program, sight, reach)
        with sight.logging_to(program.log, program.place.folder):
            failure = _play(program, player, around, sight, loop_factory)
            return sight.end(failure)


def _staged(program: Program, sight: Sight, reach: Reach) -> tuple[Player, _Around]:
    """What plays, and what is around it."""
    if reach.reload:
        from .reloading import Reloading, reload_files

        files = reload_files(program, reach.reload_dirs)
        player: Player = Reloading(program, files, sight.note)
        return player, _Around(program, None, sight, reach)
    if program.watched:
        from .watching import need_watchfiles

        need_watchfiles("`watch`")
    player = program.load()
    # The code may have set up a logging of its own, which by default turns off all others.
    logging.getLogger("orchestra").disabled = False
    sight.expect(player)
    return player, _Around(program, player, sight, reach)


def _play(
    program: Program,
    player: Player,
    around: _Around,
    sight: Sight,
    loop_factory: LoopFactory | None,
) -> BaseException | None:
    try:
        run_within(
            around.enter,
            player,
            signals=heeded_signals(),
            timeout=9.0 if program.timeout is None else program.timeout,
            drain_delay=program.drain_delay,
            observers=[sight],
            loop_factory=loop_factory,
            tell=lambda failure: None,
        )
    except LoadError:
        raise  # of what is around it
    except Exception as failure:
        return failure
    return None


def heeded_signals() -> list[int]:
    """The signals that stop it: not those that whoever started it has had ignored, as `nohup` does."""
    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [one for one in known if signal.getsignal(one) is not signal.SIG_IGN]


def _loop_factory() -> LoopFactory:
    try:
        import uvloop
    except ModuleNotFoundError:
        raise LoadError(
            "--uvloop needs what is not installed: pip install 'orchestra-players[uvloop]'"
        ) from None
    return uvloop.new_event_loop


class _Around:
    """What is around a tree as long as it plays: its control, and a look at its files."""

    def __init__(self, program: Program, player: Player | None, sight: Sight, reach: Reach) -> None:
        self._program, self._player = program, player
        self._sight, self._reach = sight, reach
        self._folder = program.place.folder.resolve()

    @asynccontextmanager
    async def enter(self, performance: Performance) -> AsyncIterator[None]:
        """Be around this tree."""
        self._sight.watch(performance)
        async with AsyncExitStack() as stack:
            if self._reach.control:
                await self._serve(performance, stack)
            if self._player is not None and self._program.watched:
                from .watching import restarting_on_change

                folder = self._folder
                watched = self._program.watched
                await stack.enter_async_context(restarting_on_change(performance, watched, folder))
            yield

    async def _serve(self, performance: Performance, stack: AsyncExitStack) -> None:
        if not web.has_web():
            self._sight.note(f"no control and no page without an extra: {web.MISSING}")
            return
        program = self._program
        serving = web.serving(
            performance, program.name, self._reach.web, program.source.file, self._reloader()
        )
        url = await stack.enter_async_context(serving)
        if url is not None:
            self._sight.note(f"live page: {url}")

    def _reloader(self) -> Reloader | None:
        """What reads the file again, if there is one, and it is played here."""
        if self._player is None or self._program.spec is None:
            return None
        from .rereading import reloader_of

        return reloader_of(self._program, self._player)
