"""What a server player can't do, said when it is made."""

from __future__ import annotations

import pickle
import ssl
from typing import Any

from ..log import in_words
from ..player import name_of
from .by_name import to_send
from .libraries import Library
from .place import Place


def check_library(library: Library, app: Any, place: Place, tls: Any) -> None:
    """Raise if this library can't serve that there: it is not installed, or it is not up to it."""
    library.check_installed()
    if library.apart:
        _check_sendable(library, app)
    if library.binds and place.sockets:
        raise ValueError(f"{library.name} listens by itself and takes no sockets: give it a port")
    if isinstance(tls, ssl.SSLContext) and not library.takes_context:
        raise ValueError(
            f"{library.name} can't serve with an ssl.SSLContext: give it tls=(certfile, keyfile)"
        )


def _check_sendable(library: Library, app: Any) -> None:
    try:
        pickle.dumps(to_send(app))
    except Exception as error:
        raise TypeError(
            f"{library.name} serves in a process of its own, and {name_of(app)} can't be sent there: "
            f"{in_words(error)}. Make it the value of a name at the top level of a module, as in "
            "`app = FastAPI()`, or a function there"
        ) from error


def check_picklable(tls: Any) -> None:
    """Raise if this certificate can't go to another process."""
    if isinstance(tls, ssl.SSLContext):
        raise TypeError(
            "an ssl.SSLContext can't be pickled, so this can't go to another process: "
            "give tls=(certfile, keyfile)"
        )


def checked_bool(name: str, given: Any) -> bool:
    """The same, if it is one."""
    if not isinstance(given, bool):
        raise TypeError(f"{name} must be True or False, not {given!r}")
    return given
