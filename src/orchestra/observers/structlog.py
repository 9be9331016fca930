"""Log lines by way of structlog: `pip install 'orchestra-players[structlog]'`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ..errors import not_installed
from ..log import Logger, player_path, want_path

try:
    import structlog
except ModuleNotFoundError as missing:
    raise not_installed(missing.name, "structlog") from None


class _StructlogLogger:
    """A `Logger` on top of one of structlog's."""

    def __init__(self, logger: Any, group: str) -> None:
        self._logger, self._group = logger, group

    def info(self, msg: str, **attrs: object) -> None:
        self._logger.info(msg, **attrs)

    def error(self, msg: str, **attrs: object) -> None:
        self._logger.error(msg, **attrs)

    def with_group(self, name: str) -> Logger:
        group = f"{self._group}.{name}" if self._group else name
        return _StructlogLogger(self._logger.bind(group=group), group)


def logger_from_structlog(logger: Any = None) -> Logger:
    """A `Logger` that writes to one of structlog's, or to `structlog.get_logger()`.

    The attributes of a line become key-value pairs; a nested conductor binds `group`. Raises
    `TypeError` for what has no `bind`, `info` and `error`.

    >>> import orchestra
    >>> logger = logger_from_structlog(structlog.get_logger(service="shop"))
    >>> conductor = orchestra.Conductor(logger=logger)
    """
    if logger is None:
        logger = structlog.get_logger()
    missing = [name for name in ("bind", "info", "error") if not hasattr(logger, name)]
    if missing:
        raise TypeError(f"a logger of structlog is needed, {logger!r} has no {missing[0]}")
    return _StructlogLogger(logger, "")


def add_path(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for `structlog.configure`: puts the current player's path on each line, as `path`.

    Configure it before the players start.

    >>> structlog.configure(processors=[add_path, structlog.processors.KeyValueRenderer()])
    >>> structlog.reset_defaults()
    """
    event.setdefault("path", player_path.get())
    return event


# Whoever imports this is about to use it: there is no later moment that would be early enough.
want_path()
