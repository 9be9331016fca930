"""Applications on their way to another process: most can't be pickled, and are found there by name."""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any, Final

MAIN: Final = "__main__"


def to_send(app: Any) -> Any:
    """What to pickle in the place of an application.

    The applications of most frameworks can't be pickled, or come out broken. One that is the value of a
    name at the top level of a module is found by that name in the other process. So is one of the
    program itself, if it can't be pickled: it may have been made where only the program comes. Any
    other is left to fail where it is pickled.
    """
    names = _names_of(app)
    for module, name in names:
        if module not in (MAIN, "__mp_main__"):
            return _Named(module, name)
    try:
        pickle.dumps(app)
    except Exception:
        if names and _main_has_a_file():
            return _Named(MAIN, names[0][1])
    return app


class _Named:
    """Becomes the value of that name where it is unpickled."""

    def __init__(self, module: str, name: str) -> None:
        self._where = module, name

    def __reduce__(self) -> Any:
        return _found, self._where


def _names_of(value: object) -> list[tuple[str, str]]:
    return [
        (module, name)
        for module, found in list(sys.modules.items())
        for name, each in list(getattr(found, "__dict__", {}).items())
        if each is value
    ]


def _main_has_a_file() -> bool:
    main = sys.modules[MAIN]
    return getattr(main, "__spec__", None) is not None or hasattr(main, "__file__")


def _found(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
