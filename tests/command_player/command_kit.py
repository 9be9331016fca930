"""What the tests of commands share: small programs, who of them still runs, and a logger that keeps."""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self

import pytest

from orchestra import CommandPlayer, Conductor, ConductorError, Context

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of the death of its parent"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def python(code: str, *args: object) -> list[str]:
    """A command that runs this code, in a Python that starts fast."""
    return [sys.executable, "-I", "-S", "-u", "-c", code, *map(str, args)]


def sh(script: str, *args: object) -> list[str]:
    return ["sh", "-c", script, "sh", *map(str, args)]


def tag() -> str:
    """Something to find the processes of one test by: an argument that `sleep` takes."""
    return f"1{uuid.uuid4().int % 10**15:015}"


def running(mark: str) -> list[int]:
    """The processes with this among their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read()
        except OSError:
            continue
        if mark.encode() in arguments and int(pid) != os.getpid():
            found.append(int(pid))
    return found


def beside(parent: int | None = None) -> list[int]:
    """The launchers and minders that run for this process, or for another."""
    parent = os.getpid() if parent is None else parent
    return [
        pid
        for pid in running("_launch")
        if read(f"/proc/{pid}/cmdline").rstrip("\0").endswith(f"\0{parent}")
    ]


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


async def until(condition: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait until something holds, and give what it was."""
    async with asyncio.timeout(timeout):
        while not (found := condition()):
            await asyncio.sleep(0.005)
        return found


def until_sync(condition: Callable[[], Any], timeout: float = 30) -> Any:
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)
    return found


class Lines:
    """A logger that keeps what commands print."""

    def __init__(self) -> None:
        self.printed: list[tuple[str, str]] = []  # stream and line
        self.paths: set[object] = set()
        self.errors: list[str] = []

    def info(self, msg: str, **attrs: object) -> None:
        if "stream" in attrs:
            self.printed.append((str(attrs["stream"]), msg))
            self.paths.add(attrs["path"])

    def error(self, msg: str, **attrs: object) -> None:
        self.errors.append(msg)

    def with_group(self, name: str) -> "Lines":
        return self

    @property
    def out(self) -> list[str]:
        """Without stderr, on which a shell tells of its children that were stopped with it."""
        return [line for stream, line in self.printed if stream == "stdout"]

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.printed]


async def run(command: str | Sequence[Any], **options: Any) -> Lines:
    """Run a command to its end, in a conductor; what it has printed."""
    logger = Lines()
    await Conductor({"a": CommandPlayer(command, **options)}, logger=logger).play(Context())
    return logger


async def error_of(command: str | Sequence[Any], **options: Any) -> Exception:
    """The one error that a command ends with."""
    with pytest.raises(ConductorError) as caught:
        await run(command, **options)
    (error,) = caught.value.exceptions
    return error


class Playing:
    """A command that plays in a conductor until the body has ended, and is stopped then."""

    def __init__(
        self, command: str | Sequence[Any] | CommandPlayer, *, timeout: float = 20, **options: Any
    ) -> None:
        self.logger = Lines()
        player = command
        if not isinstance(player, CommandPlayer):
            player = CommandPlayer(command, **options)  # type: ignore[arg-type]
        self.conductor = Conductor({"a": player}, timeout=timeout, logger=self.logger)
        self.ctx = Context()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.conductor.play(self.ctx))
        await until(lambda: self.task.done() or self.status.ready)
        return self

    async def __aexit__(self, *args: object) -> None:
        self.ctx.cancel()
        await asyncio.wait([self.task])
        if args[0] is None:
            await self.task

    @property
    def status(self) -> Any:
        return self.conductor.status().players["a"]

    @property
    def pid(self) -> int:
        return int(self.status.details["pid"])

    async def printed(self, line: str) -> None:
        await until(lambda: line in self.logger.lines)

    async def stop(self) -> Exception | None:
        """Ask it to stop; what that comes to."""
        self.ctx.cancel()
        await asyncio.wait([self.task])
        task, self.task = self.task, asyncio.create_task(asyncio.sleep(0))
        error = task.exception()
        assert error is None or isinstance(error, Exception)
        return error
