"""The program's side of its launcher: started with the first command of a loop, ended with the last."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from typing import Final

from ..errors import OrchestraError
from . import beside
from .order import Order
from .process import Process

Loop = asyncio.AbstractEventLoop

PROGRAM: Sequence[str] = ("-I", "-S", beside.__file__)
"""Without what the environment and `site` bring: the launcher needs nothing of it, and starts faster."""

TIME_TO_END: Final = 2.0
"""Seconds that the launcher has to end, which takes it a few milliseconds."""

_launchers: weakref.WeakKeyDictionary[Loop, Launcher] = weakref.WeakKeyDictionary()


def hold_launcher() -> Launcher:
    """The launcher of the running loop, for one player more; whoever holds it releases it."""
    loop = asyncio.get_running_loop()
    launcher = _launchers.get(loop)
    if launcher is None:
        launcher = _launchers[loop] = Launcher()
    launcher.holders += 1
    return launcher


class Launcher:
    """Starts commands for the players of one loop, in a process of its own.

    All in the loop's thread.
    """

    def __init__(self) -> None:
        self.holders = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def release(self) -> None:
        """One player needs it no longer; with the last one its process ends."""
        self.holders -= 1
        if not self.holders:
            self._end()

    async def start(self, order: Order, stdio: Sequence[int]) -> Process:
        """Have a command started with these three descriptors, which remain the caller's."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                await self._send([theirs.fileno(), *stdio])
            message = beside.message("start", order.as_message())
            process = Process(order.name, ours)
        except BaseException:
            ours.close()
            raise
        await process.send_order(message)
        return process

    async def _send(self, fds: list[int]) -> None:
        while True:
            line = self._running_line()
            try:
                socket.send_fds(line, [b"+"], fds)
                return
            except BlockingIOError:
                await asyncio.sleep(0.01)  # hundreds are started at the same moment
            except OSError:
                self._end()  # somebody has killed it

    def _running_line(self) -> socket.socket:
        if self._process is None or self._line is None or self._process.poll() is not None:
            self._end()
            self._begin()
            assert self._line is not None
        return self._line

    def _begin(self) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            raise OrchestraError(
                "commands are started by a Python process, and this program knows of no Python: "
                f"sys.executable is {sys.executable!r}"
            )
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            argv = [sys.executable, *PROGRAM, str(theirs.fileno())]
            # Or one that all are sent could hit it before it ignores them.
            held = signal.pthread_sigmask(signal.SIG_BLOCK, beside.ignored())
            try:
                self._process = subprocess.Popen(
                    [*argv, str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
        self._line = ours

    def _end(self) -> None:
        """End its process and wait for that: it has nothing left to do by now."""
        line, self._line = self._line, None
        process, self._process = self._process, None
        if line is not None:
            line.close()
        if process is not None:
            try:
                process.wait(TIME_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
