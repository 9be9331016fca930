"""What is particular to `socketserver`; what it has in common with others is in the suite of promises."""

import asyncio
import contextlib
import functools
import socket
import socketserver
import ssl
import threading
import xmlrpc.client
import xmlrpc.server
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import prometheus_client
import pytest
import trustme
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from server_kit import SOON, Play, connected, get, refuses, served, taking_less_than, until

from orchestra import Context

pytestmark = pytest.mark.real_time


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        text = f"{self.path} at {server.server_name}:{server.server_port}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Line(socketserver.StreamRequestHandler):
    """Answers a line with the same line, in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"fail\n":
                raise ValueError("no such line")
            self.wfile.write(line.upper())


async def says(url: str, line: bytes) -> bytes:
    async with connected(url) as (reader, writer):
        writer.write(line)
        return await reader.readline()


@pytest.mark.parametrize(
    "app",
    [
        functools.partial(ThreadingHTTPServer, RequestHandlerClass=Hello),
        functools.partial(HTTPServer, RequestHandlerClass=Hello),
        lambda address: ThreadingHTTPServer(address, Hello),
        lambda: ThreadingHTTPServer(("127.0.0.1", 0), Hello),
        lambda: HTTPServer(("127.0.0.1", 0), Hello, bind_and_activate=False),
    ],
    ids=["partial", "plain", "with address", "without", "unbound"],
)
async def test_functions_that_build_a_server(app: Any) -> None:
    """However it is built, it serves where the player says, and knows the address."""
    async with Play(app) as play:
        port = play.url.rpartition(":")[2]
        assert await get(play.url, "/hello") == f"/hello at localhost:{port}"
        await play.conductor.restart("api")
        assert await get(play.url, "/again") == f"/again at localhost:{port}"
    assert refuses(play.url)


async def test_the_exporter_of_prometheus() -> None:
    """Metrics next to the rest, as the client library serves them."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("jobs", "Done.", registry=registry).inc()

    def exporter(address: Any) -> Any:
        return make_server(*address, make_wsgi_app(registry), ThreadingWSGIServer)

    async with Play(exporter) as play:
        assert "jobs_total 1.0" in await get(play.url, "/metrics")


