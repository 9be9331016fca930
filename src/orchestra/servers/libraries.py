"""Who serves what: the server libraries, found without importing them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from ..errors import nearest
from .adapter import Adapter
from .apps import Kind


@dataclass(frozen=True, slots=True)
class Library:
    """A server library: its name, which is that of its extra too, and where its adapter lies."""

    name: str
    needs: str
    adapter: str
    kinds: tuple[str, ...]

    def check_installed(self) -> None:
        """Raise a `ModuleNotFoundError` that says how to install it, if it is not."""
        from importlib.util import find_spec  # needed once a server, and not free to import

        if find_spec(self.needs) is None:
            raise ModuleNotFoundError(
                f"{self.needs} is not installed: pip install 'orchestra-players[{self.name}]'",
                name=self.needs,
            )

    def make_adapter(self, *args: Any) -> Adapter:
        """An adapter for one run; imports the library."""
        module, _, name = self.adapter.partition(":")
        made: Adapter = getattr(importlib.import_module(module, __package__), name)(*args)
        return made


LIBRARIES: Final = (
    Library("uvicorn", "uvicorn", ".uvicorn_adapter:UvicornAdapter", ("asgi",)),
    Library("hypercorn", "hypercorn", ".hypercorn_adapter:HypercornAdapter", ("asgi",)),
    Library("granian", "granian", ".granian_adapter:GranianAdapter", ("asgi",)),
)
"""The first that serves a kind is the one that serves it where nobody has asked for another."""


def library_for(kind: Kind, asked: str | None) -> Library:
    """The library asked for, or the one that serves this kind; `ValueError` if it can't be."""
    if asked is None:
        return next(one for one in LIBRARIES if kind.name in one.kinds)
    for one in LIBRARIES:
        if one.name == asked:
            if kind.name not in one.kinds:
                raise ValueError(f"server={asked!r} does not serve {kind.what}")
            return one
    known = [one.name for one in LIBRARIES]
    raise ValueError(f"server={asked!r} is unknown. {nearest(str(asked), known)}")
