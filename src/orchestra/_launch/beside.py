"""What runs beside a program that plays commands: one launcher, and a minder for each command.

    program ── launcher ─┬─ minder ── command ── what it starts
                         └─ minder ── command

The launcher only forks. It is small, has one thread, and was started fresh, so that its forks are cheap
and safe, which those of the program are not. A minder starts one command in a session of its own, sends
it signals, and waits for its end. When the command has ended, or its line to the program is cut, it
kills all that has come of the command and is still there; on Linux also what has left the session, since
the minder is its *subreaper*: whoever loses its parent down there becomes the minder's child.

This file is run by its path, by the same Python as the program, without `site` and without this package.
A message is a marshalled tuple behind its length. To a minder: `("start", order)` first, then
`("signal", number, to the whole group, seconds that what is left of the group has afterwards)` or
`("kill",)`. From it: `("started", pid)` or `("refused", stage, errno)`, then `("left", exit code)` when
the command has ended, and `("ended", exit code, most memory, pids that can't be killed)` when all has.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import marshal
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

HEADER = 4
"""Bytes of the length before each message."""

DESCRIPTORS = 4
"""That come with each command: its minder's line, and its standard input, output and error."""

IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGTSTP")
"""Meant for the program, also where all of its processes are told. They end when it does."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

RECHECK = 0.02
"""Seconds between two looks at what has been told to end and that nobody tells of."""


def ignored() -> set[signal.Signals]:
    """The signals that nobody here takes notice of."""
    return {signal.Signals[name] for name in IGNORED}


def message(*parts: Any) -> bytes:
    """A message as it travels."""
    data = marshal.dumps(parts)
    return len(data).to_bytes(HEADER, "big") + data


def messages(buffer: bytearray) -> Iterable[tuple[Any, ...]]:
    """The messages that have come in whole; they are taken out of the buffer."""
    while len(buffer) >= HEADER:
        end = HEADER + int.from_bytes(buffer[:HEADER], "big")
        if len(buffer) < end:
            return
        data = bytes(buffer[HEADER:end])
        del buffer[:end]
        yield marshal.loads(data)


# What both are made of


class Waker:
    """Gets readable when a child of this process has ended."""

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Be readable no longer."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def wait(self, timeout: float) -> None:
        """Until a child has ended, and no longer than this."""
        select.select([self.fd], [], [], timeout)
        self.drain()


def watch_program(pid: int) -> int:
    """A descriptor that gets readable when the program has ended, however it does; -1 without."""
    # Its end of the line says it too, but a fork of the program may hold that open.
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return -1


def adopt_orphans() -> None:
    """Be the parent of all below that lose their own."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def own_children() -> set[int]:
    """The children of this process, where the system tells; else nobody."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return {int(child) for child in file.read().split()}
    except OSError:
        return set()


def kill(pid: int) -> bool:
    """Kill this process; False if that is not allowed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def leave_nothing(waker: Waker, reap: Callable[[], bool]) -> list[int]:
    """Kill all below this process; the pids of those that it may not kill."""
    # Whoever is killed leaves its children to this process: until there are none.
    while reap():
        rest = own_children()
        left = [pid for pid in rest if not kill(pid)]
        if len(left) == len(rest):
            return left
        waker.wait(RECHECK)
    return []


# The launcher


