"""What a client of gRPC hears that has come while nobody served: come again, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

PREFACE: Final = 24
"""Bytes that a client of HTTP/2 begins with."""

SETTINGS, PING, GOAWAY = 4, 6, 7
ACK: Final = 1
NO_STREAMS: Final = b"\x00\x03" + bytes(4)
"""Of the settings: so many streams a client may open."""

PAUSE: Final = 0.02
"""Seconds that a client gets to take in the settings."""

PATIENCE: Final = 2.0
"""Seconds in which it has to answer, or to go."""


def frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 about the whole connection.

    >>> frame(SETTINGS, ACK).hex()
    '000000040100000000'
    """
    size = len(payload).to_bytes(3, "big")
    return size + bytes((kind, flags)) + bytes(4) + payload


class TurnedAway(asyncio.Protocol):
    """Lets the client ask nothing, and sends it away; a request that it has not sent, it sends elsewhere.

    In gRPC's clients whoever has called sees nothing of that. Not so if a request that was sent is
    refused; and one that hears of its end together with the beginning may wait on the dead connection
    for ever.
    """

    def __init__(self, those: set[asyncio.Transport]) -> None:
        self._those = those
        self._buffer = b""
        self._seen_preface = False

    def connection_made(self, transport: Any) -> None:
        """Begin as a server."""
        self._transport = transport
        self._those.add(transport)
        transport.write(frame(SETTINGS, payload=NO_STREAMS))
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Answer each frame."""
        self._buffer += data
        if not self._seen_preface:
            if len(self._buffer) < PREFACE:
                return
            self._seen_preface = True
            self._buffer = self._buffer[PREFACE:]
        while len(self._buffer) >= 9:
            end = 9 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                return
            kind, flags = self._buffer[3:5]
            payload, self._buffer = self._buffer[9:end], self._buffer[end:]
            if kind == SETTINGS and flags & ACK:
                self._set_timer(PAUSE, self._send_away)
            elif kind in (SETTINGS, PING) and not flags & ACK:
                answer = payload if kind == PING else b""
                self._transport.write(frame(kind, ACK, payload=answer))

    def _send_away(self) -> None:
        # No request has been taken, and there is no error.
        self._transport.write(frame(GOAWAY, payload=bytes(8)))
        self._set_timer(PATIENCE, self._transport.abort)

    def _set_timer(self, delay: float, call: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay, call)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._timer.cancel()
        self._those.discard(self._transport)
