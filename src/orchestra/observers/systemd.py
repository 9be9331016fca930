"""Tells systemd how the program is, for units of `Type=notify`.

The protocol is one datagram a message, so it is spoken here without a library.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

from ..events import (
    Abandoned,
    BackingOff,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from ..log import in_words, report

PAUSE: Final = 0.1
"""Seconds that a change waits for others to be told together with it."""

EXTENSION: Final = 10.0
"""Seconds by which a stop in progress is prolonged each second: Orchestra itself bounds it."""

MOST_NAMED: Final = 3


class SystemdObserver:
    """Sends readiness, the stop, a line of status, and the watchdog's sign of life to systemd.

    - `READY=1` when the tree is ready, `STOPPING=1` when it is asked to stop;
    - `STATUS=` a line that says what is wrong, such as
      `jobs.feed is backing off: ConnectionError: the feed is away`;
    - `WATCHDOG=1` twice in each period of `WatchdogSec=`, from the loop: a loop that is blocked sends
      none, and none is sent while a player that was cut off, for its own watchdog for example, still
      goes on;
    - `EXTEND_TIMEOUT_USEC=` while it stops, so that `TimeoutStopSec=` does not come before the time
      that the tree gives itself.

    Where `NOTIFY_SOCKET` is not set, it does nothing. `environ` is for tests. One observer is for one
    tree; it is called in the loop's thread.

    >>> import orchestra
    >>> async def main(ctx): ...
    >>> orchestra.run(main, observers=[SystemdObserver()])
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._period = _watchdog_period(environ)
        self._players: dict[str, str] = {}  # those that are not fine, and why
        self._ready = self._stopping = self._complained = False
        self._late: set[str] = set()
        self._line = ""
        self._telling: asyncio.TimerHandle | None = None
        self._ticking: dict[float, asyncio.TimerHandle] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event, and tell what has changed by it."""
        if not self._address:
            return
        self._note(event)
        loop = asyncio.get_running_loop()
        if self._period and not self._ticking:
            self._tick(loop, self._period / 2)
        if event.path == "":
            self._note_root(loop, event)
        if self._telling is None:
            self._telling = loop.call_later(PAUSE, self._tell)

    def _note(self, event: Event) -> None:
        path, players = event.path, self._players
        match event:
            case Started():
                players[path] = "starting"
                self._late.discard(path)
            case Ready() | Stopped() | Skipped():
                players.pop(path, None)
                self._late.discard(path)
            case BackingOff(error=error):
                players[path] = "backing off" + ("" if error is None else f": {in_words(error)}")
            case Failed(error=error, final=True):
                players[path] = f"failed: {in_words(error)}"
                self._late.discard(path)
            case Stopping():
                players[path] = "stopping"
            case CutOff():
                players[path] = "cut off"
                self._late.add(path)
            case Abandoned():
                players[path] = "abandoned"
                self._late.add(path)

    def _note_root(self, loop: asyncio.AbstractEventLoop, event: Event) -> None:
        match event:
            case Ready() if not self._ready:
                self._ready = True
                self._send("READY=1")
            case Stopping() if not self._stopping:
                self._stopping = True
                self._send("STOPPING=1")
                self._tick(loop, 1.0)
            case Stopped() | Failed(final=True) | Abandoned():
                self._tell()
                for timer in [*self._ticking.values(), self._telling]:
                    if timer is not None:
                        timer.cancel()

    def _tell(self) -> None:
        self._telling = None
        line = line_of(self._players, stopping=self._stopping)
        if line != self._line:
            self._line = line
            self._send(f"STATUS={line}")

    def _tick(self, loop: asyncio.AbstractEventLoop, pause: float) -> None:
        if self._stopping:
            self._send(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
        if self._period and (self._stopping or not self._late):
            self._send("WATCHDOG=1")
        self._ticking[pause] = loop.call_later(pause, self._tick, loop, pause)

    def _send(self, message: str) -> None:
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode(), address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                report(f"systemd can't be told at {self._address!r}", error)


def line_of(players: Mapping[str, str], *, stopping: bool = False) -> str:
    """What is not as it should be, in one line, with the worst first.

    >>> line_of({"api": "starting", "jobs": "starting", "jobs.feed": "failed: OSError: gone"})
    'jobs.feed failed: OSError: gone; starting: api'
    >>> line_of({})
    'all is well'
    """
    groups = {path.rpartition(".")[0] for path in players if path}
    # A group is what its players are.
    leaves = {path: word for path, word in players.items() if path not in groups}
    passing = ("starting", "stopping")
    parts = [
        f"{path or 'all'} {_verb(word)}" for path, word in leaves.items() if word not in passing
    ]
    parts = _few(parts)
    for word in passing:
        paths = [path or "all" for path, found in leaves.items() if found == word]
        if paths:
            parts.append(f"{word}: {', '.join(_few(paths))}")
    return "; ".join(parts) or ("stopping" if stopping else "all is well")


def _verb(word: str) -> str:
    return word if word.startswith("failed") else f"is {word}"


def _few(parts: list[str]) -> list[str]:
    more = len(parts) - MOST_NAMED
    return parts if more <= 0 else [*parts[:MOST_NAMED], f"and {more} more"]


def _watchdog_period(environ: Mapping[str, str]) -> float:
    """Seconds between two signs of life that systemd waits for; 0 if it waits for none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0  # it waits for those of another process
    try:
        return max(0.0, int(environ.get("WATCHDOG_USEC", "0")) / 1e6)
    except ValueError:
        return 0.0
