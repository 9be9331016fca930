"""The file that a program's log goes to, as its TOML file says."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ...loading.errors import LoadError
from ...loading.spec import LogSpec


class LogFile:
    """A file to print to, which begins another when it is full."""

    def __init__(self, log: LogSpec, folder: Path) -> None:
        file = folder / Path(log.file).expanduser()
        try:
            self._handler = RotatingFileHandler(
                file,
                maxBytes=log.max_bytes,
                backupCount=log.keep,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise LoadError(f"the log can't be written to {file}: {error.strerror}") from None

    def write(self, text: str) -> None:
        """Write some lines."""
        self._handler.emit(logging.makeLogRecord({"msg": text.removesuffix("\n")}))

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Write no more."""
        self._handler.close()
