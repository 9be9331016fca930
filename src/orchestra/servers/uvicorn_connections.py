"""Seeing off the connections of a uvicorn server, each when its client has got what it came for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from .patience import LINGER
from .requests import CLOSE
from .transports import unsent


class Farewell:
    """The connections of a server that has stopped listening.

    Requests in flight are left to finish, and their clients are told to come back by another
    connection; idle connections are closed in a moment, since a request may be on its way. A client that
    owes us something, the rest of a request or the goodbye that TLS asks for, is waited for only as long
    as it is not silent for `patience` seconds.
    """

    def __init__(self, connections: Collection[Any], patience: float) -> None:
        self._connections = connections
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._linger = min(LINGER, patience)
        self._retired: set[Any] = set()
        self._heard: dict[Any, float] = {}  # when a client that owes us something was heard last
        self._idle: dict[Any, float] = {}  # since when one has been seen without a request
        self._closing: dict[Any, float] = {}  # since when one has taken all that it was sent

    def look(self) -> None:
        """See to each once; to be called again until none is left."""
        for connection in list(self._connections):
            if connection.transport.is_closing():
                self._hurry(connection)
            elif connection in self._retired:
                self._press(connection)
            elif self._may_go(connection):
                self._retire(connection)

    def _may_go(self, connection: Any) -> bool:
        if self._is_new(connection):
            return self._is_over(self._heard, connection)
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.more_body or not cycle.response_started:
            return True
        if not cycle.response_complete:
            # Its client may have all of it by now, and has not been told to leave.
            return CLOSE in cycle.default_headers
        return self._is_over(self._idle, connection, self._linger)

    def _is_new(self, connection: Any) -> bool:
        # It may have connected a moment ago, and its request be on the way.
        return getattr(connection, "cycle", self) is None

    def _retire(self, connection: Any) -> None:
        self._retired.add(connection)
        cycle = in_flight(connection)
        if cycle is not None and not cycle.response_started and CLOSE not in cycle.default_headers:
            cycle.default_headers = [*cycle.default_headers, CLOSE]
        if cycle is not None and cycle.more_body:
            self._listen_for_more(connection)
        try:
            connection.shutdown()
        except Exception:
            # Its parser may be in a state in which it can't say goodbye.
            connection.transport.abort()

    def _press(self, connection: Any) -> None:
        cycle = in_flight(connection)
        if cycle is not None and cycle.more_body and self._is_over(self._heard, connection):
            connection.transport.close()

    def _hurry(self, connection: Any) -> None:
        if unsent(connection.transport):
            self._closing.pop(connection, None)
        elif self._is_over(self._closing, connection):
            connection.transport.abort()

    def _is_over(
        self, since: dict[Any, float], connection: Any, patience: float | None = None
    ) -> bool:
        now = self._loop.time()
        waits = self._patience if patience is None else patience
        return now - since.setdefault(connection, now) >= waits

    def _listen_for_more(self, connection: Any) -> None:
        receive, heard, loop = connection.data_received, self._heard, self._loop

        def data_received(data: bytes) -> None:
            heard[connection] = loop.time()
            receive(data)

        connection.data_received = data_received
        # Some loops keep the methods that they found when they got the protocol.
        connection.transport.set_protocol(connection)


def in_flight(connection: Any) -> Any:
    """The request of a connection that has not been answered in full; None without."""
    cycle = getattr(connection, "cycle", None)
    return None if cycle is None or cycle.response_complete else cycle


def untaken(connections: Collection[Any]) -> int:
    """How many have an answer that has been given, and that their client has not taken."""
    cycles = [getattr(connection, "cycle", None) for connection in connections]
    return sum(cycle is not None and cycle.response_complete for cycle in cycles)
