"""What the ending of a run comes to: one failure, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from .errors import ConductorError, PlayerAbortedError
from .log import in_words
from .restart import note_of

E = TypeVar("E", bound=BaseException)


def judge(
    caught: BaseException | None,
    reported: Sequence[Exception],
    blame: Exception | None,
    *,
    asked: bool,
    path: str,
) -> Exception | None:
    """The failure that an ending is, if it is one.

    `caught` is what the run let out. `reported` is what groups in it have had to tell that were cut
    off, and could not raise it. `blame` is the failure for which the run was cut off, if that is
    why. `asked`: it was asked to stop.
    """
    error: Exception | None
    if caught is None or isinstance(caught, Exception):
        error = caught
    elif isinstance(caught, asyncio.CancelledError) and (asked or blame is not None):
        error = None
    else:
        error = chained(PlayerAbortedError(f"ended by {in_words(caught)}"), caught)
    if reported:
        found = [*reported] if error is None else [error, *reported]
        error = found[0] if len(found) == 1 else _merged(path, found)
    return error if blame is None else chained(blame, error)


def without_our_frame(caught: BaseException) -> None:
    """Take the frame of the life off a traceback: it tells nothing, and would tie the two together."""
    ours = caught.__traceback__
    caught.with_traceback((ours and ours.tb_next) or ours)


def of_backoff(broken: Exception, error: Exception | None) -> Exception:
    """The failure that it is if the backoff itself fails, after a run that failed with `error`."""
    note_of(broken, "raised by the player's backoff")
    return chained(broken, broken.__cause__ or error)


def chained(error: E, cause: BaseException | None) -> E:
    """The error with its cause, also where its class does not let attributes be set."""
    BaseException.__setattr__(error, "__cause__", cause)
    return error


def _merged(path: str, errors: Sequence[Exception]) -> ConductorError:
    failures = []
    for error in errors:
        if isinstance(error, ConductorError):
            failures += error.entries()
        else:
            failures.append((0.0, path, error))
    return ConductorError.of(f"{path} failed", failures, base=path)
