"""Players that are restarted when files change, and what sees that files change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ..loading.errors import LoadError
from ..log import complain, default_logger
from ..performance import Performance

_GLOB: Final = "*?["


def need_watchfiles(what: str) -> None:
    """Raise `LoadError` if what sees changes is not installed."""
    try:
        import watchfiles  # noqa: F401
    except ModuleNotFoundError:
        raise LoadError(
            f"{what} needs what is not installed: pip install 'orchestra-players[reload]'"
        ) from None


async def changes(
    folders: Iterable[Path], counts: Callable[[Path], bool]
) -> AsyncIterator[list[Path]]:
    """The files that have changed, a few at a time, of those that count; never ends by itself."""
    from watchfiles import DefaultFilter, awatch

    # It would tell of each change as well.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    usual = DefaultFilter()
    stop = asyncio.Event()
    watching = awatch(
        *folders,
        watch_filter=lambda change, path: usual(change, path) and counts(Path(path)),
        stop_event=stop,
        debounce=200,
        step=50,
    )
    try:
        async for found in watching:
            yield sorted({Path(path) for _, path in found})
    finally:
        stop.set()


def matches(path: Path, patterns: Iterable[str], folder: Path) -> bool:
    """Whether a file is one of those that some patterns, seen from a folder, stand for.

    `**` stands for any folders; a folder, for all in it.

    >>> matches(Path("/srv/shop/api/app.py"), ["**/*.py"], Path("/srv"))
    True
    """
    return any(_is_matched(path, pattern, folder) for pattern in patterns)


def _is_matched(path: Path, pattern: str, folder: Path) -> bool:
    whole = folder / pattern
    if not any(sign in pattern for sign in _GLOB):
        return path == whole or whole in path.parents
    parts, wanted = path.parts, whole.parts
    return _parts_match(parts, wanted)


def _parts_match(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_parts_match(parts[start:], wanted[1:]) for start in range(len(parts) + 1))
    return bool(parts) and Path(parts[0]).match(wanted[0]) and _parts_match(parts[1:], wanted[1:])


def base_of(pattern: str, folder: Path) -> Path:
    """The folder in which to look for what a pattern stands for."""
    base = folder
    for part in Path(pattern).parts:
        if any(sign in part for sign in _GLOB) or not (base / part).is_dir():
            return base
        base = base / part
    return base


@asynccontextmanager
async def restarting_on_change(
    performance: Performance, watched: Mapping[str, tuple[str, ...]], folder: Path
) -> AsyncIterator[None]:
    """Restart the players at these paths when a file changes that their patterns, from a folder on, mean."""
    tasks = [
        asyncio.create_task(_restart_on_change(performance, path, patterns, folder))
        for path, patterns in watched.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _restart_on_change(
    performance: Performance, path: str, patterns: tuple[str, ...], folder: Path
) -> None:
    bases = {base_of(pattern, folder) for pattern in patterns}
    async for found in changes(bases, lambda file: matches(file, patterns, folder)):
        logger = default_logger()
        logger.info(f"{path}: {in_words(found, folder)} changed", path=path)
        try:
            await performance.restart(path)
        except Exception as error:
            # The player's own failure is told of by its events.
            complain(logger, f"{path}: not restarted", error, path=path)


def in_words(files: list[Path], folder: Path) -> str:
    """Some files as they are told of: `app.py`, or `app.py and 2 more`."""
    first, *more = [
        str(one.relative_to(folder)) if one.is_relative_to(folder) else str(one) for one in files
    ]
    return f"{first} and {len(more)} more" if more else first
