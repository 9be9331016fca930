"""The page and its program: the token, lost contact, and how it comes back."""

import re

from page_kit import Actor, Program, Wire, row, state
from playwright.sync_api import Page, expect

from orchestra import Conductor


def test_the_token_leaves_the_address_and_outlives_a_reload(page: Page) -> None:
    """The token is taken out of the address, and kept for a reload in this tab."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)
        expect(state(page, "api")).to_have_text("●ready")
        assert "#" not in page.url
        page.reload()
        expect(state(page, "api")).to_have_text("●ready")
        assert "#" not in page.url


def test_without_a_token_the_page_says_what_to_do(page: Page) -> None:
    """A page without a token, or with an old one, says where to find one, and takes it at once."""
    with Program({"api": Actor()}) as program:
        address, _, token = program.url.partition("#")
        page.goto(address)
        expect(page.locator("#banner")).to_contain_text("no token")
        expect(page.locator("#banner")).to_contain_text("#token=")
        expect(page.get_by_role("button", name="Stop all…")).to_be_hidden()
        page.goto(f"{address}#token=an-old-one")
        expect(page.locator("#banner")).to_contain_text("no token")
        page.goto(f"{address}#{token}")  # in the same tab: the page is not loaded again
        expect(state(page, "api")).to_have_text("●ready")
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator("#view")).to_contain_text("status: ready")


def test_lost_contact_is_told_and_mended(page: Page) -> None:
    """When the program does not answer, nothing stays green; when it does again, all goes on by itself."""
    api = Actor(backoff=[90])
    with Program({"api": api}) as program, Wire(program.url) as wire:
        page.goto(wire.url)
        expect(state(page, "api")).to_have_text("●ready")
        green = colour(page)
        api.say("before")
        expect(page.locator(".line", has_text="before")).to_be_visible()
        wire.cut()
        expect(page.locator("#banner")).to_contain_text(re.compile(r"Lost contact\s+\d+ s ago"))
        expect(page).to_have_title("(?) shop")
        assert colour(page) != green
        expect(row(page, "api").get_by_role("button")).to_have_count(0)
        uptime = row(page, "api").locator(".uptime").text_content()
        expect(page.locator("#banner .ago")).to_have_text(re.compile(r"[1-9]\d* s ago"))
        assert (
            row(page, "api").locator(".uptime").text_content() == uptime
        )  # it is not known to go on
        api.say("meanwhile")
        api.fail(ValueError("boom"))
        wire.mend()
        expect(page.locator("#banner")).to_be_hidden()
        expect(state(page, "api")).to_have_text(re.compile("backing off"))
        expect(page).to_have_title("(1) shop")
        expect(page.locator(".line", has_text="meanwhile")).to_have_count(1)
        expect(page.locator(".line", has_text="before")).to_have_count(1)
        expect(page.locator(".line.gap")).to_have_count(0)


def test_a_program_that_falls_silent_is_lost_too(page: Page) -> None:
    """A connection over which nothing comes any more is no contact."""
    with Program({"api": Actor()}) as program, Wire(program.url) as wire:
        page.clock.install()
        page.goto(wire.url)
        expect(state(page, "api")).to_have_text("●ready")
        wire.silence()
        page.clock.fast_forward(10_000)
        expect(page.locator("#banner")).to_contain_text("Lost contact")
        wire.end_silence()
        expect(page.locator("#banner")).to_be_hidden()


def test_another_program_in_its_place_does_not_know_the_page(page: Page) -> None:
    """After a new start of the program there is a new token: the page says so instead of asking for ever."""
    with Program({"api": Actor()}) as program, Wire(program.url) as wire:
        page.goto(wire.url)
        expect(state(page, "api")).to_have_text("●ready")
        with Program({"api": Actor()}) as other:
            wire.cut()
            wire.lead_to(other.url)
            wire.mend()
            expect(page.locator("#banner")).to_contain_text("each start makes a new one")
            page.goto(wire.url)
            expect(page.locator("#banner")).to_be_hidden()
            expect(state(page, "api")).to_have_text("●ready")


def test_the_page_outlives_a_restart_of_its_server(page: Page) -> None:
    """The status player has no stop here, since nobody could start it again; its restart is survived."""
    api = Actor()
    with Program({"web": Conductor({"api": api})}) as program:
        page.goto(program.url)
        buttons = row(page, "status").get_by_role("button")
        expect(buttons).to_have_text(["Restart"])
        buttons.click()
        expect(row(page, "status").locator(".restarts")).to_have_text("1")
        expect(page.locator("#banner")).to_be_hidden()
        api.say("afterwards")
        expect(page.locator(".line", has_text="afterwards")).to_be_visible()


def colour(page: Page) -> str:
    found = state(page, "api").locator(".sign").evaluate("node => getComputedStyle(node).color")
    assert isinstance(found, str)
    return found
