"""Probes that connect: to a port, to a web server."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .probe import Check, Probe, Program, Timing

if TYPE_CHECKING:
    import ssl

LOOPBACK = ("127.0.0.1", "::1")

LONGEST_ANSWER = 65536
"""Bytes in which the first line of an answer has to end."""


@dataclass(frozen=True, slots=True)
class Tcp(Timing):
    """See `tcp`."""

    host: str
    port: int

    def __repr__(self) -> str:
        return f"tcp({self.host!r}, {self.port})"

    @property
    def address(self) -> str:
        """Where the program serves."""
        return f"tcp://{_authority(self.host, self.port)}"

    def on(self, program: Program) -> Check:
        """What looks at this run of the program."""
        return self.check

    async def check(self) -> None:
        """Look once."""
        _, writer = await _connect(self.host, self.port, None)
        # Without a farewell that the other side would have to wait for.
        writer.transport.abort()


def tcp(host: str, port: int, *, interval: float = 0.1, timeout: float = 1.0) -> Probe:
    """Passes when a connection to this port is accepted.

    `interval` are the seconds from one try to the next, `timeout` those that one may take. Raises
    `TypeError` or `ValueError` for what is no host and port.

    >>> tcp("127.0.0.1", 6379)
    tcp('127.0.0.1', 6379)
    """
    return Tcp(_checked_host(host), _checked_port(port), interval=interval, timeout=timeout)


def _checked_host(host: Any) -> str:
    if not isinstance(host, str):
        raise TypeError(f"host must be a string, not {host!r}")
    if not host:
        raise ValueError("host is empty")
    return host


def _checked_port(port: Any) -> int:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port must be a number, not {port!r}")
    if not 0 < port < 65536:
        raise ValueError(f"port must be from 1 to 65535, not {port}")
    return port


@dataclass(frozen=True, slots=True)
class Http(Timing):
    """See `http`."""

    url: str
    status: tuple[int, ...]

    def __repr__(self) -> str:
        status = self.status[0] if len(self.status) == 1 else self.status
        return f"http({self.url!r}, status={status})"

    @property
    def address(self) -> str:
        """Where the program serves."""
        return self.url

    def on(self, program: Program) -> Check:
        """What looks at this run of the program."""
        return self.check

    async def check(self) -> None:
        """Look once."""
        parts = urllib.parse.urlsplit(self.url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        reader, writer = await _connect(host, port, _any_certificate() if tls else None)
        try:
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            authority = parts.netloc.rpartition("@")[2]
            writer.write(
                f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: orchestra-probe\r\n"
                "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
            )
            await writer.drain()
            answered = _status_of(await reader.readline())
        finally:
            writer.transport.abort()
        if answered not in self.status:
            raise ConnectionError(f"{self.url} answered with status {answered}")


def http(
    url: str,
    status: int | Collection[int] = 200,
    *,
    interval: float = 0.1,
    timeout: float = 1.0,
) -> Probe:
    """Passes when a GET of this URL is answered with this status, or one of these.

    No redirect is followed, and with https any certificate is taken: the question is whether the
    program serves, not who it is. Raises `TypeError` or `ValueError` for what is no such URL or status.

    >>> http("http://127.0.0.1:8080/healthz")
    http('http://127.0.0.1:8080/healthz', status=200)
    """
    accepted = _checked_status(status)
    return Http(_checked_url(url), accepted, interval=interval, timeout=timeout)


def _checked_url(url: Any) -> str:
    if not isinstance(url, str):
        raise TypeError(f"url must be a string, not {url!r}")
    try:
        parts = urllib.parse.urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {error}") from None
    if not sound or not url.isascii() or any(sign <= " " for sign in url):
        raise ValueError(f"{url!r} is no URL such as 'http://127.0.0.1:8080/healthz'")
    return url


def _checked_status(status: Any) -> tuple[int, ...]:
    codes = tuple(status) if isinstance(status, Collection) else (status,)
    if not codes or not all(isinstance(code, int) and 100 <= code < 600 for code in codes):
        raise ValueError(f"status must be such as 200, or several such numbers, not {status!r}")
    return codes


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _connect(
    host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # Everybody knows where this is, and to look it up takes a thread.
    hosts = LOOPBACK if host.lower() == "localhost" else (host,)
    options: dict[str, Any] = {} if tls is None else {"ssl": tls, "server_hostname": host}
    for one in hosts[:-1]:
        try:
            return await asyncio.open_connection(one, port, limit=LONGEST_ANSWER, **options)
        except OSError:
            pass
    return await asyncio.open_connection(hosts[-1], port, limit=LONGEST_ANSWER, **options)


def _any_certificate() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _status_of(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/") or len(code) < 3 or not code.isdigit():
        raise ConnectionError(f"the answer is no HTTP: {line[:80]!r}")
    return int(code)
