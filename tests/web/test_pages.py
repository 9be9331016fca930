"""The static files of the page."""

from pathlib import Path

import pytest

from orchestra.web.site import pages
from served import served

pytestmark = pytest.mark.real_time


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "index.html").write_text("<!doctype html><title>Orchestra</title>")
    (tmp_path / "page.js").write_text("start()")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "part.css").write_text("a {}")
    (tmp_path / "notes.txt").write_text("none of the page")
    monkeypatch.setattr(pages.Pages.__init__, "__defaults__", (tmp_path,))
    return tmp_path


async def test_the_page(uds: str) -> None:
    """It is at the root, needs no token, and allows its own scripts and styles and no others."""
    async with served(uds) as tree:
        answer = await tree.tcp.get("/", headers={"authorization": ""})
        assert answer.text.startswith("<!doctype html>")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"].split("; ")
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_its_files(uds: str) -> None:
    """The files of the folder are there by their names, each with its kind, and nothing else is."""
    async with served(uds) as tree:
        answer = await tree.unix.get("/static/page.js")
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert (await tree.unix.get("/static/inner/part.css")).text == "a {}"
        for name in ("notes.txt", "inner", "nothing.js", ""):
            answer = await tree.unix.get(f"/static/{name}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")


async def test_what_has_not_changed_is_not_sent_again(uds: str) -> None:
    """A browser asks each time, and gets only what is new."""
    async with served(uds) as tree:
        first = await tree.unix.get("/static/page.js")
        assert first.headers["cache-control"] == "no-cache"
        known = {"if-none-match": first.headers["etag"]}
        assert (await tree.unix.get("/static/page.js", headers=known)).status_code == 304
        assert (await tree.unix.get("/", headers=known)).status_code == 200


async def test_files_that_come_later_are_not_served(uds: str, folder: Path) -> None:
    """What was there at the start is all there is."""
    async with served(uds) as tree:
        (folder / "later.js").write_text("start()")
        assert (await tree.unix.get("/static/later.js")).status_code == 404
