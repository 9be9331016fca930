"""What a client of gRPC hears that has come while nobody served: come again, and nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any, Final

PREFACE: Final = 24
"""Bytes that a client of HTTP/2 begins with."""

HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 3, 4, 6, 7
ACK: Final = 1
REFUSED_STREAM: Final = 7

IDLE: Final = 0.2
"""Seconds after which a client that asks for nothing is sent away."""

PATIENCE: Final = 2.0
"""Seconds in which it has to go."""


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2.

    >>> frame(SETTINGS, ACK).hex()
    '000000040100000000'
    """
    size = len(payload).to_bytes(3, "big")
    return size + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class TurnedAway(asyncio.Protocol):
    """Refuses what the client asks, and sends it away.

    On REFUSED_STREAM gRPC's clients ask again, on a new connection if they have got a GOAWAY; whoever
    called sees nothing of it. A GOAWAY at once would do, but for a race in those clients: told too
    early, they may wait on the dead connection for ever.
    """

    def __init__(self, those: set[asyncio.Transport]) -> None:
        self._those = those
        self._buffer = b""
        self._seen_preface = False
        self._gone = False

    def connection_made(self, transport: Any) -> None:
        """Begin as a server."""
        self._transport = transport
        self._those.add(transport)
        transport.write(frame(SETTINGS))
        self._timer = asyncio.get_running_loop().call_later(IDLE, self._send_away)

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
            stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
            payload, self._buffer = self._buffer[9:end], self._buffer[end:]
            self._answer(kind, flags, stream, payload)

    def _answer(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            code = REFUSED_STREAM.to_bytes(4, "big")
            self._transport.write(frame(RST_STREAM, stream=stream, payload=code))
            self._send_away()
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self._transport.write(frame(kind, ACK, payload=payload if kind == PING else b""))

    def _send_away(self) -> None:
        if not self._gone:
            self._gone = True
            # No request has been taken, and there is no error.
            self._transport.write(frame(GOAWAY, payload=bytes(8)))
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._timer.cancel()
        self._those.discard(self._transport)
