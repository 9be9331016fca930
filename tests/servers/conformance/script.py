"""What the applications of the suite go by; for other processes too, so it imports little."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress


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
