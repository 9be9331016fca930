"""Starting a Python process, and knowing of its end: in the loop, without a thread for it."""

from __future__ import annotations

import asyncio
import io
import multiprocessing.connection  # noqa: F401  it says how sockets and pipes are sent
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import forkserver, resource_tracker, spawn
from multiprocessing.context import get_spawning_popen, set_spawning_popen
from multiprocessing.process import current_process
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final, Literal, cast

from ..errors import nearest
from ._boot import Passed

StartMethod = Literal["spawn", "forkserver"]
METHODS: Final = ("spawn", "forkserver")

_OURS: Final = "orchestra.players._child"

POLL_EVERY: Final = 0.01
"""Seconds between two looks at a process, where the system does not tell of its end."""

CLOSE_WITHIN: Final = 0.5
"""Seconds that the loop is kept, at the most, for the end of a process that has been killed."""


class Luggage:
    """What is sent to one child: pickled as `multiprocessing` does it, with its file descriptors."""

    def __init__(self, method: StartMethod) -> None:
        self._to_fork = method == "forkserver"
        self.fds: list[int] = []

    def pickled(self, value: object) -> bytes:
        """The value, in which there may also be sockets, and queues and locks between processes."""
        buffer = io.BytesIO()
        before = get_spawning_popen()
        set_spawning_popen(self)  # type: ignore[arg-type]
        try:
            ForkingPickler(buffer, 5).dump(value)
        finally:
            set_spawning_popen(before)
        return buffer.getvalue()

    def pass_on(self, fd: int) -> Passed:
        """Have the child get this file descriptor too."""
        return Passed(self.duplicate_for_child(fd), to_fork=self._to_fork)

    # What `multiprocessing` asks of who starts a process

    def duplicate_for_child(self, fd: int) -> int:
        self.fds.append(fd)
        return len(self.fds) - 1 if self._to_fork else fd

    def DupFd(self, fd: int) -> Passed:
        return Passed(fd, to_fork=self._to_fork)


