"""Which rows the page shows, and how the keyboard moves through them."""

import re

from page_kit import Actor, Program, row, state
from playwright.sync_api import Page, expect

from orchestra import Conductor, replicate


def names(page: Page) -> list[str]:
    """The paths of the rows that are shown, from the top."""
    found = page.evaluate(
        """() => [...document.querySelectorAll(".rows .row")]
            .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)
            .map((row) => row.dataset.path)"""
    )
    return list(found)


def test_a_failing_row_is_never_folded_away(page: Page) -> None:
    """Whoever fails is shown in a folded group too, with the groups around it; who does well is not."""
    bad = Actor(backoff=[90])
    inner = Conductor({"bad": bad, "good": Actor()})
    with Program({"outer": Conductor({"inner": inner, "fine": Actor()})}) as program:
        page.goto(program.url)
        expect(row(page, "outer.inner.good")).to_be_visible()
        row(page, "outer").locator(".twisty").click()
        expect(row(page, "outer.inner")).to_have_count(0)
        assert names(page) == ["outer", "status"]
        bad.fail(ValueError("boom"))
        expect(row(page, "outer.inner.bad")).to_be_visible()
        assert names(page) == ["outer", "outer.inner", "outer.inner.bad", "status"]
        row(page, "outer.inner.bad").get_by_role("button", name="Retry now").click()
        expect(row(page, "outer.inner.bad")).to_have_count(0)


def test_a_failing_copy_is_shown_under_its_folded_copies(page: Page) -> None:
    """Copies are folded from the beginning, and one that fails is seen all the same."""
    copies = [Actor(backoff=[90]) for _ in range(3)]
    with Program({"resize": replicate(lambda number: copies[number], 3)}) as program:
        page.goto(program.url)
        expect(row(page, "resize")).to_be_visible()
        copies[1].fail(ValueError("boom"))
        expect(row(page, "resize.1")).to_be_visible()
        expect(row(page, "resize").locator(".count")).to_have_text("×3, 2 up")
        assert names(page) == ["resize", "resize.1", "status"]


def test_the_filter_finds_players(page: Page) -> None:
    """The filter finds by path, kind and state, shows the groups around, and tells of failures that it hides."""
    mailer = Actor(backoff=[90])
    jobs = Conductor({"mailer": mailer, "reports": Actor()})
    with Program({"web": Conductor({"api": Actor()}), "jobs": jobs}) as program:
        page.goto(program.url)
        mailer.fail(ValueError("boom"))
        expect(state(page, "jobs.mailer")).to_have_text(re.compile("backing off"))
        page.keyboard.press("/")
        expect(page.locator("#filter")).to_be_focused()
        page.keyboard.type("api")
        expect(row(page, "jobs")).to_have_count(0)
        assert names(page) == ["web", "web.api"]
        expect(page.get_by_role("button", name="1 failing hidden")).to_be_visible()
        page.get_by_role("button", name="1 failing hidden").click()
        expect(row(page, "jobs.reports")).to_be_visible()
        page.locator(".pill.bad:visible", has_text="backing off").click()
        expect(row(page, "web")).to_have_count(0)
        assert names(page) == ["jobs", "jobs.mailer"]
        page.locator("#filter").fill("nobody")
        expect(page.locator("#nobody")).to_have_text("No player fits the filter.")
        page.keyboard.press("Escape")
        expect(row(page, "web.api")).to_be_visible()
        expect(page.locator("#grid")).to_be_focused()


def test_the_keyboard_does_it_all(page: Page) -> None:
    """Arrows move and fold, `r` and `s` restart and stop, and the selection is what is told to readers."""
    api, other = Actor(), Actor()
    tree = {"web": Conductor({"api": api, "other": other}), "copies": replicate(Actor, 2)}
    with Program(tree) as program:
        page.goto(program.url)
        expect(state(page, "web.api")).to_have_text("●ready")
        grid = page.get_by_role("treegrid", name="Players")
        grid.focus()
        press = page.keyboard.press
        press("ArrowDown")
        press("ArrowDown")
        selected = page.locator(".rows [aria-selected=true]")
        expect(selected).to_have_attribute("data-path", "web.api")
        expect(grid).to_have_attribute("aria-activedescendant", str(selected.get_attribute("id")))
        assert page.evaluate(
            "getComputedStyle(document.querySelector('.row.selected')).outlineStyle"
        ) == ("solid")
        press("r")
        page.wait_for_function("() => !document.querySelector('.rows button:disabled')")
        expect(row(page, "web.api").locator(".last")).to_have_text("web.api: ready")
        press("s")
        expect(state(page, "web.api")).to_have_text("□stopped")
        press("r")
        expect(state(page, "web.api")).to_have_text("●ready")
        assert (api.starts, other.starts) == (3, 1)
        press("ArrowLeft")
        expect(selected).to_have_attribute("data-path", "web")
        expect(selected).to_have_attribute("aria-expanded", "true")
        press("ArrowLeft")
        expect(selected).to_have_attribute("aria-expanded", "false")
        expect(row(page, "web.api")).to_have_count(0)
        press("ArrowRight")
        expect(row(page, "web.api")).to_be_visible()
        press("ArrowDown")
        press("ArrowDown")
        press("ArrowDown")
        expect(selected).to_have_attribute("data-path", "copies")
        press("+")
        expect(row(page, "copies").locator(".count")).to_have_text("×3")
        press("-")
        expect(row(page, "copies").locator(".count")).to_have_text("×2")
        press("End")
        expect(selected).to_have_attribute("data-path", "status")
        press("2")
        expect(page.get_by_role("tab", name="Events")).to_have_attribute("aria-selected", "true")
        press("1")
        press("p")
        expect(page.locator("#about")).to_have_text(re.compile("status · paused"))
        press("Escape")
        expect(selected).to_have_count(0)
        expect(page.locator("#about")).to_have_text("all players · following")
        press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_a_group_shows_what_is_below_it(page: Page) -> None:
    """A group counts who is up in it, and adds up their restarts."""
    mailer = Actor(backoff=[0, 0, 90])
    with Program({"jobs": Conductor({"mailer": mailer, "other": Actor()})}) as program:
        page.goto(program.url)
        expect(row(page, "jobs").locator(".count")).to_have_text("2 of 2")
        mailer.fail(ValueError("boom"))
        expect(row(page, "jobs").locator(".restarts")).to_have_text("1")
        expect(page.locator(".pill:visible")).to_have_text(["3 up"])
