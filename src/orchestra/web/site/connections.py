"""Connections that are counted, known, and not waited for without end: uvicorn, for who may be hostile."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any, Final

from ...servers.adapter import Options
from ...servers.contained import Contained, contained
from ...servers.uvicorn_adapter import UvicornAdapter
from ..api.answers import Refusal, error_answer
from ..api.asked import UNIX

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the connections."""

ROOT: Final = 0
MOST_HEADERS: Final = 32 * 1024
"""Bytes of the head of a request that are kept while it is not complete."""


@dataclass(frozen=True)
class Limits:
    """How many `connections` there may be at a door, Unix or TCP, and how long they may be idle.

    - `request`: seconds that a client may take to send the whole of a request.
    - `answer`: seconds that it may leave an answer that waits for it untouched.
    """

    connections: int = 200
    request: float = 10.0
    answer: float = 30.0


class GuardedAdapter(UvicornAdapter):
    """An application on uvicorn, over HTTP/1.1 and nothing else, within these limits."""

    def __init__(self, app: Any, options: Options, limits: Limits) -> None:
        super().__init__(app, options)
        config = self._config
        # The parser in Python, whose limits we know. A websocket would be out of sight.
        config.http, config.ws = "h11", "none"
        config.h11_max_incomplete_event_size = MOST_HEADERS
        config.server_header = config.proxy_headers = False
        self._limits = limits
        self._open: dict[bool, set[Any]] = {True: set(), False: set()}
        self._patrol: Contained | None = None

    def _refusing(self, protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
        return _guarded(super()._refusing(protocol), self._open, self._limits)

    async def start(self, sockets: Any) -> None:
        """Start to serve, and to look after the connections."""
        await super().start(sockets)
        self._patrol = contained(self._look_after, "looks after connections")

    async def abort(self, timeout: float) -> None:
        """Cut off what is left, within `timeout` seconds."""
        if self._patrol is not None:
            self._patrol.cancel()
        await super().abort(timeout)

    async def _look_after(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for connections in self._open.values():
                for connection in list(connections):
                    connection.look(loop.time())


def _guarded(
    protocol: Any, open_ones: dict[bool, set[Any]], limits: Limits
) -> type[asyncio.Protocol]:
    class Guarded(protocol):  # type: ignore[misc]
        app_state: dict[str, Any]

        def connection_made(self, transport: Any) -> None:
            self._is_unix = is_unix(transport)
            self._owes_since: float | None = self.loop.time()
            self._untaken_since: float | None = None
            super().connection_made(transport)
            others = open_ones[self._is_unix]
            if self._is_unix and not is_one_of_us(transport):
                _turn_away(transport, Refusal("forbidden", "this belongs to another user"))
            elif len(others) >= limits.connections:
                _turn_away(transport, Refusal("busy", "there are too many connections"))
            else:
                others.add(self)
                self.app_state = _marked(self.app_state, self._is_unix)

        def connection_lost(self, exc: Exception | None) -> None:
            open_ones[self._is_unix].discard(self)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = self.cycle
            # Of a request that has been answered nothing more can come: it is of the next.
            if cycle is not None and not cycle.more_body and not cycle.response_complete:
                self._owes_since = None
            elif self._owes_since is None:
                self._owes_since = self.loop.time()

        def look(self, now: float) -> None:
            """Cut it off, if its client has taken too long."""
            if not self.transport.get_write_buffer_size():
                self._untaken_since = None
            elif self._untaken_since is None:
                self._untaken_since = now
            owes, untaken = self._owes_since, self._untaken_since
            if is_late(owes, limits.request, now) or is_late(untaken, limits.answer, now):
                self.transport.abort()

    return Guarded


def _marked(state: dict[str, Any], unix: bool) -> dict[str, Any]:
    """The state of a connection's requests, with the door that it came by."""
    return {**state, UNIX: unix}


def is_late(since: float | None, limit: float, now: float) -> bool:
    """Whether what began then takes longer than it may."""
    return since is not None and now - since > limit


def is_unix(transport: Any) -> bool:
    """Whether a connection has come over a Unix socket."""
    family = getattr(socket, "AF_UNIX", None)
    return family is not None and transport.get_extra_info("socket").family == family


def is_one_of_us(transport: Any) -> bool:
    """Whether a client of a Unix socket is the user who runs this, or root, where the system tells."""
    if sys.platform != "linux":
        return True
    form = struct.Struct("3i")
    sock = transport.get_extra_info("socket")
    _, uid, _ = form.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return uid in (ROOT, os.geteuid())


def _turn_away(transport: Any, refusal: Refusal) -> None:
    response = error_answer(refusal)
    lines = [f"HTTP/1.1 {response.status_code} -", "connection: close"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    transport.write("\r\n".join([*lines, "", ""]).encode() + bytes(response.body))
    transport.close()
