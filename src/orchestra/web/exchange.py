"""One request of HTTP/1.1 over a Unix socket, and its answer.

`http.client` could do it too, and takes longer to be imported than all of click does.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Final, Self

LONGEST_LINE: Final = 65_536


class BadAnswer(Exception):
    """What came is no answer of HTTP, or it broke off."""


class Exchange:
    """Sends a request, and has the `status` and the `headers` of the answer; then read its body.

    Header names are in lower case. Raises `OSError` where nobody listens, `TimeoutError`, which is one,
    when nothing comes for `timeout` seconds, and `BadAnswer`.
    """

    def __init__(
        self,
        path: str,
        method: str,
        target: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout: float | None = None,
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._stream: BinaryIO | None = None
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
            self._socket.sendall(_request(method, target, headers or {}, body))
            self._stream = self._socket.makefile("rb")
            self.status, self.headers = self._head()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()
        self._socket.close()

    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes."""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := self._size():
                yield self._read(size)
                self._line()
            while self._line():
                pass
        elif "content-length" in self.headers:
            yield self._read(_number(self.headers["content-length"], 10))
        else:
            assert self._stream is not None
            while piece := self._stream.read1(LONGEST_LINE):  # type: ignore[attr-defined]
                yield piece

    def _head(self) -> tuple[int, dict[str, str]]:
        words = self._line().split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1."):
            raise BadAnswer("it does not speak HTTP")
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return _number(words[1], 10), headers

    def _size(self) -> int:
        return _number(self._line().partition(";")[0], 16)

    def _line(self) -> str:
        assert self._stream is not None
        line = self._stream.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BadAnswer("the answer broke off")
        return line.decode("latin-1").rstrip("\r\n")

    def _read(self, size: int) -> bytes:
        assert self._stream is not None
        data = self._stream.read(size)
        if len(data) < size:
            raise BadAnswer("the answer broke off")
        return data


def quoted(text: str) -> str:
    """A text as a part of a URL.

    >>> quoted("jobs.mailer"), quoted("a b/ä")
    ('jobs.mailer', 'a%20b%2F%C3%A4')
    """
    return "".join(
        chr(one) if one < 128 and (chr(one).isalnum() or chr(one) in "-._~") else f"%{one:02X}"
        for one in text.encode(errors="replace")
    )


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    given = {"Host": "orchestra", "Connection": "close", **headers}
    if body:
        given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {one}" for name, one in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise BadAnswer(f"{text[:20]!r} is no number")
    return number
