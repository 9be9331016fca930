"""What is said of what can't be played: one line of ours, or the user's own traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from ..loading.errors import LoadError, UserCodeError
from .codes import FAILED, USAGE

P = ParamSpec("P")


def complaining(verb: Callable[P, int]) -> Callable[P, int]:
    """A verb that says what is wrong with what it was given, and returns the exit code for it."""

    @wraps(verb)
    def complaining(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return verb(*args, **kwargs)
        except LoadError as error:
            say(str(error))
            return USAGE
        except UserCodeError as error:
            print(in_full(error), end="", file=sys.stderr)
            return FAILED

    return complaining


def say(text: str) -> None:
    """Say something in one line, to standard error."""
    print(f"orchestra: {text}", file=sys.stderr)


def in_full(error: UserCodeError) -> str:
    """What the user's code raised, as Python shows it."""
    return "".join(traceback.format_exception(error.error))
