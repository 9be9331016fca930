"""Which kind of application something is taken for, and how to say it outright."""

import functools
import http.server
import importlib
import socketserver
import sys
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp.web
import bottle
import django.conf
import fastapi
import flask
import grpc
import grpc.aio
import litestar
import pytest
import quart
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from orchestra import Context, ServerPlayer
from orchestra.servers.libraries import LIBRARIES, library_for


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...
async def asgi_with_any(*args: Any) -> None: ...
def asgi2(scope: Any) -> Any: ...
def wsgi(environ: Any, start_response: Any) -> Any: ...
def wsgi_by_other_names(env: Any, start: Any) -> Any: ...
async def connected(reader: Any, writer: Any) -> None: ...
async def connected_by_other_names(source: Any, sink: Any) -> None: ...
def connected_plainly(reader: Any, writer: Any) -> None: ...
async def websocket(socket: Any) -> None: ...
def builds_grpc() -> grpc.aio.Server: ...  # type: ignore[empty-body]
async def builds_grpc_later() -> grpc.aio.Server: ...  # type: ignore[empty-body]
def builds_grpc_in_text() -> "grpc.aio.Server": ...  # type: ignore[empty-body]
def builds_http() -> http.server.HTTPServer: ...  # type: ignore[empty-body]
def builds_at_an_address(address: Any) -> Any: ...
def builds_something() -> Any: ...
def builds_what_is_unknown() -> "NowhereDefined": ...  # type: ignore[name-defined] # noqa: F821


class WsgiClass:
    def __init__(self, environ: Any, start_response: Any) -> None: ...
    def __iter__(self) -> Iterator[bytes]: ...


class Object:
    async def websocket(self, socket: Any) -> None: ...
    async def __call__(self, reader: Any, writer: Any) -> None: ...


def made_with_django(make: Callable[[], Any]) -> Any:
    if not django.conf.settings.configured:
        django.conf.settings.configure()
    return make()


GIVEN: dict[str, dict[str, Any]] = {
    "asgi": {
        "function": asgi,
        "any arguments": asgi_with_any,
        "old style": asgi2,
        "fastapi": fastapi.FastAPI(),
        "litestar": litestar.Litestar(logging_config=None),
        "quart": quart.Quart("app"),
        "django": made_with_django(get_asgi_application),
    },
    "wsgi": {
        "function": wsgi,
        "other names": wsgi_by_other_names,
        "class": WsgiClass,
        "flask": flask.Flask("app"),
        "bottle": bottle.Bottle(),
        "django": made_with_django(get_wsgi_application),
    },
    "aiohttp": {"application": aiohttp.web.Application()},
    "asyncio": {
        "function": connected,
        "other names": connected_by_other_names,
        "plain": connected_plainly,
        "object": Object(),
    },
    "websockets": {"function": websocket, "method": Object().websocket},
    "grpc": {
        "function": builds_grpc,
        "async": builds_grpc_later,
        "annotation in quotes": builds_grpc_in_text,
    },
    "socketserver": {
        "annotated": builds_http,
        "takes the address": builds_at_an_address,
        "bound class": functools.partial(
            http.server.ThreadingHTTPServer, RequestHandlerClass=http.server.BaseHTTPRequestHandler
        ),
        "class bound with an address": functools.partial(
            socketserver.TCPServer, ("127.0.0.1", 0), socketserver.BaseRequestHandler
        ),
    },
    "factory": {
        "function": builds_something,
        "lambda": lambda: None,
        "annotation of the unknown": builds_what_is_unknown,
    },
}


@pytest.mark.parametrize(
    ("kind", "app"),
    [
        pytest.param(kind, app, id=f"{kind}: {name}")
        for kind, apps in GIVEN.items()
        for name, app in apps.items()
    ],
)
def test_what_people_serve_is_recognised(kind: str, app: Any) -> None:
    """The type, or the signature, tells what kind of application it is."""
    found, library = library_for(app, None)
    assert found.name == kind
    assert (None if kind == "factory" else kind) == (library and library.kind)


