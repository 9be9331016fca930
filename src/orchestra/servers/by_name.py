"""Applications on their way to another process: most can't be pickled, and are found there by name."""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any, Final

MAIN: Final = "__main__"


def to_send(app: Any) -> Any:
    """What to pickle in the place of an application: itself, if it can be, or else where it stands.

    The applications of most frameworks can't be. One that is the value of a name at the top level of a
    module is found there, in the other process. Any other is left to fail where it is pickled.
    """
    try:
        pickle.dumps(app)
    except Exception:
        return _Named.of(app) or app
    return app


class _Named:
    """Becomes the value of that name where it is unpickled."""

    def __init__(self, module: str, name: str) -> None:
        self._where = module, name

    @classmethod
    def of(cls, value: object) -> _Named | None:
        """The name of a value in a module that can be imported; None if it has none."""
        in_main = None
        for module, name in _names_of(value):
            if module not in (MAIN, "__mp_main__"):
                return cls(module, name)
            in_main = name
        return None if in_main is None or not _main_has_a_file() else cls(MAIN, in_main)

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
