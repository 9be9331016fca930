"""The control socket and the live page of a program that plays."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..loading.errors import LoadError
from ..performance import Performance
from .address import LOOPBACK, Address

if TYPE_CHECKING:
    from ..web.console.program import Reloader

MISSING: Final = "pip install 'orchestra-players[web]'"


def has_web() -> bool:
    """Whether what serves the control and the page is installed."""
    return all(find_spec(name) is not None for name in ("starlette", "uvicorn"))


def check_web(address: Address | None) -> None:
    """Raise `LoadError` if a page is asked for, and what serves it is not installed."""
    if address is not None and not has_web():
        raise LoadError(f"--web needs what is not installed: {MISSING}")


@asynccontextmanager
async def serving(
    performance: Performance,
    name: str,
    address: Address | None,
    file: Path | None,
    reloader: Reloader | None,
) -> AsyncIterator[str | None]:
    """Serve a tree from outside of it, on a socket that its user may open; gives the page's URL.

    Raises `LoadError` if it can't listen at the address.
    """
    from ..web.player import LOGGER, StatusPlayer

    # It would tell of its addresses in a line of its own.
    logging.getLogger(LOGGER).setLevel(logging.WARNING)
    host, port = (LOOPBACK, None) if address is None else (address.host, address.port)
    try:
        status = StatusPlayer(host=host, port=port, name=name, file=file, reloader=reloader)
    except ValueError as error:
        raise LoadError(f"--web: {error}") from None
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(status.serving(performance))
        except OSError as error:
            raise LoadError(f"the page can't be served: {error}") from None
        yield status.url
