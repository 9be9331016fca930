"""Who serves what: the server libraries, found without importing them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from ..errors import nearest, not_installed
from .adapter import Adapter, Options
from .apps import KINDS, Kind, kind_named, kind_of_app, no_application, what_is
from .factories import server_of


@dataclass(frozen=True, slots=True)
class Library:
    """A library that serves one kind of application: what it needs, and where its adapter lies.

    - `extra`: that of the distribution which brings what it `needs`; `""` if that is nothing.
    - `alpn`: the protocols that it speaks over TLS, for those who ask.
    - `schemes`: what its addresses begin with, without TLS and with it.
    - `takes_context`: that it can serve with an `ssl.SSLContext`, and not only with files.
    - `renews_tls`: that new connections get a certificate that has been renewed while it serves.
    - `binds`: that it takes no sockets, and binds by itself, together with us; see `shared_port`.
    - `apart`: that it serves in a process of its own.
    """

    name: str
    kind: str
    extra: str
    needs: tuple[str, ...]
    adapter: str
    alpn: tuple[str, ...] = ()
    schemes: tuple[str, str] = ("http", "https")
    takes_context: bool = True
    renews_tls: bool = True
    binds: bool = False
    apart: bool = False

    def check_installed(self) -> None:
        """Raise a `ModuleNotFoundError` that says how to install it, if it is not."""
        from importlib.util import find_spec  # needed once a server, and not free to import

        for module in self.needs:
            if find_spec(module) is None:
                raise not_installed(module, self.extra)

    def make_adapter(self, app: Any, options: Options) -> Adapter:
        """An adapter for one run; imports the library."""
        module, _, name = self.adapter.partition(":")
        found = getattr(importlib.import_module(module, __package__), name)
        made: Adapter = found(app, options)
        return made


_HTTP: Final = ("http/1.1",)
_HTTP2: Final = ("h2", "http/1.1")

LIBRARIES: Final = (
    Library("uvicorn", "asgi", "uvicorn", ("uvicorn",), ".uvicorn_adapter:UvicornAdapter", _HTTP),
    Library(
        "hypercorn",
        "asgi",
        "hypercorn",
        ("hypercorn",),
        ".hypercorn_adapter:HypercornAdapter",
        _HTTP2,
    ),
    Library(
        "granian",
        "asgi",
        "granian",
        ("granian",),
        ".granian_adapter:GranianAdapter",
        _HTTP2,
        takes_context=False,
        renews_tls=False,
        apart=True,
    ),
    Library("uvicorn", "wsgi", "wsgi", ("a2wsgi", "uvicorn"), ".wsgi_adapter:WsgiAdapter", _HTTP),
    Library(
        "aiohttp", "aiohttp", "aiohttp", ("aiohttp",), ".aiohttp_adapter:AiohttpAdapter", _HTTP
    ),
    Library(
        "grpc",
        "grpc",
        "grpc",
        ("grpc",),
        ".grpc_adapter:GrpcAdapter",
        ("h2",),
        ("grpc", "grpcs"),
        takes_context=False,
        binds=True,
    ),
    Library(
        "websockets",
        "websockets",
        "websockets",
        ("websockets",),
        ".websockets_adapter:WebsocketsAdapter",
        _HTTP,
        ("ws", "wss"),
    ),
    Library("asyncio", "asyncio", "", (), ".streams_adapter:StreamsAdapter", (), ("tcp", "tls")),
    Library("socketserver", "socketserver", "", (), ".socketserver_adapter:SocketserverAdapter"),
)
"""The first that serves a kind is the one that serves it where nobody has asked for another."""


def library_for(app: Any, asked: str | None) -> tuple[Kind, Library | None]:
    """The kind of `app`, and who serves it: the library or the kind asked for, or the usual one.

    No library for a function of which only the first call tells what it builds. Raises `TypeError` for
    what can't be served, `ValueError` if it can't be by what was asked for.
    """
    kind = kind_of_app(app)
    if asked is None:
        if kind is None:
            raise no_application(app)
        return kind, _usual(kind.name)
    rows = [one for one in LIBRARIES if asked in (one.name, one.kind)]
    if not rows:
        known = dict.fromkeys(name for one in LIBRARIES for name in (one.name, one.kind))
        raise ValueError(f"server={asked!r} is unknown. {nearest(str(asked), known)}")
    for row in rows:
        if kind is not None and row.kind == kind.name:
            return kind, row
    for row in rows:
        said = kind_named(row.kind)
        if said.may_be(app):
            return said, row
    if kind is None:
        raise no_application(app)
    raise ValueError(f"server={asked!r} does not serve {kind.what}, which is {what_is(app)}")


def library_of(built: Any) -> Library:
    """Who serves what a function has built; `TypeError` for what is no server."""
    found = _usual(server_of(built) or "")
    if found is None:
        accepted = "; ".join(
            kind.what for kind in KINDS if kind.name in ("aiohttp", "grpc", "socketserver")
        )
        raise TypeError(
            f"{what_is(built)}, which the function has built, is no server. Accepted: {accepted}"
        )
    return found


def _usual(kind: str) -> Library | None:
    return next((one for one in LIBRARIES if one.kind == kind), None)
