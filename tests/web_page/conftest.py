"""One browser for all tests of the page, and a new page for each."""

import logging
import shutil
from collections.abc import Iterator

import pytest

playwright = pytest.importorskip("playwright.sync_api")
from page_kit import SOON  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

# What a page can't help when it is cut off, or has no token.
EXPECTED = ("Failed to load resource",)

expect.set_options(timeout=SOON)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: see scripts/system-packages")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; the test fails if it has complained, as of a script that it may not run."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(SOON)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith(EXPECTED)] == []


@pytest.fixture(autouse=True)
def lines_are_logged() -> Iterator[None]:
    log = logging.getLogger("shop")
    before = log.level
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(before)
