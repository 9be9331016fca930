"""Tracebacks of what players raised, without the frames that are ours."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from typing import Final

import orchestra

from ...errors import OrchestraError

_OURS: Final = os.path.dirname(os.path.abspath(orchestra.__file__)) + os.sep


def trace_of(error: BaseException) -> tuple[str, ...]:
    """The lines of a traceback with the user's own frames; none for what we raised ourselves.

    >>> trace_of(OrchestraError("a text that says it all"))
    ()
    """
    if isinstance(error, (OrchestraError, BaseExceptionGroup)):
        return ()
    try:
        found = traceback.TracebackException.from_exception(error, compact=True)
        _strip(found)
        return tuple(_lines(found))
    except Exception:  # somebody's exception whose text can't be had
        return ()


def _strip(found: traceback.TracebackException) -> None:
    found.stack[:] = [one for one in found.stack if not one.filename.startswith(_OURS)]
    # Which player it was is said around it.
    notes = getattr(found, "__notes__", None) or []
    kept = [note for note in notes if not note.startswith(("raised by player ", "after "))]
    found.__notes__ = kept or None
    for inner in (found.__cause__, found.__context__, *(found.exceptions or ())):
        if inner is not None:
            _strip(inner)


def _lines(found: traceback.TracebackException) -> Iterator[str]:
    if found.stack or found.__cause__ is not None or found.__notes__:
        for part in found.format():
            yield from part.rstrip("\n").split("\n")
