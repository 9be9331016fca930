"""Log records of a process, handled by its parent as if they had been made there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from ...log import Logger, PathFilter
from .carried import carried, portable

_FORMATTER: Final = logging.Formatter()

Levels = tuple[int, dict[str, int]]
"""What is disabled for all loggers, and the levels of those that have one of their own."""


def levels() -> Levels:
    """The levels of this process, for a child to go by."""
    found = {"": logging.root.level}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level:
            found[name] = logger.level
    return logging.root.manager.disable, found


def handle(attributes: dict[str, Any]) -> None:
    """In the parent: hand a record of a child to the logger of its name."""
    record = logging.makeLogRecord(attributes)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


class Records(logging.Handler):
    """In the child: brings all records to the parent."""

    def __init__(self, offer: Callable[..., bool], path: str) -> None:
        super().__init__()
        self._offer, self._path = offer, path
        self._lost = 0
        self.addFilter(PathFilter())

    def take_over(self, levels: Levels) -> None:
        """Be the only one who handles records, whatever the modules have set up that were imported.

        The parent has imported them too, and its handlers of the same loggers will see the records.
        """
        disabled, of_loggers = levels
        for logger in _all_loggers():
            logger.handlers[:] = [self] if logger is logging.root else []
            logger.propagate = True
            logger.disabled = False
            logger.setLevel(logging.NOTSET)
        for name, level in of_loggers.items():
            logging.getLogger(name).setLevel(level)
        logging.disable(disabled)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, unless too many wait already."""
        try:
            if self._lost and self._offer("record", _told(self._lost, self._path)):
                self._lost = 0
            if not self._offer("record", _sendable(record, self._path)):
                self._lost += 1
        except Exception:
            self.handleError(record)

    def last(self) -> dict[str, Any] | None:
        """At the end: the record that tells of those that were lost, if any were."""
        return _told(self._lost, self._path) if self._lost else None

    def let_go(self) -> None:
        """In a process that was forked off: handle nothing any more."""
        logging.root.removeHandler(self)


def _all_loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def _sendable(record: logging.LogRecord, path: str) -> dict[str, Any]:
    attributes = dict(vars(record), msg=record.getMessage(), args=None, exc_info=None)
    if record.exc_info and not record.exc_text:
        attributes["exc_text"] = _FORMATTER.formatException(record.exc_info)
    # A thread that no player has started knows no path.
    attributes["path"] = attributes.get("path") or path
    return {name: portable(value) for name, value in attributes.items()}


def _told(lost: int, path: str) -> dict[str, Any]:
    record = logging.LogRecord(
        "orchestra",
        logging.WARNING,
        __file__,
        0,
        "%d log records were lost, the parent did not read them in time",
        (lost,),
        None,
    )
    return _sendable(record, path)


class Lines:
    """In the child: the `Logger` whose lines the parent's own writes."""

    def __init__(
        self, offer: Callable[..., bool], seen: tuple[bool, bool], groups: tuple[str, ...] = ()
    ) -> None:
        self._offer, self._seen, self._groups = offer, seen, groups

    def info(self, msg: str, **attrs: object) -> None:
        """Send a line, if it would be seen there."""
        if self._seen[0]:
            self._send(False, msg, attrs)

    def error(self, msg: str, **attrs: object) -> None:
        """Send a line about a failure, if it would be seen there."""
        if self._seen[1]:
            self._send(True, msg, attrs)

    def with_group(self, name: str) -> Logger:
        """The same, for a conductor inside."""
        return Lines(self._offer, self._seen, (*self._groups, name))

    def _send(self, is_error: bool, msg: str, attrs: dict[str, object]) -> None:
        self._offer("line", self._groups, is_error, msg, sendable(attrs))


def sendable(attrs: dict[str, object]) -> dict[str, object]:
    """Named values, as they can be sent: exceptions as those that they are."""
    return {
        name: carried(value) if isinstance(value, BaseException) else portable(value)
        for name, value in attrs.items()
    }
