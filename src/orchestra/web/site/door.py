"""Who is let in: what is asked of a request before anybody looks at what it wants."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from ..api.answers import Refusal, error_answer
from ..api.asked import is_over_unix

OPEN: Final = {"/", "/favicon.ico", "/livez", "/readyz", "/startupz", "/metrics"}
"""What is shown without a token, and the static files: there is no secret in it."""

SAFE: Final = {"GET", "HEAD", "OPTIONS"}
"""Methods that change nothing."""

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""What comes with every answer."""


@dataclass(frozen=True)
class Rules:
    """What a request is measured by: the `token`, the `names` of this host, and whether it may change things."""

    token: str
    names: Collection[str] = ()
    read_only: bool = False


class Door:
    """An ASGI application behind these rules."""

    def __init__(self, app: Any, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        unix = is_over_unix(scope)
        headers = Headers(scope=scope)
        refusal = refused(self._rules, scope["method"], scope["path"], headers, unix=unix)
        app = self._app if refusal is None else error_answer(refusal)
        await app(scope, receive, sending)


def refused(
    rules: Rules, method: str, path: str, headers: Headers, *, unix: bool
) -> Refusal | None:
    """Why a request is not let in; None if it is.

    Over a Unix socket neither the host nor a token is asked for: no browser comes that way, and the
    socket can be opened by its owner alone.
    """
    if not unix and not is_our_name(headers.getlist("host"), rules.names):
        return Refusal(
            "forbidden",
            "this host does not go by that name: use its address, or give the name to "
            "StatusPlayer(hosts=[...])",
        )
    public = path in OPEN or path.startswith("/static/")
    if not (public and method in SAFE) and is_foreign(headers):
        return Refusal("forbidden", "pages of other sites may ask nothing here")
    if not unix and not public and not has_token(headers, rules.token):
        return Refusal(
            "unauthorized",
            "the token is missing or wrong: it is in the address that the program has given, after "
            "#token=, and goes into the header Authorization: Bearer",
            www_authenticate="Bearer",
        )
    if rules.read_only and method not in SAFE:
        return Refusal("forbidden", "this is served read-only")
    return None


def is_our_name(given: Collection[str], names: Collection[str]) -> bool:
    """Whether a Host header names this host: by an address, as `localhost`, or by one of these names.

    A name that leads here by somebody else's doing is none of ours, and so a page of theirs can't read
    what is here (DNS rebinding).

    >>> is_our_name(["127.0.0.1:8080"], []), is_our_name(["evil.example"], [])
    (True, False)
    """
    if len(given) != 1:
        return False
    (host,) = given
    name = _without_port(host).lower().removesuffix(".")
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost") or name in names
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether the page of another site has made a browser send this.

    >>> is_foreign({"sec-fetch-site": "cross-site"}), is_foreign({})
    (True, False)
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False  # no browser, or none that would be let do it
    host = headers.get("host", "")
    return not host or _host_of(origin) != host.lower()


def _host_of(origin: str) -> str:
    """The host and port of an origin, as they are in a Host header; `""` for what is none."""
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""


def has_token(headers: Headers, token: str) -> bool:
    """Whether the right token has been sent; takes the same time for every wrong one."""
    given = headers.getlist("authorization")
    scheme, _, sent = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    right = hmac.compare_digest(sent.strip().encode("utf-8", "replace"), token.encode())
    return right and scheme.lower() == "bearer"