class ChildProcess:
    """A process that has been started, until its end is known and all is tidied up."""

    def __init__(self, pid: int, alive: int, on_exit: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.pid = pid
        self.exitcode: int | None = None
        self.over = False
        self.killed = False  # by us
        self.terminated = False  # by us
        self._alive = alive  # closed by the system when we are gone, which the child sees
        self._on_exit = on_exit
        self._exit_fd: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def _watch(self, fd: int) -> None:
        """See its end on this file descriptor."""
        self._exit_fd = fd
        self._loop.add_reader(fd, self.look)

    def expect_end(self) -> None:
        """It seems to have ended: look whether it has, where nobody tells us."""
        if self._exit_fd is None and not self.over:
            self.look()

    def look(self) -> None:
        """See whether it has ended, and if so, end what is left of its group, and tell."""
        if self.over:
            return
        if self._exit_fd is None and not self._has_ended():
            self._timer = self._loop.call_later(POLL_EVERY, self.look)
            return
        self._end()

    def _end(self) -> None:
        # Before its number is free for another process.
        self._kill_group()
        self.exitcode = self._collect()
        self.over = True
        self._close_fds()
        self._on_exit()

    def terminated_by_us(self) -> bool:
        """Whether a SIGTERM from here was what ended it."""
        return self.terminated and self.exitcode == -signal.SIGTERM

    def terminate(self) -> None:
        """Send it SIGTERM."""
        if not self.over:
            self.terminated = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, and all that is in its group."""
        if not self.over:
            self.killed = True
            self._kill_group()
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # where it has no group yet
            self.expect_end()

    def _kill_group(self) -> None:
        # Not permitted is what macOS says of a group in which all have ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Be done with it, also in the middle of its life."""
        if self.over:
            return
        self._on_exit = _nobody_waits
        self.kill()
        limit = time.monotonic() + CLOSE_WITHIN
        while not self._has_ended() and time.monotonic() < limit:
            time.sleep(POLL_EVERY / 10)
        if self._has_ended():
            self._end()
        else:
            self._close_fds()

    def _close_fds(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._exit_fd is not None:
            self._loop.remove_reader(self._exit_fd)
            os.close(self._exit_fd)
        os.close(self._alive)

    def _has_ended(self) -> bool:
        raise NotImplementedError

    def _collect(self) -> int | None:
        """Wait for its end, and take what it ended with."""
        raise NotImplementedError


class Spawned(ChildProcess):
    """A process of a new interpreter, which is a child of this one."""

    def __init__(self, popen: subprocess.Popen[bytes], alive: int, on_exit: Any) -> None:
        super().__init__(popen.pid, alive, on_exit)
        self._popen = popen
        with suppress(AttributeError, OSError):  # not on every system
            self._watch(os.pidfd_open(popen.pid))

    def _has_ended(self) -> bool:
        # Without taking what it ended with, which would set its number free.
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    def _collect(self) -> int | None:
        code = None
        with suppress(ChildProcessError):  # somebody else has taken it
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._popen.returncode = 0 if code is None else code
        return code


class Forked(ChildProcess):
    """A process that the fork server has made, which is that one's child, and watches it for us."""

    def __init__(self, pid: int, alive: int, on_exit: Any, status: int) -> None:
        super().__init__(pid, alive, on_exit)
        self._watch(status)

    def _has_ended(self) -> bool:
        assert self._exit_fd is not None, "it is watched from the start"
        return bool(select.select([self._exit_fd], [], [], 0)[0])

    def _collect(self) -> int | None:
        assert self._exit_fd is not None, "it is watched from the start"
        with suppress(EOFError):  # of a fork server that is gone itself
            code: int = forkserver.read_signed(self._exit_fd)
            return code
        return None


async def launch(
    method: StartMethod, name: str, make_boot: Callable[[Luggage], object], on_exit: Any
) -> tuple[ChildProcess, dict[str, Any]]:
    """Start a process that unpickles what `make_boot` makes, and calls its `_bootstrap`.

    Also what it needs to know to import the main module, which is for that one to do.
    """
    luggage = Luggage(method)
    prepared = _prepared(name)
    first = {key: prepared.pop(key) for key in ("name", "sys_path", "authkey", "log_to_stderr")}
    data = luggage.pickled(first) + luggage.pickled(make_boot(luggage))
    start = _spawn if method == "spawn" else _fork
    return await start(luggage.fds, data, on_exit), prepared


def _prepared(name: str) -> dict[str, Any]:
    """What a process needs to know to be like this one: the path, and its main module."""
    if getattr(current_process(), "_inheriting", False):
        raise RuntimeError(
            "a process can't be started yet: this one is still importing the main module of the "
            'program. What starts players there belongs under `if __name__ == "__main__":`'
        )
    prepared = spawn.get_preparation_data(name)
    if not main_is_importable():
        prepared.pop("init_main_from_path", None)
    return prepared


def main_is_importable() -> bool:
    """Whether another process can import the main module: not so what is typed in, or piped in."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    has_spec = getattr(main, "__spec__", None) is not None
    return has_spec or (path is not None and os.path.exists(path))


async def _spawn(fds: Sequence[int], data: bytes, on_exit: Any) -> ChildProcess:
    with ExitStack() as opened:
        theirs, alive = os.pipe()
        opened.callback(os.close, alive)
        try:
            # With it, what the child shares by name is not taken away at the child's end.
            tracker = getattr(resource_tracker._resource_tracker, "_fd", None)
            command = spawn.get_command_line(pipe_handle=theirs, tracker_fd=tracker)
            passed = {theirs, *fds, *(() if tracker is None else (tracker,))}
            popen = subprocess.Popen(  # noqa: ASYNC220  not to be undone by a cancellation
                command,
                executable=spawn.get_executable(),
                stdin=subprocess.DEVNULL,
                pass_fds=tuple(passed),
                # Of its own, so that a terminal's Ctrl-C does not reach it.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        process = Spawned(popen, alive, on_exit)
        opened.pop_all()
    _write_all(alive, data)
    return process


async def _fork(fds: Sequence[int], data: bytes, on_exit: Any) -> ChildProcess:
    _preload()
    with ExitStack() as opened:
        status, alive = forkserver.connect_to_new_process(list(fds))
        opened.callback(os.close, status)
        opened.callback(os.close, alive)
        _write_all(alive, data)
        await _readable(status)
        pid = forkserver.read_signed(status)
        process = Forked(pid, alive, on_exit, status)
        opened.pop_all()
    return process


def _preload() -> None:
    """Have the fork server import what each of its children would, if it does not run yet."""
    server: Any = forkserver._forkserver
    if server._forkserver_pid is None and _OURS not in server._preload_modules:
        server.set_forkserver_preload([*server._preload_modules, _OURS])


def _nobody_waits() -> None:
    """For a process whose end nobody waits for any more."""


def _write_all(fd: int, data: bytes) -> None:
    # Little enough for the pipe to hold it. If the child has ended by now, that will be told.
    with suppress(BrokenPipeError), open(fd, "wb", closefd=False) as file:
        file.write(data)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        loop.remove_reader(fd)
        ready.set_result(None)

    loop.add_reader(fd, tell)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def socket_pair(luggage: Luggage) -> tuple[socket.socket, socket.socket, Passed]:
    """Two ends of a connection, and the one for the child as it is sent to it."""
    ours, theirs = socket.socketpair()
    return ours, theirs, luggage.pass_on(theirs.fileno())


def check_method(method: str) -> StartMethod:
    """The start method, or the error that says what is accepted."""
    if sys.platform == "win32":
        raise NotImplementedError(
            "ProcessPlayer needs a POSIX system; on Windows use CommandPlayer"
        )
    if method not in METHODS:
        raise ValueError(f"start_method={method!r} is unknown. {nearest(str(method), METHODS)}")
    return cast(StartMethod, method)