class Launcher:
    """Forks a minder for each command that comes in, and ends with the program."""

    def __init__(self, line: socket.socket, program: int) -> None:
        self._line, self._program = line, program
        self._minders: set[int] = set()
        self._waker = Waker()

    def serve(self) -> None:
        """Until the program is gone or wants no more, and all minders have ended."""
        poll = select.poll()
        for fd in (self._line.fileno(), self._waker.fd, self._program):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        wanted = True
        while wanted:
            ready = {fd for fd, _ in poll.poll()}
            if self._waker.fd in ready:
                self.reap()
            if self._line.fileno() in ready:
                wanted = self.take()
            wanted = wanted and self._program not in ready
        self._line.close()
        # They hear by themselves that the program is gone.
        while self._minders:
            self._waker.wait(1.0)
            self.reap()
        leave_nothing(self._waker, self.reap)

    def take(self) -> bool:
        """Take in one command; False if there will be no more."""
        try:
            data, fds, *_ = socket.recv_fds(self._line, 1, DESCRIPTORS)
        except OSError:
            return False
        for fd in fds:
            os.set_inheritable(fd, False)
        if len(fds) == DESCRIPTORS:
            self._fork(fds)
        for fd in fds:
            os.close(fd)
        return bool(data)

    def _fork(self, fds: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            os.write(fds[0], message("refused", "fork", error.errno))
            return
        if pid:
            self._minders.add(pid)
            return
        self._line.close()
        line, *stdio = fds
        mind(socket.socket(fileno=line), stdio, self._program)

    def reap(self) -> bool:
        """Take note of the minders that have ended, and kill what one has left that was killed.

        False if there are no children any more.
        """
        self._waker.drain()
        try:
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._minders.discard(pid)
        except ChildProcessError:
            return False
        for orphan in own_children() - self._minders:
            kill(orphan)
        return True


# The minder


def mind(line: socket.socket, stdio: list[int], program: int) -> NoReturn:
    """The life of a minder."""
    try:
        adopt_orphans()
        Minder(line, stdio, program).serve()
    except BaseException:
        with contextlib.suppress(OSError):
            line.sendall(message("broken", traceback.format_exc()))
        os._exit(1)
    os._exit(0)


class Minder:
    """Starts one command, tells of it, and leaves nothing of it behind."""

    def __init__(self, line: socket.socket, stdio: list[int], program: int) -> None:
        self._line, self._stdio, self._program = line, stdio, program
        self._waker = Waker()
        self._poll = select.poll()
        self._buffer = bytearray()
        self._refusal = -1  # a pipe on which the fork tells why it could not become the command
        self._pid = 0
        self._exit_code: int | None = None  # of the command, once it has ended
        self._most_memory = 0
        self._waiting: list[tuple[int, bool, float]] = []  # signals that came before it was started
        self._patience = 0.0  # seconds that the rest of the group has once the command has ended
        self._over_at: float | None = None

    def serve(self) -> None:
        """Until the command has ended, and all that has come of it."""
        for fd in (self._line.fileno(), self._waker.fd, self._program):
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)
        while not self._is_over():
            recheck = None if self._over_at is None else RECHECK * 1000
            # First what the fork has told, so that its end is not told before its start.
            for fd, _ in sorted(self._poll.poll(recheck), key=lambda at: at[0] != self._refusal):
                if fd == self._waker.fd:
                    self.reap()
                elif fd == self._refusal:
                    self._hear_fork()
                elif fd == self._program:
                    self._give_up(fd)
                else:
                    self._hear_program()
        if self._pid:
            left = self._kill_rest()
            self._tell("ended", self._exit_code, self._most_memory, left)

    def _is_over(self) -> bool:
        if self._over_at is None:
            return False
        return time.monotonic() >= self._over_at or not self._has_group()

    def _has_group(self) -> bool:
        try:
            os.killpg(self._pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def _tell(self, *parts: Any) -> None:
        with contextlib.suppress(OSError):
            self._line.sendall(message(*parts))

    def _hear_program(self) -> None:
        try:
            data = self._line.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._give_up(self._line.fileno())
            return
        self._buffer += data
        for what, *args in messages(self._buffer):
            if what == "start":
                self._start(*args)
            elif what == "signal":
                self._signal(*args)
            else:
                self._kill()

    def _give_up(self, fd: int) -> None:
        """Nobody is there any more who wants the command."""
        self._poll.unregister(fd)
        self._kill()

    # Starting

    def _start(self, order: dict[str, Any]) -> None:
        self._refusal, writer = os.pipe()
        minder = os.getpid()
        try:
            self._pid = os.fork()
        except OSError as error:
            self._tell("refused", "fork", error.errno)
            self._over_at = 0.0
            return
        if not self._pid:
            become(order, self._stdio, writer, minder)
        for fd in (writer, *self._stdio):
            os.close(fd)
        self._poll.register(self._refusal, select.POLLIN)

    def _hear_fork(self) -> None:
        """It has become the command, or has told why it could not."""
        data = os.read(self._refusal, 4096)
        self._poll.unregister(self._refusal)
        os.close(self._refusal)
        self._refusal = -1
        if data:
            self._tell("refused", *marshal.loads(data))
            return
        self._tell("started", self._pid)
        for waiting in self._waiting:
            self._signal(*waiting)

    # Ending

    def _signal(self, number: int, to_group: bool, patience: float) -> None:
        if not self._pid or self._refusal >= 0:
            self._waiting.append((number, to_group, patience))  # or it would hit our own fork
            return
        self._patience = patience
        if self._exit_code is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if to_group else os.kill)(self._pid, number)
                # One that is suspended would not hear it.
                (os.killpg if to_group else os.kill)(self._pid, signal.SIGCONT)

    def _kill(self) -> None:
        self._patience = 0.0
        if self._over_at is not None or not self._pid:
            self._over_at = 0.0
            return
        kill(self._pid)  # by itself too, since a fork has no group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)

    def reap(self) -> bool:
        """Take note of children that have ended; False if there are none any more."""
        self._waker.drain()
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
                self._most_memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                self._over_at = time.monotonic() + self._patience
                self._tell("left", self._exit_code)

    def _kill_rest(self) -> list[int]:
        """Kill all that has come of the command; the pids of those that this may not kill."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        return leave_nothing(self._waker, self.reap)


# The command


def become(order: dict[str, Any], stdio: list[int], refusal: int, minder: int) -> NoReturn:
    """Turn this fork of a minder into the command; if that fails, tell why."""
    stage = "session"
    try:
        os.setsid()
        for target, fd in enumerate(stdio):
            os.dup2(fd, target)
        reset_signals()
        if order["umask"] is not None:
            os.umask(order["umask"])
        stage = "user"
        change_user(order["user"], order["group"], order["groups"])
        stage = "cwd"
        os.chdir(order["cwd"])
        # A change of user takes this back, so it comes after it.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != minder:
            os._exit(1)
        stage = "exec"
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except OSError as error:
        os.write(refusal, marshal.dumps((stage, error.errno)))
    os._exit(127)


def reset_signals() -> None:
    """Have a command start with all signals as a new session has them."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def change_user(user: int | None, group: int | None, groups: list[int] | None) -> None:
    """Be another user, unless this is the one."""
    if groups is not None and os.geteuid() == 0:
        os.setgroups(groups)
    if group is not None and group != os.getegid():
        os.setgid(group)
    if user is not None and user != os.geteuid():
        os.setuid(user)


def main(line: int, program: int) -> None:
    """What the program starts."""
    for number in ignored():
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # it was started with these held back
    watched = watch_program(program)
    if os.getppid() != program:
        return  # it has gone already
    adopt_orphans()
    gc.disable()
    gc.freeze()  # or collecting would touch, and so copy, what the forks share
    Launcher(socket.socket(fileno=line), watched).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
