"""A subject of the conformance suite: one server library, and how to speak with what it serves.

To add one: write `subject_<name>.py` next to this with a class below `Subject` (or `HttpSubject` in
`subject_http.py`, if it speaks HTTP: then only `app` and `crash` are left to write), and add an
instance to `SUBJECTS` in `subjects.py`. Then

    pytest tests/servers/conformance -k <name>

and for each promise that it can't keep either

- `lacks = {"websockets": "WSGI knows no websockets"}` where there is nothing to keep: the tests of that
  promise are not made for it; or
- `cannot = {"sockets": "gRPC takes no sockets, it binds by itself"}` where it should and can't: the tests are made,
  and have to fail (a strict xfail), so that the table is true. If such a test would hang or leave
  something behind, name the promise in `untried` as well: it is then skipped, with the reason.

Last, write the table into the docs by `python tests/servers/conformance/promises.py`. Names of promises
are the keys in `promises.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
from script import Script

Ask = Callable[[str], Awaitable[str]]
"""Ask for something by its name, in one conversation, as in `await ask("hello")`; gives the answer."""


class Subject:
    """A server library, as the suite sees it."""

    name: ClassVar[str]
    """The heading of its column."""

    kwargs: ClassVar[dict[str, Any]] = {}
    """For `ServerPlayer`, as in `{"server": "hypercorn"}`."""

    cannot: ClassVar[dict[str, str]] = {}
    lacks: ClassVar[dict[str, str]] = {}
    untried: ClassVar[set[str]] = set()

    apart: ClassVar[bool] = False
    """Whether it plays in a process of its own, with which all handlers end."""

    cut: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)
    """What `ask` raises when the connection is cut off."""

    half_sent: ClassVar[tuple[bytes, ...]] = (b"",)
    """Beginnings of a request, with no more to come."""

    restarts: ClassVar[int] = 50
    """So many under load, in less than the time that a test has."""

    access_logger: ClassVar[str] = ""
    """The name of the standard logger that hears of each request."""

    def app(self, script: Script) -> Any:
        """An application that goes by the script."""
        raise NotImplementedError

    def talk(
        self, address: str, tls: ssl.SSLContext | None = None
    ) -> AbstractAsyncContextManager[Ask]:
        """A conversation over one connection (kept for as long as the server keeps it).

        `address` is as in the status of the player; `tls` what a client trusts. An answer that is an
        error of the server's (status 500) is to be raised, as any exception.
        """
        raise NotImplementedError

    async def listen(self, address: str, script: Script) -> bool:
        """Take an endless stream; returns when it ends, True if that was a proper end.

        Only for subjects with "event streams".
        """
        raise NotImplementedError

    async def websocket(self, address: str, script: Script) -> int | None:
        """Open a websocket, send a message, get it back, set `script.entered`, and wait for the close.

        Returns the code of the close frame; None if there was none. Only for subjects with "websockets".
        """
        raise NotImplementedError

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        """Prepare the library, before it is played, so that the call of the result breaks its own loop."""
        raise NotImplementedError


def closing_asyncio_servers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The `crash` of a library that serves on asyncio's own server: somebody closes that."""
    made: list[asyncio.AbstractServer] = []
    create_server = asyncio.BaseEventLoop.create_server

    async def remember(self: Any, *args: Any, **kwargs: Any) -> Any:
        server = await create_server(self, *args, **kwargs)
        made.append(server)
        return server

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_server", remember)

    def close() -> None:
        for server in made:
            server.close()

    return close
