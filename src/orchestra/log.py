"""Where the log lines go: the `Logger` that a user may bring, and the words for each event."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

from ._duration import duration
from .events import (
    Abandoned,
    BackingOff,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from .status import in_short

player_path: ContextVar[str] = ContextVar("player_path", default="")
"""The path of the player whose code runs now, in all that it calls, its tasks and its threads."""

path_is_wanted = False
"""Whether anybody reads it: to set it costs a player a twentieth of its start and stop."""


def want_path() -> None:
    """Have the players that start from now on set their path."""
    global path_is_wanted
    path_is_wanted = True


class Logger(Protocol):
    """What takes the log lines of a conductor: three methods, called in the loop's thread.

    One that raises is reported to the standard logger `orchestra`, and hurts nobody.

    >>> class Printing:
    ...     def info(self, msg, **attrs): print("info", msg)
    ...     def error(self, msg, **attrs): print("error", msg)
    ...     def with_group(self, name): return self
    """

    def info(self, msg: str, **attrs: object) -> None:
        """A change of state; `attrs` has `path`, and `delay`, `restarts` and others where it fits."""

    def error(self, msg: str, **attrs: object) -> None:
        """A failure; `attrs` has `error`, and `exc_info` where the traceback has not been logged."""

    def with_group(self, name: str) -> Logger:
        """The logger for a conductor that plays as `name` inside of the one that logs here."""
        ...


class _StandardLogger:
    """A `Logger` on top of a standard one: attributes become the record's `extra`."""

    def __init__(self, logger: AnyLogger, info_level: int, error_level: int) -> None:
        self._logger, self._info_level, self._error_level = logger, info_level, error_level

    def informs(self) -> bool:
        return self._logger.isEnabledFor(self._info_level)

    def complains(self) -> bool:
        return self._logger.isEnabledFor(self._error_level)

    def info(self, msg: str, **attrs: object) -> None:
        self._log(self._info_level, msg, attrs)

    def error(self, msg: str, **attrs: object) -> None:
        self._log(self._error_level, msg, attrs)

    def inform_of(self, lines: Iterable[str], attrs: dict[str, Any]) -> None:
        if not isinstance(self._logger, logging.Logger):
            for line in lines:
                self.info(line, **attrs)
        elif self.informs():
            for record in _records(self._logger, self._info_level, lines, attrs):
                self._logger.handle(record)

    def with_group(self, name: str) -> Logger:
        return _StandardLogger(_child_of(self._logger, name), self._info_level, self._error_level)

    def _log(self, level: int, msg: str, attrs: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(
            level
        ):  # else to make a record of it would be most of the cost
            _write(self._logger, level, msg, attrs)


AnyLogger = logging.Logger | logging.LoggerAdapter[Any]


def _child_of(logger: AnyLogger, name: str) -> AnyLogger:
    if isinstance(logger, logging.Logger):
        return logger.getChild(name)
    child = copy.copy(logger)
    child.logger = _child_of(logger.logger, name)
    return child


def _write(logger: AnyLogger, level: int, msg: str, attrs: dict[str, Any]) -> None:
    kwargs: Any = {"exc_info": attrs.pop("exc_info", None)}
    extra = _as_extra(attrs)
    # Left to itself, an adapter would put what it adds in the place of ours.
    while isinstance(logger, logging.LoggerAdapter):
        msg, kwargs = logger.process(msg, kwargs)
        logger = logger.logger
    kwargs["extra"] = {**(kwargs.get("extra") or {}), **extra}
    logger.log(level, "%s", msg, **kwargs)


def _records(
    logger: logging.Logger, level: int, lines: Iterable[str], attrs: dict[str, Any]
) -> Iterator[logging.LogRecord]:
    """A record of each line, all of this moment: copies of one, which is most of what they cost."""
    make, name = logging.getLogRecordFactory(), logger.name
    if make is not logging.LogRecord:
        for line in lines:
            record = logger.makeRecord(
                name, level, __file__, 0, line, (), None, None, _as_extra(attrs)
            )
            yield record
        return
    model = vars(make(name, level, __file__, 0, "", (), None)) | _as_extra(attrs)
    for line in lines:
        record = object.__new__(logging.LogRecord)
        vars(record).update(model)
        record.msg = line
        yield record


def _as_extra(attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes, under names that a record has not by itself."""
    taken = _taken_names(logging.getLogRecordFactory())
    return {f"{key}_" if key in taken else key: value for key, value in attrs.items()}


@functools.lru_cache(maxsize=1)
def _taken_names(factory: Callable[..., logging.LogRecord]) -> frozenset[str]:
    """The names that a record has by itself, and that `logging` raises a `KeyError` for."""
    return frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))


def logger_from_logging(
    logger: AnyLogger, *, info_level: int = logging.INFO, error_level: int = logging.ERROR
) -> Logger:
    """A `Logger` that writes to a standard one, at the levels given.

    The attributes of a line are in the record's `extra`; a nested conductor writes to the child
    logger of its name. A `logging.LoggerAdapter` will do as well. Raises `TypeError` for what is
    neither, and for a level that is no number.

    >>> quiet = logger_from_logging(logging.getLogger("my.service"), info_level=logging.DEBUG)
    """
    if not isinstance(logger, (logging.Logger, logging.LoggerAdapter)):
        raise TypeError(f"a logging.Logger is needed, not {logger!r}")
    for level in (info_level, error_level):
        if not isinstance(level, int):
            raise TypeError(f"a level is a number, such as logging.INFO, not {level!r}")
    return _StandardLogger(logger, info_level, error_level)


_standard = logger_from_logging(logging.getLogger("orchestra"))
_default: Logger = _standard


def set_logger(logger: Logger | None) -> None:
    """Make this the logger of all conductors without one of their own; None sets back the standard.

    Counts for what starts to play from then on. From any thread. Raises `TypeError` for what is no
    `Logger`.

    >>> set_logger(logger_from_logging(logging.getLogger("my.service")))
    >>> set_logger(None)
    """
    global _default
    _default = _standard if logger is None else check_logger(logger)


def default_logger() -> Logger:
    """The logger of a conductor that has none and none above."""
    return _default


def check_logger(logger: Any) -> Logger:
    """The logger, or a `TypeError` that says what it lacks."""
    missing = [name for name in ("info", "error", "with_group") if not hasattr(logger, name)]
    if missing or isinstance(logger, type):
        hint = (
            "use logger_from_logging(...) for a standard logger"
            if isinstance(logger, (logging.Logger, logging.LoggerAdapter))
            else "a Logger has info(msg, **attrs), error(msg, **attrs) and with_group(name)"
        )
        raise TypeError(f"{logger!r} is no orchestra.Logger: {hint}")
    return logger  # type: ignore[no-any-return]


class PathFilter(logging.Filter):
    """Puts the path of the current player on every record, as `path`; lets all of them pass.

    Added to a handler, it works for records of any library that are made while a player plays. Make
    it before the players start: one that plays already goes on without its path.

    >>> handler = logging.StreamHandler()
    >>> handler.addFilter(PathFilter())
    >>> handler.setFormatter(logging.Formatter("%(levelname)s %(path)s: %(message)s"))
    """

    def __init__(self) -> None:
        super().__init__()
        want_path()

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the path on the record, unless it has one."""
        if not hasattr(record, "path"):
            record.path = player_path.get()
        return True


def informs(logger: Logger) -> bool:
    """Whether a line of this logger that is no error would be seen by anyone."""
    # Nobody else's is asked, since a proxy may have a method of any name.
    return not isinstance(logger, _StandardLogger) or logger.informs()


def complains(logger: Logger) -> bool:
    """Whether an error of this logger would be seen by anyone."""
    return not isinstance(logger, _StandardLogger) or logger.complains()


def log_event(logger: Logger, event: Event) -> None:
    """Write the one line that an event is worth, if it is worth one; never raises."""
    try:
        line = describe(event)
        if line is not None:
            msg, attrs, is_error = line
            (logger.error if is_error else logger.info)(msg, path=event.path, **attrs)
    except BaseException as error:
        report(f"the logger {shown(logger)} failed", error)


def inform_of(logger: Logger, lines: Iterable[str], **attrs: object) -> None:
    """Write many lines that are no errors and have the same attributes; never raises."""
    rest = iter(lines)
    write = logger.inform_of if isinstance(logger, _StandardLogger) else None
    while True:
        try:
            if write is not None:
                write(rest, attrs)
            else:
                info = logger.info
                for line in rest:
                    info(line, **attrs)
            return
        except BaseException as error:  # of one line; the others have theirs
            report(f"the logger {shown(logger)} failed", error)


def complain(logger: Logger, msg: str, error: BaseException | None = None, **attrs: object) -> None:
    """Write a line about something wrong that is no event; never raises."""
    if error is not None:
        msg, attrs = f"{msg}: {in_words(error)}", {"error": error, **_traceback(error), **attrs}
    try:
        logger.error(msg, **attrs)
    except BaseException as broken:
        report(f"the logger {shown(logger)} failed", broken)


def report(msg: str, error: BaseException, **attrs: object) -> None:
    """Tell the standard logger of something that has nowhere else to go; never raises."""
    try:
        _write(logging.getLogger("orchestra"), logging.ERROR, msg, {**attrs, "exc_info": error})
    except Exception:
        pass


def describe(event: Event) -> tuple[str, dict[str, object], bool] | None:
    """An event in words, with its attributes, and whether it is an error; None if another tells it."""
    who = event.path or "conductor"
    match event:
        case Started(restarts=0):
            return f"{who}: started", {}, False
        case Started(restarts=restarts):
            return f"{who}: started again", {"restarts": restarts}, False
        case Ready(details=details, implied=False):
            shown = "".join(f" {key}={in_short(value)}" for key, value in details.items())
            return f"{who}: ready{shown}", {"details": dict(details)}, False
        case Failed(error=error, restarts=restarts, final=True):
            attrs = {"error": error, "restarts": restarts, **_traceback(error)}
            return f"{who}: failed: {in_words(error)}", attrs, True
        case BackingOff(error=error, delay=delay, restarts=restarts):
            attrs = {"delay": delay, "restarts": restarts}
            if error is None:
                return f"{who}: ended, next run in {duration(delay)}", attrs, False
            attrs |= {"error": error, **_traceback(error)}
            again = f"restart {restarts} in {duration(delay)}"
            return f"{who}: failed: {in_words(error)}; {again}", attrs, True
        case Stopping(reason=reason):
            why = "" if reason is None else f": {reason}"
            return f"{who}: stopping{why}", {"reason": reason}, False
        case Stopped():
            return f"{who}: stopped", {}, False
        case CutOff(where=where):
            return f"{who}: cut off, it did not stop in time", {"where": where}, True
        case Abandoned(where=where):
            return f"{who}: abandoned, cutting it off did not end it", {"where": where}, True
        case Skipped():
            return f"{who}: skipped, this conductor plays here already", {}, False
    return None


def in_words(error: BaseException) -> str:
    """An exception as `Type: message`, in one line."""
    try:
        # A group adds the number of its exceptions to its message, which are told of elsewhere.
        text = error.message if isinstance(error, BaseExceptionGroup) else str(error)
    except BaseException as broken:
        text = f"(its text can't be had: {type(broken).__name__})"
    if "\n" in text:
        text = " ".join(text.split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown(value: object) -> str:
    """The `repr` of somebody's object, also where that raises."""
    try:
        return repr(value)
    except BaseException:
        return object.__repr__(value)


def _traceback(error: BaseException) -> dict[str, object]:
    # A group's exceptions are those of players that have had their own lines.
    return {} if isinstance(error, BaseExceptionGroup) else {"exc_info": error}
