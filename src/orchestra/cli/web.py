"""The control socket and the live page of a program that plays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from ..loading.errors import LoadError
from ..performance import Performance

MISSING: Final = "pip install 'orchestra-players[web]'"

Reloader = Callable[[bool], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is served; port 0 is one that is free."""

    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """An address such as `8080`, `localhost:8080` or `[::1]:8080`; raises `ValueError`.

        >>> Address.parse("8080")
        Address(host='127.0.0.1', port=8080)
        """
        host, colon, port = text.rpartition(":")
        if not colon and not text.isdecimal():
            host, port = text, ""
        if text.startswith("[") and text.endswith("]"):
            host, port = text, ""
        usable = not port or (port.isascii() and port.isdecimal() and int(port) < 65536)
        if not usable or any(sign in host for sign in " /@"):
            raise ValueError(f"{text!r} is no address: write 8080, or localhost:8080")
        host = host.removeprefix("[").removesuffix("]")
        return cls(host or cls.host, int(port or 0))


def has_web() -> bool:
    """Whether what serves the control and the page is installed."""
    return all(find_spec(name) is not None for name in ("starlette", "uvicorn"))


def check_web(address: Address | None) -> None:
    """Raise `LoadError` if a page is asked for, and what serves it is not installed."""
    if address is not None and not has_web():
        raise LoadError(f"--web needs what is not installed: {MISSING}")


@asynccontextmanager
async def serving(
    performance: Performance, name: str, address: Address | None, reloader: Reloader | None
) -> AsyncIterator[str | None]:
    """Serve a tree from outside of it, on a socket that its user may open; gives the page's URL.

    Raises `LoadError` if that can't be done.
    """
    from ..web.player import StatusPlayer

    where: dict[str, Any] = {} if address is None else {"host": address.host, "port": address.port}
    status = StatusPlayer(name=name, reloader=reloader, **where)
    try:
        await status.open(performance)
    except OSError as error:
        raise LoadError(f"the control can't be served: {error.strerror or error}") from None
    yield status.url
