"""What `ServerPlayer` needs of a server library: four steps, the same for each of them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from socket import socket
from typing import Any, Protocol

from .tls import Certificate

MOST_SHOWN = 10
"""So many places are named; of the rest only the number is of interest."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a server is busy with: where each request is, and where the application's start or end is."""

    requests: tuple[str, ...] = ()
    lifespan: str = ""

    def in_words(self, became: str) -> str:
        """As in `2 requests were cut off`, and then where they were, a line for each frame."""
        parts = []
        if self.requests:
            number = len(self.requests)
            noun = "1 request was" if number == 1 else f"{number} requests were"
            parts += [f"{noun} {became}", *self.requests[:MOST_SHOWN]]
            parts += [f"... and {number - MOST_SHOWN} more"] * (number > MOST_SHOWN)
        if self.lifespan:
            parts += [f"the application's lifespan was {became}", self.lifespan]
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve, in one run."""

    addresses: tuple[str, ...] = ()
    """Where it serves, as URLs, in the order of the sockets: `http://127.0.0.1:8000`, `unix:/run/a.sock`."""

    tls: ssl.SSLContext | None = None
    """What to serve with; the context takes up a renewed certificate by itself."""

    certificate: Certificate | None = None
    """The files behind `tls`, for libraries that take no context; None where the user gave a context."""

    access_log: bool = True
    """Whether each request is logged, through the library's own standard logger."""

    shutdown_timeout: float = 10.0
    """Seconds that requests in flight have; for libraries that want to be told before. `drain` decides."""

    uds_mode: int = 0o660
    """The mode of a Unix socket, for libraries that bind by themselves."""


class Adapter(Protocol):
    """One run of a server library. It is made for the run, and all is called in the loop's thread.

    After `start` has been called, `abort` is always called, so all that has to be let go can be let go
    there. No step touches signals, configures logging or lets a `SystemExit` out.
    """

    def __init__(self, app: Any, options: Options) -> None: ...

    async def start(self, sockets: Sequence[socket]) -> None:
        """Start the application, then accept connections; returns when a client can be served.

        The sockets listen already, and are the adapter's to close. For a library that `binds` by
        itself they only hold its addresses: it binds to these with SO_REUSEPORT, and there is none for
        a Unix socket. Raises what the application or the
        library raised. May be cancelled, and `abort` follows.
        """

    async def wait(self) -> None:
        """Until the server ends by itself, which it should not; raises why. May be cancelled."""

    async def drain(self, timeout: float) -> bool:
        """Stop to listen, let the requests in flight finish, and end the application, gracefully.

        Idle connections are closed. True if that was done within `timeout` seconds; False if something
        still goes on, which `abort` will cut. Raises what the application raised while it ended.
        """
        ...

    async def abort(self, timeout: float) -> None:
        """Let go of everything now: abort connections, cancel handlers, end the application.

        Takes at most `timeout` seconds and some turns of the loop, may be called at any time and again,
        and never raises, except for a cancellation, after which it is called again.
        """

    def work(self) -> Work:
        """What is in progress at this moment."""
        ...
