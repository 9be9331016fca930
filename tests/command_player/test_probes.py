"""Probes: what each of them looks at, and what is no probe."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme

from orchestra.players.health import Liveness, look, until_ill, until_ready
from orchestra.probes import after, command, http, output, tcp


class FakeProgram:
    """A program that prints what the test says."""

    def __init__(self, code: int = 0, line: str = "") -> None:
        self.code, self.line = code, line
        self.print: Callable[[str], None] = lambda line: None
        self.ran: list[Any] = []

    def watch(self, on_line: Callable[[str], None]) -> None:
        self.print = on_line

    async def run(self, argv: Any) -> tuple[int, str]:
        self.ran.append(argv)
        return self.code, self.line


async def looked(probe: Any, program: Any = None) -> str | None:
    return await look(probe, probe.on(program or FakeProgram()))


@contextlib.asynccontextmanager
async def serving(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    """A server that gives this answer; its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# tcp


@pytest.mark.real_time
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
async def test_tcp_passes_when_somebody_listens(host: str) -> None:
    """A connection is all it wants."""
    async with serving(b"") as (port, _):
        assert await looked(tcp(host, port)) is None


@pytest.mark.real_time
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_tcp_fails_when_nobody_listens(host: str, free_port: int) -> None:
    """What the system says is the reason."""
    wrong = await looked(tcp(host, free_port))
    assert wrong is not None
    assert "Connect call failed" in wrong


def test_tcp_in_words() -> None:
    """It shows as it is written, and gives the address."""
    assert repr(tcp("::1", 80)) == "tcp('::1', 80)"
    assert tcp("::1", 80).address == "tcp://[::1]:80"
    assert tcp("db", 5432).address == "tcp://db:5432"
    assert tcp("db", 5432) == tcp("db", 5432)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((5, 80), "host must be a string, not 5"),
        (("", 80), "host is empty"),
        (("a", "80"), "port must be a number, not '80'"),
        (("a", 0), "port must be from 1 to 65535, not 0"),
    ],
)
def test_what_tcp_does_not_take(args: Any, error: str) -> None:
    """What is no host and port is refused at once."""
    with pytest.raises((TypeError, ValueError), match=error):
        tcp(*args)


@pytest.mark.parametrize("options", [{"interval": -1}, {"timeout": "x"}])
def test_times_are_numbers_of_seconds(options: Any) -> None:
    """Any other is refused at once."""
    with pytest.raises(ValueError, match="must be a number of seconds"):
        tcp("a", 1, **options)


# http


@pytest.mark.real_time
async def test_http_passes_with_the_status() -> None:
    """It asks for what the URL says, and reads no more than the status."""
    async with serving(b"HTTP/1.1 200 OK\r\n") as (port, asked):
        assert await looked(http(f"http://127.0.0.1:{port}/a%20b?c=d#e")) is None
        assert asked[0].startswith(b"GET /a%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1:")
        assert await looked(http(f"http://localhost:{port}")) is None
        assert asked[1].startswith(b"GET / HTTP/1.1\r\nHost: localhost:")


@pytest.mark.real_time
async def test_http_fails_with_another_status() -> None:
    """The reason says which it was; several may be fine."""
    async with serving(b"HTTP/1.1 503 Busy\r\n\r\n") as (port, _):
        url = f"http://127.0.0.1:{port}/"
        assert await looked(http(url)) == f"ConnectionError: {url} answered with status 503"
        assert await looked(http(url, status=503)) is None
        assert await looked(http(url, status=range(200, 600))) is None


@pytest.mark.real_time
@pytest.mark.parametrize("answer", [b"+PONG\r\n", b"HTTP/1.1 OK\r\n", b"", b"HTTP/1.1 2\r\n"])
async def test_http_fails_with_what_is_no_http(answer: bytes) -> None:
    """The reason shows what it was."""
    async with serving(answer) as (port, _):
        wrong = await looked(http(f"http://127.0.0.1:{port}/"))
        assert wrong is not None
        assert "the answer is no HTTP: b'" in wrong


