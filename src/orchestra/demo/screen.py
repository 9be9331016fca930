"""The screen: where the demo prints its lines, in colour where that is wanted."""

from __future__ import annotations

import io
import logging
import os
import time
from typing import TextIO

from orchestra.log import PathFilter

BOLD, DIM, RED, GREEN, CYAN = 1, 2, 31, 32, 36


class Screen:
    """Prints lines to a stream, at once; colours only for a terminal, and not with `NO_COLOR`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.colours = stream.isatty() and not os.environ.get("NO_COLOR")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal has every sign

    def paint(self, text: str, colour: int) -> str:
        """The text in a colour."""
        return f"\033[{colour}m{text}\033[0m" if self.colours else text

    def print(self, *lines: str) -> None:
        """Print these lines."""
        try:
            print(*lines, sep="\n", file=self.stream, flush=True)
        except BrokenPipeError:
            # Nobody reads any more: Ctrl-C ends the `tee` behind a pipe as well. We stop as we should.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def show_log(self, *names: str) -> None:
        """Show the log lines of these loggers, and the warnings of all others."""
        logging.basicConfig(handlers=[LogLines(self)], level=logging.WARNING)
        for name in names:
            logging.getLogger(name).setLevel(logging.INFO)


class LogLines(logging.Handler):
    """Prints each log record as a short line: the time, the player, and what there is to say."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen
        self.addFilter(PathFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Print this one."""
        self.screen.print(self.format(record))

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line; a traceback only for what should not happen at all."""
        text, path = record.getMessage(), getattr(record, "path", "")
        if path and not text.startswith(f"{path}: "):
            text = f"{path}: {text}"
        if record.levelno >= logging.ERROR:
            text = self.screen.paint(text, RED)
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        if record.exc_info and not isinstance(record.exc_info[1], OSError):
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        return f"{self.screen.paint(clock, DIM)}  {text}"
