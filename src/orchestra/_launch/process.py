"""A command that has been started, as the program sees it: by what its minder tells."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

from ..errors import OrchestraError
from . import beside
from .refusal import refused


@dataclass(frozen=True, slots=True)
class End:
    """How a command has ended."""

    exit_code: int
    most_memory: int
    left: tuple[int, ...]


class Process:
    """One command, from the moment when it was ordered to its end. All in the loop's thread."""

    def __init__(self, name: str, line: socket.socket) -> None:
        self._name = name
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._started = asyncio.Event()
        self._over = asyncio.Event()
        self._refusal: tuple[str, int] | None = None
        self._trouble = ""
        self.pid: int | None = None
        self.exit_code: int | None = None
        """Once the command has ended, though what it has started may not have yet."""
        self.end: End | None = None

    @property
    def is_over(self) -> bool:
        """Whether all of it has ended, or nothing can be known of it any more."""
        return self._over.is_set()

    async def send_order(self, message: bytes) -> None:
        """Tell the minder what to start."""
        try:
            await self._loop.sock_sendall(self._line, message)
        except ConnectionError:
            pass  # it is gone, which is seen next
        except BaseException:
            self._line.close()
            raise
        self._loop.add_reader(self._line.fileno(), self._receive)

    async def until_started(self, order: Any) -> int:
        """Its pid, once it runs; raises the `OSError` that says why it does not."""
        await self._started.wait()
        if self._refusal is not None:
            raise refused(order, *self._refusal)
        if self.pid is None:
            raise self.lost()
        return self.pid

    async def until_over(self) -> None:
        """Until the command has ended, and all that it has started."""
        await self._over.wait()

    def lost(self) -> OrchestraError:
        """The error for a command whose minder ended first."""
        what = f"the process that minds {self._name} has ended, and so {self._name} was killed"
        return OrchestraError(f"{what}:\n{self._trouble}" if self._trouble else what)

    def signal(self, number: int, *, to_group: bool, patience: float) -> None:
        """Send it a signal; what is left of its group when it has ended is killed after `patience`."""
        self._send("signal", int(number), to_group, patience)

    def kill(self) -> None:
        """Kill it, and all that it has started."""
        self._send("kill")

    def close(self) -> None:
        """Let go of it: what runs of it is killed."""
        if self._line.fileno() >= 0:
            self._loop.remove_reader(self._line.fileno())
            self._line.close()
        self._set_over()

    def _send(self, *parts: Any) -> None:
        if self.is_over:
            return
        try:
            self._line.send(beside.message(*parts))
        except OSError:
            self.close()  # which kills it as well

    def _receive(self) -> None:
        try:
            data = self._line.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._buffer += data
        for what, *args in beside.messages(self._buffer):
            self._take(what, *args)
        if not data:
            self.close()

    def _take(self, what: str, *args: Any) -> None:
        if what == "started":
            (self.pid,) = args
            self._started.set()
        elif what == "refused":
            self._refusal = (args[0], args[1])
            self._started.set()
        elif what == "left":
            (self.exit_code,) = args
        elif what == "ended":
            self.exit_code, memory, left = args
            self.end = End(args[0], memory, tuple(left))
            self._set_over()
        else:
            (self._trouble,) = args

    def _set_over(self) -> None:
        self._started.set()
        self._over.set()
