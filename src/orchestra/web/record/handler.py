"""What takes the records of the standard logging, with the path of the player that made each."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from ... import log
from ...errors import CommandFailedError

_OURS: Final = log.__file__


class Handler(logging.Handler):
    """Gives each record away as a line: its path if that is certain, and what it has as its path."""

    def __init__(self, take: Callable[..., None]) -> None:
        super().__init__()
        self._take = take

    def install(self) -> None:
        """Listen to all loggers that pass their records on."""
        logging.getLogger().addHandler(self)

    def uninstall(self) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self)
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        try:
            text = record.getMessage() + traceback_of(record.exc_info)
            if record.stack_info:
                text += f"\n{record.stack_info}"
            given = getattr(record, "path", None)
            self._take(
                # What a conductor's logger writes has the path of the player that it is about.
                given if isinstance(given, str) and record.pathname == _OURS else None,
                given,
                time=record.created,
                level=record.levelname.lower(),
                source=record.name,
                text=text,
            )
        except Exception:
            self.handleError(record)


def traceback_of(error: Any) -> str:
    """The traceback that belongs to a line, from its second line on; `""` if there is none.

    That of a command that failed has no frame but ours, and what it printed has its own lines.
    """
    caught = error[1] if isinstance(error, tuple) else error
    if not isinstance(caught, BaseException) or isinstance(caught, CommandFailedError):
        return ""
    return "\n" + "".join(traceback.format_exception(caught)).rstrip("\n")
