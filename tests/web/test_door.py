"""Who is let in, and who is not: browsers that were tricked, and those who have no token."""

import asyncio
import json
import logging

import httpx
import pytest
from starlette.datastructures import Headers

from orchestra import Context
from orchestra.testing import FakePlayer
from orchestra.web.site.door import Rules, has_token, is_foreign, is_our_name, refused
from served import JSON, close, served

RULES = Rules("secret", names={"status.example"})


def code(
    method: str = "GET",
    path: str = "/api/players",
    *,
    unix: bool = False,
    rules: Rules = RULES,
    **headers: str,
) -> str | None:
    given = {"host": "127.0.0.1:8080", "authorization": "Bearer secret", **headers}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    found = refused(rules, method, path, Headers(named), unix=unix)
    return None if found is None else found.code


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.7:80", "[::1]", "[::1]:8080", "localhost:1", "LOCALHOST"),
        *("a.localhost", "localhost.", "status.example:443", "Status.Example"),
    ],
)
def test_our_own_names(host: str) -> None:
    """Addresses, `localhost` and the names that were given are this host's, with any port."""
    assert is_our_name([host], {"status.example"})


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "notlocalhost"),
        *("[evil.example]", "1.2.3.4.5", "127.0.0.1@evil.example", "evil.status.example"),
    ],
)
def test_names_of_others(host: str) -> None:
    """A name that leads here by somebody else's doing is none of ours."""
    assert not is_our_name([host], {"status.example"})


def test_two_hosts_are_none() -> None:
    """Without a Host header, or with two, nobody knows what was meant."""
    assert not is_our_name([], ())
    assert not is_our_name(["localhost", "evil.example"], ())


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "nonsense"}, True),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, False),
        ({"host": "LOCALHOST:1", "origin": "http://localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, True),
        ({"host": "localhost:1", "origin": "http://evil.example"}, True),
        ({"host": "localhost:1", "origin": "null"}, True),
        ({"host": "localhost:1", "origin": "http://["}, True),
        ({"origin": "http://localhost:1"}, True),
        ({"host": "", "origin": ""}, True),
    ],
)
def test_pages_of_other_sites(headers: dict[str, str], foreign: bool) -> None:
    """A browser says which site makes it ask: by `Sec-Fetch-Site`, an older one by `Origin`."""
    assert is_foreign(headers) == foreign


@pytest.mark.parametrize(
    ("sent", "right"),
    [
        ("Bearer secret", True),
        ("bearer  secret ", True),
        ("Bearer secre", False),
        ("Bearer secret2", False),
        ("Basic secret", False),
        ("secret", False),
        ("", False),
        ("Bearer \xe9", False),
    ],
)
def test_tokens(sent: str, right: bool) -> None:
    """Only the very token is right, as a bearer's."""
    assert has_token(Headers({"authorization": sent}), "secret") == right


def test_two_tokens_are_none() -> None:
    """The header may be there once."""
    raw = [(b"authorization", b"Bearer secret")] * 2
    assert not has_token(Headers(raw=raw), "secret")


def test_what_is_asked_of_a_request() -> None:
    """Over TCP: the name of this host, then the site that asks, then the token; then what may be done."""
    assert code() is None
    assert code(host="evil.example") == "forbidden"
    assert code(sec_fetch_site="cross-site") == "forbidden"
    assert code(authorization="Bearer wrong") == "unauthorized"
    assert code("POST", "/api/stop") is None
    assert code("POST", "/api/stop", rules=Rules("secret", read_only=True)) == "forbidden"
    assert code("POST", "/livez", authorization="", sec_fetch_site="cross-site") == "forbidden"


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/startupz", "/metrics", "/static/a.js"]
)
def test_what_is_open(path: str) -> None:
    """Probes and the page need no token, and a link on another site may lead to the page."""
    assert code(path=path, authorization="", sec_fetch_site="cross-site") is None
    assert code(path=path, authorization="", host="evil.example") == "forbidden"


def test_over_the_unix_socket() -> None:
    """There neither the host nor a token is asked for, since only its owner can open it."""
    assert code(unix=True, host="anything", authorization="") is None
    assert code(unix=True, sec_fetch_site="cross-site") == "forbidden"
    assert code("POST", unix=True, rules=Rules("secret", read_only=True)) == "forbidden"


# Attacks on one that is served


@pytest.mark.real_time
async def test_a_token_is_needed(uds: str, caplog: pytest.LogCaptureFixture) -> None:
    """Over TCP the API says nothing to who has no token, and the token is in no log."""
    caplog.set_level(logging.DEBUG)
    async with served(uds) as tree, httpx.AsyncClient(base_url=tree.base) as anybody:
        for path in ("/api/players", "/api/program", "/api/nothing", "/nothing"):
            answer = await anybody.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await anybody.get("/api/players?token=" + tree.token)).status_code == 401
        cookie = {"cookie": f"token={tree.token}"}
        assert (await anybody.get("/api/players", headers=cookie)).status_code == 401
        assert (await anybody.get("/readyz")).status_code == 200
        assert (await tree.tcp.get("/api/players")).status_code == 200
        assert len(tree.token) >= 43  # 256 bits in base64
        token, base = tree.token, tree.base
    assert base in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert token not in "\n".join(ours)


@pytest.mark.real_time
async def test_the_token_is_another_at_each_start(uds: str) -> None:
    """Who has seen the token of yesterday has nothing."""
    async with served(uds) as tree:
        first = tree.token
    async with served(uds) as tree:
        assert tree.token != first


