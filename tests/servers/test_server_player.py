"""What a server player takes and what it refuses, before anything plays."""

import functools
import pickle
import ssl
import subprocess
import sys
from typing import Any

import pytest
from server_kit import App, get, served, serving
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from orchestra import ConstantBackoff, Context
from orchestra.servers import ServerPlayer


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"plain"})


async def with_one_more(extra: object, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


async def with_any(*args: Any) -> None:
    await app(*args)


@functools.wraps(app)
def wrapped(*args: Any) -> Any:
    return app(*args)


def old_style(scope: Any) -> Any:
    async def instance(receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return instance


class OldStyle:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await app(self.scope, receive, send)


class NewStyle:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    async def method(self, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)


APPS = {
    "function": app,
    "partial": functools.partial(with_one_more, None),
    "any arguments": with_any,
    "wrapped": wrapped,
    "instance": NewStyle(),
    "method": NewStyle().method,
    "old function": old_style,
    "old class": OldStyle,
    "starlette": Starlette(routes=[Route("/", lambda request: PlainTextResponse("plain"))]),
}


@pytest.mark.real_time
@pytest.mark.parametrize("given", APPS.values(), ids=APPS)
async def test_every_form_of_an_asgi_application_is_served(given: Any) -> None:
    """ASGI applications of the new style and the old are recognised and served."""
    async with serving(given) as url:
        assert await get(url) == "plain"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (None, "None of type NoneType"),
        ("module:app", "import it"),
        (Starlette, "give an instance"),
        (NewStyle, "give an instance"),
        (lambda a, b, c, d: None, "lambda"),
        (with_one_more, "with_one_more"),
    ],
    ids=["none", "string", "class", "another class", "lambda", "four arguments"],
)
def test_what_is_no_application_is_refused_at_once(given: Any, hint: str) -> None:
    """A TypeError says what was given, what may be meant, and what is accepted."""
    with pytest.raises(TypeError) as caught:
        ServerPlayer(given)
    assert hint in str(caught.value)
    assert "an ASGI application" in str(caught.value)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"host": ""}, ValueError, "0.0.0.0"),
        ({"host": "http://localhost"}, ValueError, "http://localhost"),
        ({"host": None}, TypeError, "host"),
        ({"port": -1}, ValueError, "port"),
        ({"port": 65536}, ValueError, "65535"),
        ({"port": "80"}, TypeError, "port"),
        ({"port": True}, TypeError, "port"),
        ({"uds": ""}, ValueError, "uds"),
        ({"uds": 7}, TypeError, "uds"),
        ({"uds": "a", "sockets": []}, ValueError, "exclude"),
        ({"uds": "a", "reuse_port": True}, ValueError, "reuse_port"),
        ({"sockets": []}, ValueError, "empty"),
        ({"sockets": ["7"]}, TypeError, "socket.socket"),
        ({"sockets": [True]}, TypeError, "socket.socket"),
        ({"sockets": 7}, TypeError, "[3]"),
        ({"sockets": [99999]}, ValueError, "descriptor 99999"),
        ({"sockets": "sistemd"}, ValueError, "Did you mean 'systemd'?"),
        ({"uds_mode": "660"}, TypeError, "0o660"),
        ({"uds_mode": 660}, ValueError, "0o660"),
        ({"access_log": 1}, TypeError, "access_log"),
        ({"tls": "cert.pem"}, TypeError, "tls"),
        ({"tls": ("cert.pem", None)}, TypeError, "tls"),
        ({"tls": ssl.create_default_context()}, ValueError, "for clients"),
        ({"shutdown_timeout": -1}, ValueError, "shutdown_timeout"),
        ({"shutdown_timeout": float("nan")}, ValueError, "shutdown_timeout"),
        ({"shutdown_timeout": None}, ValueError, "shutdown_timeout"),
        ({"backoff": 5}, TypeError, "5"),
        ({"backoff": [-1]}, ValueError, "-1"),
        ({"server": "uvicor"}, ValueError, "Did you mean 'uvicorn'?"),
        ({"server": 7}, ValueError, "uvicorn"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(
    kwargs: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A wrong argument is a TypeError or a ValueError at construction, and names what is wrong."""
    with pytest.raises(error) as caught:
        ServerPlayer(app, **kwargs)
    assert words in str(caught.value)


def test_a_missing_library_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn, the construction fails and says what to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        ServerPlayer(app)
    assert "pip install 'orchestra-players[uvicorn]'" in str(caught.value)
    assert caught.value.name == "uvicorn"


def test_nothing_of_others_is_loaded_before_it_plays() -> None:
    """Importing and making a server player does not import uvicorn."""
    code = (
        "import sys; from orchestra.servers import ServerPlayer\n"
        "async def app(scope, receive, send): ...\n"
        "ServerPlayer(app); sys.exit('uvicorn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_its_declarations_are_those_of_a_server() -> None:
    """It says when it is ready, is of the kind server, and has the backoff that it was given."""
    backoff = ConstantBackoff(1)
    assert ServerPlayer(app).signals_ready
    assert ServerPlayer(app).kind == "server"
    assert ServerPlayer(app).backoff() == ()
    assert ServerPlayer(app, backoff=backoff).backoff() is backoff


def test_it_shows_what_it_serves_and_where() -> None:
    """The repr names the application and the address that was asked for."""
    assert repr(ServerPlayer(app)) == "ServerPlayer(app, 127.0.0.1:8000)"
    assert repr(ServerPlayer(NewStyle(), host="::1")) == "ServerPlayer(NewStyle, [::1]:8000)"
    assert repr(ServerPlayer(app, uds="/run/a.sock")) == "ServerPlayer(app, unix:/run/a.sock)"


def test_it_can_be_pickled_before_it_plays() -> None:
    """A copy for another process serves the same application at the same place."""
    copy = pickle.loads(pickle.dumps(ServerPlayer(app, port=81, tls=("a", "b"), backoff=[1])))
    assert repr(copy) == "ServerPlayer(app, 127.0.0.1:81)"
    assert list(copy.backoff()) == [1]


@pytest.mark.real_time
async def test_a_context_that_is_done_plays_nothing() -> None:
    """With a context that is done already, nothing starts and nothing listens."""
    ctx, script = Context(), App()
    ctx.cancel()
    await served(script).play(ctx)
    assert script.log == []


@pytest.mark.real_time
async def test_the_library_may_be_named() -> None:
    """With server="uvicorn" it is uvicorn that serves."""
    async with serving(app, server="uvicorn") as url:
        assert await get(url) == "plain"


@pytest.mark.real_time
async def test_a_proxy_in_front_tells_who_the_client_is() -> None:
    """Headers of a proxy that is trusted are heeded, and without them the client is who connects."""

    async def who(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            text = f"{scope['scheme']} {scope['client'][0]}"
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": text.encode()})

    said = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    async with serving(who) as url:
        assert await get(url) == "http 127.0.0.1"
        assert await get(url, headers=said) == "https 192.0.2.7"
