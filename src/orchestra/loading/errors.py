"""What can be wrong with what a user names or writes."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from ..errors import OrchestraError

_OURS: Final = ("importlib._bootstrap", "importlib._bootstrap_external", "runpy")


class LoadError(OrchestraError):
    """What was named can't be played, said in one line: the user's to mend, and no fault of ours.

    >>> print(LoadError("no such key", file="orchestra.toml", line=3))
    orchestra.toml:3: no such key
    """

    def __init__(self, text: str, *, file: str | None = None, line: int | None = None) -> None:
        self.text, self.file, self.line = text, file, line
        where = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(where + " ".join(text.split()))


class UserCodeError(OrchestraError):
    """The user's own code raised while it was loaded; `error` is what, without frames of ours."""

    def __init__(self, error: BaseException) -> None:
        self.error = error.with_traceback(users_part(error.__traceback__))
        super().__init__(f"{type(error).__name__}: {error}")


def users_part(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame on that is neither ours nor the import machinery's."""
    while traceback is not None and _is_ours(traceback.tb_frame.f_globals.get("__name__", "")):
        traceback = traceback.tb_next
    return traceback


def _is_ours(module: str) -> bool:
    return module in _OURS or module == "importlib" or module.startswith(f"{__package__}.")