async def player(ctx: Any) -> None: ...
async def view(request: Any) -> None: ...
async def needs_a_keyword(socket: Any, *, database: Any) -> None: ...
async def yields() -> Any:
    yield


def anything(*args: Any) -> Any: ...


@pytest.mark.parametrize(
    ("app", "hint"),
    [
        (player, "a player by itself"),
        (view, "belongs into an application"),
        (needs_a_keyword, "needs_a_keyword"),
        (yields, "yields"),
        (anything, "anything"),
        (http.server.HTTPServer, "bind it, as in `functools.partial(HTTPServer"),
        (http.server.SimpleHTTPRequestHandler, "RequestHandlerClass=SimpleHTTPRequestHandler)`"),
        (grpc.aio.Server, "give the function that builds it"),
        (42, "42 of type int"),
    ],
)
def test_what_is_none_of_them_is_refused_with_a_list(app: Any, hint: str) -> None:
    """A TypeError at once has what may be meant, all that is accepted, and how to say it outright."""
    with pytest.raises(TypeError) as caught:
        ServerPlayer(app)
    for words in (
        hint,
        "(scope, receive, send)",
        "(environ, start_response)",
        "aiohttp.web.Application",
        "grpc.aio.Server",
        "(websocket)",
        "(reader, writer)",
        "socketserver.BaseServer",
        "server='websockets'",
    ):
        assert words in str(caught.value)


def test_a_server_that_has_been_built_is_refused() -> None:
    """Each run needs a new one, so the function that builds it has to be given."""
    with (
        socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as built,
        pytest.raises(TypeError, match="give the function that builds it"),
    ):
        ServerPlayer(built)


@pytest.mark.parametrize(
    ("app", "server", "kind", "library"),
    [
        (anything, "websockets", "websockets", "websockets"),
        (anything, "wsgi", "wsgi", "uvicorn"),
        (anything, "grpc", "grpc", "grpc"),
        (builds_something, "grpc", "grpc", "grpc"),
        (builds_something, "socketserver", "socketserver", "socketserver"),
        (connected, "wsgi", "wsgi", "uvicorn"),
        (asgi, "hypercorn", "asgi", "hypercorn"),
        (wsgi, "uvicorn", "wsgi", "uvicorn"),
    ],
)
def test_it_can_be_said_outright(app: Any, server: str, kind: str, library: str) -> None:
    """With `server`, the library or the kind is what was asked for, if the signature allows it."""
    found, row = library_for(app, server)
    assert row is not None
    assert (found.name, row.name) == (kind, library)


@pytest.mark.parametrize(
    ("app", "server"), [(asgi, "aiohttp"), (asgi, "grpc"), (wsgi, "websockets")]
)
def test_what_cannot_be_served_by_it_is_refused(app: Any, server: str) -> None:
    """An application of another kind than the library serves is a ValueError at once."""
    with pytest.raises(ValueError, match=f"server='{server}' does not serve"):
        ServerPlayer(app, server=server)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: f"{one.name}-{one.kind}")
def test_each_library_is_found_and_its_lack_explained(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its needs can be imported here; without them, the error names the pip install line."""
    for module in library.needs:
        importlib.import_module(module)
        monkeypatch.setitem(sys.modules, module, None)
    app = next(iter(GIVEN[library.kind].values()))
    if library.needs:
        with pytest.raises(ModuleNotFoundError) as caught:
            ServerPlayer(app, server=library.name)
        assert f"pip install 'orchestra-players[{library.extra}]'" in str(caught.value)
    else:
        ServerPlayer(app, server=library.name)


@pytest.mark.real_time
async def test_a_function_that_builds_no_server() -> None:
    """What a function builds that says nothing shows in its first run, which fails if it is no server."""
    with pytest.raises(TypeError, match="which the function has built, is no server"):
        await ServerPlayer(lambda: 42, port=0).play(Context())


def test_a_library_that_takes_no_context() -> None:
    """An SSLContext is refused at once where the library reads files."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ValueError, match="certfile, keyfile"):
        ServerPlayer(builds_grpc, server="grpc", tls=context)
