"""Log records as lines of JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from ..log import player_path, want_path

_OWN: Final = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "path"))


class JsonFormatter(logging.Formatter):
    """Formats each record as one line of JSON, with the path of the player that made it.

    The keys are `time` (ISO 8601, UTC), `level`, `logger`, `path`, `message`, then what was given as
    `extra`, and `exception` with the traceback if there is one. Values that JSON has no form for are
    written as text. Make it before the players start, as a `PathFilter`. Safe to use in any thread.

    >>> record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": "sold",
    ...                                 "created": 0.0, "item": 7})
    >>> print(JsonFormatter().format(record))
    {"time": "1970-01-01T00:00:00.000000+00:00", "level": "INFO", "logger": "shop", "path": "", "message": "sold", "item": 7}
    """

    def __init__(self) -> None:
        super().__init__()
        want_path()

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        made = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": made.isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "path": getattr(record, "path", None) or player_path.get(),
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=_as_text, ensure_ascii=False, skipkeys=True)


def _as_text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)
