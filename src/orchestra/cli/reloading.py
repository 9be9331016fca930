"""`--reload`: a program that plays in a process of its own, and anew when its files change."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..conductor import Conductor
from ..context import Context
from ..errors import ConductorError, OrchestraError
from ..loading.errors import LoadError, UserCodeError
from ..loading.program import Program, Wish, find_program
from ..log import in_words
from ..player import inner_of, name_of
from ..players.process import ProcessPlayer
from .output.ending import reasons
from .output.line import Sign
from .watching import changes, matches, need_watchfiles
from .watching import in_words as files_in_words

USUAL_TIMEOUT: Final = 9.0


class NotLoadedError(OrchestraError):
    """The program can't be loaded as its files are now; the text says why, in as many lines as needed."""


class Loaded:
    """Loads a program when it is played: so it does that in the process in which it plays."""

    kind = "group"
    signals_ready = True
    bounds_its_stop = True

    def __init__(self, wish: Wish, timeout: float) -> None:
        self._wish, self.timeout = wish, timeout

    async def play(self, ctx: Context) -> None:
        """Load it and play it; raises `NotLoadedError` if it can't be loaded."""
        # Bytecode goes by the second and the size of a file: of two quick changes it would miss one.
        sys.dont_write_bytecode = True
        try:
            player = find_program(self._wish).load()
        except LoadError as error:
            raise NotLoadedError(str(error)) from None
        except UserCodeError as error:
            text = "".join(traceback.format_exception(error.error)).rstrip("\n")
            raise NotLoadedError(text) from None
        if not isinstance(inner_of(player), Conductor):
            player = Conductor({_name(player): player}, timeout=self.timeout)
        await player.play(ctx)


def _name(player: object) -> str:
    name = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name_of(player))
    return name.strip("_") or "player"


class Tell(Protocol):
    """Says something about the program itself."""

    def __call__(self, text: str, sign: Sign = ..., more: tuple[str, ...] = ...) -> None:
        """Say it."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files whose change counts: all of Python in some folders, and others by their patterns."""

    folders: tuple[Path, ...]
    patterns: tuple[str, ...]
    base: Path

    def counts(self, file: Path) -> bool:
        """Whether a change of this file counts."""
        return file.suffix == ".py" or matches(file, self.patterns, self.base)


def reload_files(program: Program, dirs: Iterable[Path]) -> Files:
    """What to look at; raises `LoadError` if what sees changes is not installed."""
    need_watchfiles("--reload")
    place, source = program.place, program.source
    base = place.folder.resolve()
    usual = [base, *([] if place.app_dir is None else [place.app_dir.resolve()])]
    folders = [one.resolve() for one in dirs] or usual
    patterns = [one for given in program.watched.values() for one in given]
    if source.file is not None:
        patterns.append(source.file.name)
        folders.append(base)
    return Files(tuple(dict.fromkeys(folders)), tuple(patterns), base)


class Reloading:
    """Plays a program in a process of its own, and plays it anew when a file changes.

    What goes wrong with it is shown, and the next change waited for.
    """

    kind = "group"
    signals_ready = True
    bounds_its_stop = True

    def __init__(self, program: Program, files: Files, tell: Tell) -> None:
        self.timeout = USUAL_TIMEOUT if program.timeout is None else program.timeout
        self._player = ProcessPlayer(Loaded(program.wish, self.timeout))
        self._files, self._tell = files, tell
        self._changed = asyncio.Event()
        self._what = ""

    @property
    def __name__(self) -> str:
        return ""

    async def play(self, ctx: Context) -> None:
        """Play it until it ends well, or `ctx` is done."""
        looking = asyncio.create_task(self._look())
        try:
            while not ctx.done():
                self._changed.clear()
                if await self._play_once(ctx):
                    return
                async with ctx.interrupt():
                    await self._changed.wait()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self) -> None:
        files = self._files
        async for found in changes(files.folders, files.counts):
            self._what = files_in_words(found, files.base)
            self._changed.set()

    async def _play_once(self, ctx: Context) -> bool:
        """Play it until it ends or a file changes; whether it has come to an end of its own."""
        turn = ctx.child()
        playing = asyncio.create_task(self._player.play(turn))
        changed = asyncio.create_task(self._changed.wait())
        by_change = False
        try:
            await asyncio.wait({playing, changed}, return_when=asyncio.FIRST_COMPLETED)
            by_change = not playing.done()
            if by_change:
                self._tell(f"{self._what} changed, playing anew", "again")
                turn.cancel(f"{self._what} changed", within=self.timeout)
            await playing
        except asyncio.CancelledError:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            raise
        except Exception as failure:
            if ctx.done():
                raise
            self._tell_failure(failure, waits=not by_change)
            return False
        finally:
            changed.cancel()
        return not by_change and not ctx.done()

    def _tell_failure(self, failure: Exception, *, waits: bool) -> None:
        waiting = ", waiting for a change" if waits else ""
        if isinstance(failure, NotLoadedError):
            first, *more = str(failure).split("\n")
            if more:  # a traceback, which says the most in its last line
                self._tell(f"{more[-1]}{waiting}", "failed", (first, *more))
            else:
                self._tell(f"{first}{waiting}", "failed")
            return
        for line in reasons(failure, {}, 0.0):
            who = f"{line.path}: " if line.path else ""
            self._tell(f"{who}{line.text}", line.sign, line.more)
        if waits and isinstance(failure, ConductorError):
            self._tell("waiting for a change")
        elif waits:
            self._tell(f"{in_words(failure)}{waiting}", "failed")
