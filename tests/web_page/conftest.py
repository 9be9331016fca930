"""One browser for all tests of the page, and a new page for each."""

import asyncio
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from page_kit import SOON
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

# What a page can't help when it is cut off, or has no token.
EXPECTED = ("Failed to load resource",)

expect.set_options(timeout=SOON)


@dataclass
class Opened:
    """A browser, and the loop that Playwright keeps in the main thread."""

    browser: Browser
    loop: asyncio.AbstractEventLoop


@pytest.fixture(scope="session")
def opened() -> Iterator[Opened]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: see scripts/system-packages")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        loop = asyncio.get_running_loop()
        # It is asleep between two calls, yet counts as running, and no other test could have its own.
        asyncio._set_running_loop(None)
        yield Opened(browser, loop)
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def page(opened: Opened) -> Iterator[Page]:
    """A page; the test fails if it has complained, as of a script that it may not run."""
    asyncio._set_running_loop(opened.loop)
    context = opened.browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(SOON)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    asyncio._set_running_loop(None)
    assert [text for text in complaints if not text.startswith(EXPECTED)] == []


@pytest.fixture(autouse=True)
def lines_are_logged() -> Iterator[None]:
    log = logging.getLogger("shop")
    before = log.level
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(before)
