"""What a command prints: read as it comes, in lines, to the logger and to whoever looks for one."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

from ...log import Logger, inform_of

Stream = Literal["stdout", "stderr"]

LONGEST: Final = 65536
"""Bytes of a line; a longer one is split. And no more is read at a time."""

KEPT: Final = 20
"""Lines that are kept for the error of a command that fails."""

KEPT_LENGTH: Final = 2000
"""Characters of each line that is kept."""

SLICE: Final = 0.005
"""Seconds that the lines of one read may hold up the loop; then others have their turn."""

AT_ONCE: Final = 16
"""Lines between two looks at the clock."""

MOST_AFTERWARDS: Final = 1 << 20
"""Bytes that are read once the command has ended: no pipe holds more."""


class Output:
    """The output of one run of a command. All in the loop's thread."""

    def __init__(self, logger: Logger | None, path: str) -> None:
        self._logger, self._path = logger, path
        self._streams: list[_Pipe] = []
        self._watchers: list[Callable[[str], None]] = []
        self._kept: deque[str] = deque(maxlen=KEPT)

    def pipe(self, stream: Stream) -> int:
        """A new pipe for one of its streams; gives the end for the command, the caller's to close."""
        reader, writer = os.pipe()
        self._streams.append(_Pipe(reader, lambda lines: self._take(lines, stream)))
        return writer

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, of both streams."""
        return tuple(
            line if len(line) <= KEPT_LENGTH else line[:KEPT_LENGTH] + "…" for line in self._kept
        )

    def watch(self, on_line: Callable[[str], None]) -> Callable[[], None]:
        """Call `on_line` with each line from now on; gives what ends this."""
        self._watchers.append(on_line)
        return lambda: self._watchers.remove(on_line)

    async def drain(self, is_late: Callable[[], bool] = lambda: False) -> None:
        """Take what is still in the pipes, when nothing more will come; not all, if it gets late."""
        all_taken = [await stream.drain(is_late) for stream in self._streams]
        if not all(all_taken) and self._logger is not None:
            what = "its last lines are lost, there was no time to log them"
            self._logger.error(f"{self._path}: {what}", path=self._path)

    def close(self) -> None:
        """Close the pipes; what is still in them is taken, as far as the loop has time for it."""
        for stream in self._streams:
            stream.close()

    def _take(self, lines: Sequence[str], stream: Stream) -> None:
        self._kept.extend(lines[-KEPT:])
        for watcher in tuple(self._watchers):
            for line in lines:
                watcher(line)
        if self._logger is not None:
            inform_of(self._logger, lines, path=self._path, stream=stream)


class _Pipe:
    """One stream: bytes to lines."""

    def __init__(self, fd: int, take: Callable[[Sequence[str]], None]) -> None:
        self._fd, self._take = fd, take
        self._loop = asyncio.get_running_loop()
        self._rest = b""  # of a line that has no end yet
        self._lines: Sequence[str] = ()  # that wait for the loop's next turn
        self._draining = False
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def _read(self) -> None:
        data = self._next()
        if data is None:
            return
        if not data:
            self.close()
            return
        self._lines = self._split(data)
        if not self._tell():
            # Not read from before these have been told: so a command that prints faster than its
            # lines are logged has to wait.
            self._loop.remove_reader(self._fd)
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._fd < 0 or self._draining:
            return
        if self._tell():
            self._loop.add_reader(self._fd, self._read)
        else:
            self._loop.call_soon(self._go_on)

    def _next(self) -> bytes | None:
        """What has come; None if nothing has, and nothing in it at the end."""
        try:
            return os.read(self._fd, LONGEST)
        except (BlockingIOError, InterruptedError):
            return None

    def _tell(self) -> bool:
        """Hand on the lines, as many as the loop has time for; whether these were all."""
        lines, until = self._lines, time.monotonic() + SLICE
        for start in range(0, len(lines), AT_ONCE):
            self._take(lines[start : start + AT_ONCE])
            if time.monotonic() >= until:
                self._lines = lines[start + AT_ONCE :]
                return not self._lines
        self._lines = ()
        return True

    def _split(self, data: bytes) -> list[str]:
        """The lines that end in this, and the pieces of one that is too long."""
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        lines: list[str] = []
        if newline:
            # Only the first can be too long, since no more than a line's length is read at a time.
            while len(whole) > LONGEST and whole.find(b"\n", 0, LONGEST + 1) < 0:
                piece, whole = _cut(whole)
                lines.append(piece)
            lines += _text(whole).replace("\r\n", "\n").removesuffix("\r").split("\n")
        while len(self._rest) > LONGEST:
            piece, self._rest = _cut(self._rest)
            lines.append(piece)
        return lines

    async def drain(self, is_late: Callable[[], bool]) -> bool:
        if self._fd < 0:
            return True
        self._draining = True
        self._loop.remove_reader(self._fd)
        left = MOST_AFTERWARDS
        while True:
            while not self._tell():
                if is_late():
                    self._lines = ()
                    return False
                await asyncio.sleep(0)  # others have their turn
            data = self._next() if left > 0 else None
            if not data:
                return True
            left -= len(data)
            self._lines = self._split(data)

    def close(self) -> None:
        if self._fd < 0:
            return
        if self._tell() and (data := self._next()):
            self._lines = self._split(data)
            self._tell()
        rest, self._rest = self._rest, b""
        if rest:
            self._take([_text(rest)])
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1


def _cut(line: bytes) -> tuple[str, bytes]:
    """The first piece of a line that is too long, and the rest; never through a character."""
    end = LONGEST
    while end > LONGEST - 4 and line[end : end + 1] and line[end] & 0xC0 == 0x80:
        end -= 1
    return _text(line[:end]), line[end:]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
