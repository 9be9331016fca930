"""Server-sent events: what happens in a tree, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from ..console.console import Console
from .answers import encoded
from .pulse import Pulse

SIGN_OF_LIFE: Final = 2.0
"""Seconds without anything to tell after which a comment is sent: the page takes three of them for the end."""

AT_ONCE: Final = 1000
"""Lines and events that are sent in one piece."""

MOST: Final = 100
"""Streams that there may be at a time."""


@dataclass
class Wanted:
    """What a stream is to tell of: which players, whether of them, and whether of lines and events."""

    path: str = ""
    players: bool = True
    entries: bool = True
    resume: str | None = None

    def keeps(self, path: str) -> bool:
        """Whether a player is one of those."""
        return not self.path or path == self.path or path.startswith(self.path + ".")


class EventStream(Response):
    """An answer that goes on until its client has gone, or the program stops."""

    media_type = "text/event-stream"

    def __init__(
        self, console: Console, pulse: Pulse, wanted: Wanted, done: Callable[[], None]
    ) -> None:
        super().__init__(None, headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._console, self._pulse, self._wanted, self._done = console, pulse, wanted, done
        self._beat: int | None = None
        self._more = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send what there is, and then what comes."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            if scope["method"] != "HEAD":
                with self._pulse as pulse:
                    await self._tell(pulse, send, gone)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._done()

    async def _tell(self, pulse: Pulse, send: Any, gone: asyncio.Future[None]) -> None:
        clock = asyncio.get_running_loop().time
        if self._wanted.resume is None:
            self._wanted.resume = self._console.resume
        sent = clock()
        while not gone.done():
            woken, last = pulse.woken, pulse.closed
            news = self._news(pulse)
            if not news and clock() - sent >= SIGN_OF_LIFE:
                news = b": still there\n\n"
            if news:
                await send({"type": "http.response.body", "body": news, "more_body": True})
                sent = clock()
            if self._more:
                continue
            if last:
                return
            rest = max(0.0, sent + SIGN_OF_LIFE - clock())
            await asyncio.wait({woken, gone}, timeout=rest, return_when=asyncio.FIRST_COMPLETED)

    def _news(self, pulse: Pulse) -> bytes:
        return b"".join([*self._player_news(pulse), *self._entry_news()])

    def _player_news(self, pulse: Pulse) -> list[bytes]:
        if not self._wanted.players or self._beat == pulse.beat:
            return []
        changes = pulse.changes(self._beat, self._wanted.keeps)
        self._beat = pulse.beat
        return [] if changes is None else [event("players", changes)]

    def _entry_news(self) -> list[bytes]:
        if not self._wanted.entries:
            return []
        found = self._console.recent(self._wanted.resume, self._wanted.path, limit=AT_ONCE)
        self._wanted.resume = found["resume"]
        self._more = len(found["entries"]) >= AT_ONCE
        if not (found["entries"] or found["missed"]):
            return []
        return [event("entries", found, id=found["resume"])]


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(name: str, data: dict[str, Any], *, id: str | None = None) -> bytes:
    """An event, as it is sent.

    >>> event("entries", {"missed": False}, id="a1-7")
    b'event: entries\\nid: a1-7\\ndata: {"missed":false}\\n\\n'
    """
    number = b"" if id is None else f"id: {id}\n".encode()
    # JSON has no line breaks but as `\\n`, so it is one line of data.
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), number, encoded(data))