@pytest.mark.real_time
async def test_dns_rebinding(uds: str) -> None:
    """A page whose name was made to lead here is not answered, not even with the right token."""
    async with served(uds, hosts=["status.example"]) as tree:
        for path in ("/api/players", "/", "/metrics", "/readyz"):
            answer = await tree.tcp.get(path, headers={"host": "evil.example"})
            assert answer.status_code == 403, path
        fine = await tree.tcp.get("/api/players", headers={"host": "status.example"})
        assert fine.status_code == 200
        gone = await tree.raw(
            b"GET /api/players HTTP/1.0\r\nauthorization: Bearer "
            + tree.token.encode()
            + b"\r\n\r\n"
        )
        assert gone.startswith(b"HTTP/1.1 403")


@pytest.mark.real_time
async def test_a_form_of_another_site(uds: str) -> None:
    """What a browser can be made to send without asking first changes nothing, whatever it carries."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        path = "/api/players/a/stop"
        foreign = {"sec-fetch-site": "cross-site"}
        for headers in (foreign, {"origin": "http://evil.example"}, {"origin": "null"}):
            for client in (tree.tcp, tree.unix):
                answer = await client.post(path, json={}, headers=headers)
                assert answer.status_code == 403
        # An old browser, which says nothing: a form can't have this content type.
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
            answer = await tree.tcp.post(path, content=b"{}", headers={"content-type": kind})
            assert answer.status_code == 400
            assert "application/json" in answer.json()["error"]["message"]
        assert (await tree.unix.post(path, content=b"{}")).status_code == 400
        # Nor may it ask first.
        asking = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        answer = await tree.tcp.options(path, headers=asking)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert (await tree.get("/api/players/a"))["player"]["state"] == "ready"


@pytest.mark.real_time
async def test_get_changes_nothing(uds: str) -> None:
    """What a link or an image could ask for only looks."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        for path in ("/api/players/a/stop", "/api/players/a/restart", "/api/stop", "/api/reload"):
            assert (await tree.tcp.get(path)).status_code == 405
        assert (await tree.get("/api/players/a"))["player"]["restarts"] == 0


@pytest.mark.real_time
async def test_text_of_others_is_only_text(uds: str) -> None:
    """A line and a detail that would be HTML come as JSON, which no browser takes for a page."""
    evil = "<script>alert(1)</script>\u2028</textarea>\ud800"

    async def player(ctx: Context) -> None:
        ctx.ready(**{evil[:8]: evil})
        await asyncio.sleep(0)
        logging.getLogger("theirs").warning(evil)
        await ctx.wait()

    async with served(uds, {"a": player}) as tree:
        for path in ("/api/players", "/api/lines", "/api/players/" + evil[:20], "/" + evil[:20]):
            answer = await tree.tcp.get(path)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert json.loads(answer.content)["version"] == 1
        rows = {row["path"]: row for row in (await tree.get("/api/players"))["players"]}
        assert rows["a"]["details"] == {"<script>": evil[:-1] + "?"}
        assert rows["a"]["last_line"] == evil[:-1] + "?"


@pytest.mark.real_time
@pytest.mark.parametrize(
    "path",
    [
        *("/static/../player.py", "/static/%2e%2e/player.py", "/static/..%2fplayer.py"),
        *("/static//etc/passwd", "/static/%2fetc/passwd", "/static/....//player.py"),
        *("/static/player.py%00.js", "/static/", "/static/..\\player.py", "//etc/passwd"),
    ],
)
async def test_traversal(uds: str, path: str) -> None:
    """No path leads to a file that is not one of the page's."""
    async with served(uds) as tree:
        request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        answer = await tree.raw(request.encode(), unix=True)
        assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
        assert b"root:" not in answer
        assert b"StatusPlayer" not in answer


@pytest.mark.real_time
async def test_oversized_bodies(uds: str) -> None:
    """A body that is too large is refused, with its length told before and without."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        large = b"{" + b" " * 500_000 + b"}"

        async def in_parts():  # type: ignore[no-untyped-def]
            for at in range(0, len(large), 10_000):
                yield large[at : at + 10_000]

        for content in (large, in_parts()):
            answer = await tree.tcp.post("/api/players/a/stop", content=content, headers=JSON)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
            assert answer.headers["connection"] == "close"
        assert (await tree.get("/api/players/a"))["player"]["state"] == "ready"


@pytest.mark.real_time
async def test_bodies_without_end(uds: str) -> None:
    """A body that goes on and on is not read to its end."""
    async with served(uds) as tree:
        reader, writer = await tree.connect(unix=True)
        writer.write(
            b"POST /api/stop HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999999999\r\n"
        )
        writer.write(b"content-type: application/json\r\n\r\n")
        try:
            while not reader.at_eof() and not writer.transport.is_closing():
                writer.write(b" " * 65_536)
                await writer.drain()
        except OSError:
            pass
        await close(writer)
        assert (await tree.unix.get("/livez")).status_code == 200


@pytest.mark.real_time
async def test_oversized_headers(uds: str) -> None:
    """Headers that are too long are refused."""
    async with served(uds) as tree:
        reader, writer = await tree.connect(unix=True)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 100_000)
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        await close(writer)


@pytest.mark.real_time
async def test_a_websocket_is_none(uds: str) -> None:
    """A request for a websocket is answered as any other."""
    async with served(uds) as tree:
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        headers = {**upgrade, "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw=="}
        answer = await tree.unix.get("/api/nothing", headers=headers)
        assert answer.status_code == 404