async def test_wsgiref_tells_its_application_the_address(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """SERVER_PORT is the real one; what the application writes to wsgi.errors is logged."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.errors"].write("careful\n")
        start_response("200 OK", [])
        return [environ["SERVER_PORT"].encode()]

    async with Play(lambda address: make_server(*address, app)) as play:
        assert await get(play.url) == play.url.rpartition(":")[2]
    assert "careful" in caplog.text
    assert capsys.readouterr().err == ""


async def test_xmlrpc() -> None:
    """A server with functions of its own, called from a thread."""

    def make(address: Any) -> Any:
        server = xmlrpc.server.SimpleXMLRPCServer(address)
        server.register_function(lambda a, b: a + b, "add")
        return server

    async with Play(make) as play:
        with xmlrpc.client.ServerProxy(play.url) as proxy:
            assert await asyncio.to_thread(proxy.add, 2, 3) == 5


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
@pytest.mark.parametrize("place", [{"host": "127.0.0.1"}, {"host": "::1"}, {"uds": "line.sock"}])
async def test_any_class_at_any_place(family: int, place: Any, tmp_path: Path) -> None:
    """A class for one family of addresses serves at one of another too."""

    class Server(socketserver.ThreadingTCPServer):
        address_family = family

    if "uds" in place:
        place = {"uds": tmp_path / place["uds"]}
    async with Play(lambda address: Server(address, Line), **place) as play:
        if "uds" in place:
            reader, writer = await asyncio.open_unix_connection(place["uds"])
            writer.write(b"hello\n")
            assert await reader.readline() == b"HELLO\n"
            writer.close()
            await writer.wait_closed()
        else:
            assert await says(play.url, b"hello\n") == b"HELLO\n"


async def test_http_on_a_unix_socket(tmp_path: Path) -> None:
    """The handlers of `http.server` expect a client with an address, and get one."""
    path = tmp_path / "http.sock"
    async with Play(functools.partial(HTTPServer, RequestHandlerClass=Hello), uds=path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /x HTTP/1.0\r\n\r\n")
        assert b"/x at localhost:0" in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_a_handler_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exception goes to the log with its traceback, and nothing to standard error."""
    async with Play(lambda address: socketserver.ThreadingTCPServer(address, Line)) as play:
        assert await says(play.url, b"fail\n") == b""
        assert await says(play.url, b"go on\n") == b"GO ON\n"
    assert "ValueError: no such line" in caplog.text
    assert capsys.readouterr().err == ""


async def test_manners_of_its_own_stay(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server or handler that logs by itself goes on doing so."""
    told: list[Any] = []

    class Handler(Hello):
        def do_GET(self) -> None:
            raise ValueError("mine")

        def log_message(self, format: str, *args: Any) -> None:
            told.append(format % args)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            told.append("error")

    directory = functools.partial(Handler)
    async with Play(lambda address: Server(address, directory)) as play:
        with contextlib.suppress(Exception):
            await get(play.url)
        await until(lambda: told)
    assert told == ["error"]
    assert "mine" not in caplog.text


async def test_a_handler_that_is_no_class_is_left_as_it_is() -> None:
    """A function in the place of the handler's class is called as it would be."""
    seen = threading.Event()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"made by hand\n")
        seen.set()

    async with Play(lambda address: socketserver.ThreadingTCPServer(address, handler)) as play:  # type: ignore[arg-type]
        assert await says(play.url, b"") == b"made by hand\n"
    assert seen.is_set()


async def test_a_slow_handshake_holds_nobody(tmp_path: Path) -> None:
    """A client that connects and does not shake hands neither keeps others out nor holds the stop."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    app = functools.partial(ThreadingHTTPServer, RequestHandlerClass=Hello)
    async with Play(app, tls=(certificate, key)) as play, connected(play.url):
        assert play.url.startswith("https://")
        assert "/x at" in await get(play.url, "/x", verify=context)
        async with connected(play.url) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")  # no handshake at all
            await reader.read()
        with taking_less_than(SOON):
            await play.stop()


async def test_a_body_that_stops_coming_is_no_request() -> None:
    """At a stop its handler gets an error, and not the beginning as if it were all."""
    bodies: list[Any] = []
    entered = threading.Event()

    class Handler(Hello):
        def do_POST(self) -> None:
            entered.set()
            try:
                bodies.append(self.rfile.read(10))
            except ConnectionError as error:
                bodies.append(error)
                raise

    app = functools.partial(ThreadingHTTPServer, RequestHandlerClass=Handler)
    async with Play(app) as play, connected(play.url) as (_, writer):
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        await until(entered.is_set)
        await asyncio.sleep(0.05)
        with taking_less_than(SOON):
            await play.stop()
    (body,) = bodies
    assert isinstance(body, ConnectionAbortedError)


async def test_keep_alive_ends_with_the_answer_in_flight() -> None:
    """During a stop an answer says that it is the last on its connection."""
    entered, gate = threading.Event(), threading.Event()

    class Handler(Hello):
        def do_GET(self) -> None:
            entered.set()
            gate.wait(20)
            super().do_GET()

    async with Play(lambda address: ThreadingHTTPServer(address, Handler)) as play:
        async with connected(play.url) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(entered.is_set)
            play.ctx.cancel()
            await until(lambda: refuses(play.url))
            gate.set()
            assert b"Connection: close" in await reader.read()
        await play.task


async def test_an_end_that_fails_is_raised() -> None:
    """What `server_close` raises comes out of the player."""

    class Server(ThreadingHTTPServer):
        def server_close(self) -> None:
            super().server_close()
            raise ConnectionError("could not say goodbye")

    ctx = Context()
    task = asyncio.create_task(served(lambda address: Server(address, Hello)).play(ctx))
    await asyncio.sleep(0.1)
    ctx.cancel()
    with pytest.raises(ConnectionError, match="goodbye"):
        await task


async def test_a_function_that_binds_the_players_port_is_told_how_to_do_it() -> None:
    """Both can't have the port; the error says what to write."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    app = functools.partial(HTTPServer, ("127.0.0.1", port), Hello)
    player = served(app, server="socketserver", port=port)
    with pytest.raises(OSError, match="lambda address"):
        await player.play(Context())
    assert refuses(f"http://127.0.0.1:{port}")


class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
    pass


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (lambda address: socketserver.UDPServer(address, Line), "datagrams"),
        (lambda address: Forking(address, Line), "ThreadingMixIn"),
        (lambda address: "server", "'server'"),
        (lambda address: socketserver.BaseServer(address, Line), "with a socket"),
    ],
)
async def test_what_can_not_be_served_is_refused(app: Any, words: str) -> None:
    """An error that says what was built, and leaves nothing open."""
    with pytest.raises(TypeError, match=words):
        await served(app, server="socketserver").play(Context())


async def test_the_path_of_the_player_is_known_to_its_handlers() -> None:
    """Log records of handlers, in their threads, carry the path."""
    from orchestra.log import PathFilter, player_path

    PathFilter()
    seen: list[str] = []

    class Handler(Hello):
        def do_GET(self) -> None:
            seen.append(player_path.get())
            super().do_GET()

    async with Play(lambda address: ThreadingHTTPServer(address, Handler)) as play:
        await get(play.url)
    assert seen == ["api"]
