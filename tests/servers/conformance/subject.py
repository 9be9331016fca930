"""A subject of the conformance suite: one server library, and how to speak with what it serves.

To add one: write `subject_<name>.py` next to this with a class below `Subject` (or `HttpSubject` in
`subject_http.py`, if it speaks HTTP: then only `app` and `crash` are left to write), and add an
instance to `SUBJECTS` in `subjects.py`. Then

    pytest tests/servers/conformance -k <name>

and for each promise that it can't keep either

- `lacks = {"websockets": "WSGI knows no websockets"}` where there is nothing to keep: the tests of that
  promise are not made for it; or
- `cannot = {"reload_tls": "granian reads the files once"}` where it should and can't: the tests are made,
  and have to fail (a strict xfail), so that the table is true. If such a test would hang or leave
  something behind, name the promise in `untried` as well: it is then skipped, with the reason.

Last, write the table into the docs by `python tests/servers/conformance/promises.py`. Names of promises
are the keys in `promises.py`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar

import pytest

Ask = Callable[[str], Awaitable[str]]
"""Ask for something by its name, in one conversation, as in `await ask("hello")`; gives the answer."""


class Flag:
    """An event for coroutines and threads alike."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set = self._event.set
        self.is_set = self._event.is_set
        self.wait_sync = self._event.wait

    async def wait(self) -> None:
        async with asyncio.timeout(30):
            while not self._event.is_set():
                await asyncio.sleep(0.002)


class Script:
    """What an application does, and what it has seen. Each subject's application goes by one.

    It answers to these names:

    - `hello`: with "hello", at once;
    - `slow`: sets `entered`, waits for `gate`, and answers with "slow";
    - `stubborn`: the same, and is not impressed by a cancellation;
    - `exit`: raises a SystemExit.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered, self.gate, self.gone = Flag(), Flag(), Flag()
        self.on_start: Callable[[], None] | None = None  # may raise
        self.hangs = False  # so does the start
        self.cancelled = 0
        self.close_code: int | None = None  # that the handler of a websocket has seen

    async def start(self) -> None:
        """To be awaited where the application starts."""
        self._begin()
        while self.hangs:
            await asyncio.sleep(0.002)
        self.log.append("started")

    def start_sync(self) -> None:
        """The same for functions that build something; they can't hang without blocking the loop."""
        self._begin()
        self.log.append("started")

    def _begin(self) -> None:
        self.log.append("starting")
        if self.on_start is not None:
            self.on_start()

    def end(self) -> None:
        """To be called where the application ends."""
        self.log.append("ended")

    async def answer(self, what: str) -> str:
        """What a handler answers."""
        if what == "slow":
            self.entered.set()
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        elif what == "stubborn":
            self.entered.set()
            while not self.gate.is_set():
                with suppress(asyncio.CancelledError):
                    await self.gate.wait()
        return self._rest(what)

    def answer_sync(self, what: str) -> str:
        """The same in a thread."""
        if what in ("slow", "stubborn"):
            self.entered.set()
            assert self.gate.wait_sync(30)
        return self._rest(what)

    def _rest(self, what: str) -> str:
        if what == "exit":
            raise SystemExit(3)
        return what

    async def events(self) -> AsyncIterator[str]:
        """An endless stream."""
        try:
            number = 0
            while True:
                yield f"data: {number}\n\n"
                number += 1
                self.entered.set()
                await asyncio.sleep(0.02)
        finally:
            self.gone.set()


class Subject:
    """A server library, as the suite sees it."""

    name: ClassVar[str]
    """The heading of its column."""

    kwargs: ClassVar[dict[str, Any]] = {}
    """For `ServerPlayer`, as in `{"server": "hypercorn"}`."""

    cannot: ClassVar[dict[str, str]] = {}
    lacks: ClassVar[dict[str, str]] = {}
    untried: ClassVar[set[str]] = set()

    cut: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)
    """What `ask` raises when the connection is cut off."""

    half_sent: ClassVar[tuple[bytes, ...]] = (b"",)
    """Beginnings of a request, with no more to come."""

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
