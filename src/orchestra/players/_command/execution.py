"""One run of one command: started, ended in any case, its output taken to the last line."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import IO, Any

from ..._launch.launcher import Launcher
from ..._launch.order import Order
from ..._launch.process import Process
from .output import Output

Input = str | bytes | IO[Any] | None


def checked_stdin(stdin: Any) -> Input:
    """What a command reads: nothing, a text, or an open file."""
    if stdin is None or isinstance(stdin, (str, bytes)):
        return stdin
    if isinstance(stdin, (bytearray, memoryview)):
        return bytes(stdin)
    with suppress(AttributeError, OSError, ValueError):
        stdin.fileno()
        return stdin  # type: ignore[no-any-return]
    raise TypeError(f"stdin is a string, bytes or an open file, not {stdin!r}")


@asynccontextmanager
async def executing(
    launcher: Launcher,
    order: Order,
    stdin: Input,
    output: Output,
    is_late: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Process]:
    """Have it run while the body does; what runs of it then is killed, and waited for."""
    try:
        with ExitStack() as descriptors:
            stdio = [descriptors.enter_context(_opened(stdin))]
            for stream in ("stdout", "stderr"):
                stdio.append(output.pipe(stream))
                descriptors.callback(os.close, stdio[-1])
            process = await launcher.start(order, stdio)
        try:
            yield process
        finally:
            try:
                process.kill()
                await process.until_over()
            finally:
                process.close()
        await output.drain(is_late)  # not where this was cut off, since nobody has the time then
    finally:
        output.close()


@contextmanager
def _opened(stdin: Input) -> Iterator[int]:
    """A descriptor from which a command reads this."""
    if stdin is None:
        fd = os.open(os.devnull, os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)
    elif isinstance(stdin, (str, bytes)):
        import tempfile

        # A file and not a pipe, which somebody would have to fill while the command reads.
        with tempfile.TemporaryFile() as file:
            file.write(stdin.encode() if isinstance(stdin, str) else stdin)
            file.flush()
            file.seek(0, io.SEEK_SET)
            yield file.fileno()
    else:
        yield stdin.fileno()
