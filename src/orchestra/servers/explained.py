"""Errors of the system that say what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def explained(what: str) -> Iterator[None]:
    """An `OSError` raised in this becomes one of the same kind and number that says what failed.

    >>> with explained("can't open the door"):
    ...     raise PermissionError(13, "Permission denied")
    Traceback (most recent call last):
        ...
    PermissionError: [Errno 13] can't open the door: Permission denied
    """
    try:
        yield
    except OSError as error:
        number, reason = error.errno, error.strerror or str(error)
        text = f"{what}: {reason}"
        # Without the original, of which nothing is missing here.
        raise (type(error)(text) if number is None else type(error)(number, text)) from None