@pytest.mark.real_time
async def test_http_takes_any_certificate() -> None:
    """The question is whether it serves."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody.example").configure_cert(tls)
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n", tls) as (port, _):
        assert await looked(http(f"https://localhost:{port}/", timeout=20)) is None


def test_http_in_words() -> None:
    """It shows as it is written, and gives the address."""
    assert repr(http("http://a/b", [200, 204])) == "http('http://a/b', status=(200, 204))"
    assert http("http://a/b").address == "http://a/b"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((5,), "url must be a string, not 5"),
        (("ftp://a/",), "'ftp://a/' is no URL such as"),
        (("http:///a",), "is no URL such as"),
        (("http://a:0/",), "is no URL such as"),
        (("http://a b/",), "is no URL such as"),
        (("http://ü/",), "is no URL such as"),
        (("http://a:x/",), "is no URL: Port could not be cast"),
        (("http://a/", 99), "status must be such as 200"),
        (("http://a/", []), "status must be such as 200"),
        (("http://a/", "200"), "status must be such as 200"),
    ],
)
def test_what_http_does_not_take(args: Any, error: str) -> None:
    """What is no URL and status is refused at once."""
    with pytest.raises((TypeError, ValueError), match=error):
        http(*args)


# output


@pytest.mark.virtual_time
async def test_output_passes_with_a_line_that_matches() -> None:
    """Anywhere in the line; one that has come since the last look counts, and only once."""
    probe, program = output("[Rr]eady"), FakeProgram()
    check = probe.on(program)
    program.print("not yet")
    assert await look(probe, check) == "nothing within 1 s"
    program.print("now ready to serve")
    assert await look(probe, check) is None
    assert await look(probe, check) is not None
    asyncio.get_running_loop().call_later(0.5, program.print, "Ready")
    assert await look(probe, check) is None


def test_what_output_does_not_take() -> None:
    """What is no regular expression for text is refused at once."""
    assert repr(output("a")) == "output('a')"
    assert output("a").address is None
    with pytest.raises(ValueError, match="is no regular expression: "):
        output("(")
    for wrong in (3, b"a", re.compile(b"a")):
        with pytest.raises(TypeError, match="the regular expression must be"):
            output(wrong)  # type: ignore[arg-type]


# after


@pytest.mark.virtual_time
async def test_after_passes_after_its_time() -> None:
    """Counted from the start of the program, and from then on it passes at once."""
    loop = asyncio.get_running_loop()
    probe = after(3600)
    check = probe.on(FakeProgram())
    await asyncio.sleep(600)
    assert await look(probe, check) is None
    assert loop.time() == pytest.approx(3600)
    assert await look(probe, check) is None
    assert loop.time() == pytest.approx(3600)


def test_what_after_does_not_take() -> None:
    """What is no number of seconds is refused at once."""
    with pytest.raises(ValueError, match="delay must be a number of seconds"):
        after(-1)


# command


@pytest.mark.virtual_time
async def test_command_passes_with_exit_code_0() -> None:
    """Else the reason has the code, and the last line that was printed."""
    probe, program = command("ping -c 'a b'"), FakeProgram()
    assert await looked(probe, program) is None
    assert program.ran == [("ping", "-c", "a b")]
    assert await looked(probe, FakeProgram(3)) == "ChildProcessError: exit code 3"
    assert await looked(probe, FakeProgram(3, "no")) == "ChildProcessError: exit code 3: no"
    assert repr(probe) == """command("ping -c 'a b'")"""


def test_what_command_does_not_take() -> None:
    """What is no command is refused at once."""
    with pytest.raises(ValueError, match="the command is empty"):
        command("")
    with pytest.raises(TypeError, match="a command is a string or a list"):
        command(b"a")  # type: ignore[arg-type]


# Looking again and again


class Scripted:
    """A probe that gives these results, one after the other."""

    address = None

    def __init__(self, *results: Exception | None, interval: float = 0.5) -> None:
        self.interval, self.timeout = interval, 1.0
        self._results = list(results)

    async def check(self) -> None:
        result = self._results.pop(0)
        if result is not None:
            raise result

    def on(self, program: object) -> Any:
        return self.check

    def __repr__(self) -> str:
        return "scripted"


NO = OSError("no")


@pytest.mark.virtual_time
async def test_it_is_looked_at_until_it_is_ready() -> None:
    """Each time after the interval of the probe; what is wrong is told."""
    told: list[str] = []
    probe = Scripted(NO, TimeoutError("of its own"), None)
    await until_ready(probe, probe.check, told.append)
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)
    assert told == ["OSError: no", "TimeoutError: of its own"]


@pytest.mark.virtual_time
async def test_it_is_ill_when_it_failed_so_often_in_a_row() -> None:
    """One that passes in between begins the count anew."""
    beats: list[float] = []
    loop = asyncio.get_running_loop()
    probe = Scripted(NO, None, NO, NO, None, NO, NO, OSError("really"))
    liveness = Liveness(probe, 10.0, 3)
    error = await until_ill(liveness, probe.check, "db", lambda: beats.append(loop.time()))
    assert str(error) == "db: scripted failed 3 times in a row: OSError: really"
    assert beats == pytest.approx([20, 50])
    assert loop.time() == pytest.approx(80)


@pytest.mark.virtual_time
async def test_it_may_be_ill_at_once() -> None:
    """With a single failure, if that is enough."""
    probe = Scripted(NO)
    error = await until_ill(Liveness(probe, 1.0, 1), probe.check, "db", lambda: None)
    assert str(error) == "db: scripted failed once: OSError: no"
