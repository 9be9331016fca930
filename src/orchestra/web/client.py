"""A client of the control API, over the Unix socket of a program; of the standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..errors import OrchestraError
from .exchange import BadAnswer, Exchange, quoted

PATIENCE: Final = 10.0
"""Seconds that a program has for an answer that needs no waiting for players."""
SIGNS_OF_LIFE: Final = 30.0
"""Seconds without a sign of life after which a stream is given up; they come every two."""


class ClientError(OrchestraError):
    """A program could not be asked, or did not do what it was asked for; `code` says why.

    The codes are those of the API, and two for programs that give no answer: see `UnreachableError`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AnsweredError(ClientError):
    """The program answered with an error: `unknown`, `invalid`, `refused`, `failed`, `late`, …"""


class UnreachableError(ClientError):
    """No answer came: nobody listens (`gone`), or what came in time is no whole answer (`silent`)."""


class ServerEvent(NamedTuple):
    """One event of a stream: its name, its number to resume from, and what it says."""

    name: str
    id: str | None
    data: dict[str, Any]


class Client:
    """Asks the program that listens at this Unix socket. From any thread; each question is on its own.

    Answers are those of the API, as dicts. Raises `AnsweredError` for those that are errors, and
    `UnreachableError` where none came within `timeout` seconds; commands that wait for players are
    waited for as long as it takes them.

        client = Client("/run/user/1000/orchestra/shop-4711.sock")
        client.command("restart", "jobs.mailer", timeout=30)
    """

    def __init__(self, path: object, *, timeout: float = PATIENCE) -> None:
        self._path = str(path)
        self._timeout = timeout

    # What there is to see

    def program(self) -> dict[str, Any]:
        """Which program it is: `name`, `pid`, `started`, `url`, and so on."""
        return self._get("program")

    def players(self) -> dict[str, Any]:
        """The whole tree: its `players`, whether it is `ready`, and who is `unready`."""
        return self._get("players")

    def lines(self, path: str = "", **query: object) -> dict[str, Any]:
        """The `lines` of a player and all below it; `since`, `runs` and `limit` choose."""
        return self._get("lines", {"path": path, **query})

    def stack(self, path: str = "") -> dict[str, Any]:
        """The `places` where a player is right now, and all below it."""
        return self._get("stack", {"path": path})

    def stream(self, path: str = "", **query: object) -> Iterator[ServerEvent]:
        """What happens from now on, until the program ends; `players`, `entries` and `resume` choose."""
        with self._ask("GET", "stream", {"path": path, **query}, timeout=SIGNS_OF_LIFE) as answer:
            try:
                yield from parse_events(answer.pieces())
            except TimeoutError:
                raise _silent(SIGNS_OF_LIFE) from None
            except (ValueError, RecursionError) as error:
                raise UnreachableError("silent", f"no answer of ours: {error}") from None
            except (BadAnswer, OSError):
                pass  # it ended in the middle of a word: as if it had ended after it

    # What can be done

    def command(
        self, verb: str, path: str, *, wait: bool = True, timeout: float | None = None, **more: Any
    ) -> dict[str, Any]:
        """Start, stop, restart or scale (with a `count`) a player; see `Control` for what is waited for."""
        body = {"wait": wait, "timeout": timeout, **more}
        endless = wait and timeout is None
        patience = None if endless else self._timeout + (timeout or 0)
        return self._post(f"players/{quoted(path)}/{verb}", body, patience=patience)

    def stop_all(self) -> dict[str, Any]:
        """Ask the whole program to stop; accepted at once."""
        return self._post("stop", {}, patience=self._timeout)

    def reload(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Have the program read its file again: the `changes`, and whether they were `applied`."""
        return self._post("reload", {"dry_run": dry_run}, patience=None)

    # How

    def _get(self, what: str, query: Mapping[str, object] | None = None) -> dict[str, Any]:
        with self._ask("GET", what, query or {}, timeout=self._timeout) as answer:
            return self._content(answer, self._timeout)

    def _post(self, what: str, body: object, *, patience: float | None) -> dict[str, Any]:
        content = json.dumps(body).encode()
        with self._ask("POST", what, {}, body=content, timeout=patience) as answer:
            return self._content(answer, patience)

    def _ask(
        self,
        method: str,
        what: str,
        query: Mapping[str, object],
        *,
        timeout: float | None,
        body: bytes = b"",
    ) -> Exchange:
        asked = "&".join(f"{name}={quoted(_text(value))}" for name, value in query.items())
        target = f"/api/{what}" + (f"?{asked}" if asked else "")
        try:
            answer = Exchange(self._path, method, target, body=body, timeout=timeout)
        except TimeoutError:
            raise _silent(timeout) from None
        except BadAnswer as error:
            raise UnreachableError("silent", f"no answer: {error}") from None
        except OSError as error:
            raise UnreachableError(
                "gone", f"nobody answers at {self._path}: {error.strerror or error}"
            ) from None
        if answer.status >= 400:
            with answer:
                raise _error_in(self._content(answer, timeout), answer.status)
        return answer

    def _content(self, answer: Exchange, timeout: float | None) -> dict[str, Any]:
        try:
            found = json.loads(answer.body())
        except TimeoutError:
            raise _silent(timeout) from None
        except (BadAnswer, ValueError, RecursionError, OSError) as error:
            raise UnreachableError("silent", f"no whole answer: {error}") from None
        if not isinstance(found, dict):
            raise UnreachableError("silent", f"no answer of ours: {found!r:.60}")
        return found


def parse_events(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    r"""Server-sent events in what comes, in pieces of any size; those without data are left out.

    >>> list(parse_events([b"event: players\nda", b'ta: {"all":\ndata: true}\n\n: still here\n\n']))
    [ServerEvent(name='players', id=None, data={'all': True})]
    """
    name, number = "message", None
    data: list[str] = []
    for line in _lines(pieces):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and data:
            yield ServerEvent(name, number, json.loads("\n".join(data)))
        if not line:
            name, number, data = "message", None, []
        elif field == "event":
            name = value
        elif field == "id":
            number = value
        elif field == "data":
            data.append(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _silent(timeout: float | None) -> UnreachableError:
    return UnreachableError("silent", f"no answer in {timeout:g} seconds")


def _error_in(found: Mapping[str, Any], status: int) -> ClientError:
    error = found.get("error")
    if not isinstance(error, dict):
        return UnreachableError("silent", f"no answer of ours: HTTP {status}")
    return AnsweredError(str(error.get("code")), str(error.get("message")))
