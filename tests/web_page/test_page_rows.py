"""The table of the page: what each row says, and what its buttons do."""

import re

from page_kit import Actor, Program, row, state
from playwright.sync_api import Page, expect

from orchestra import Conductor, replicate


def test_a_failing_player_is_seen_at_once(page: Page) -> None:
    """A failure is in the row with its error, in the pills and in the tab's title, without a reload."""
    mailer = Actor(backoff=[90])
    with Program({"jobs": Conductor({"mailer": mailer, "other": Actor()})}) as program:
        page.goto(program.url)
        expect(state(page, "jobs.mailer")).to_have_text("●ready")
        expect(page).to_have_title("shop")
        mailer.fail(ConnectionRefusedError("no smtp here"))
        expect(state(page, "jobs.mailer")).to_have_text(re.compile(r"✕backing off, 1 m \d+ s"))
        expect(row(page, "jobs.mailer").locator(".last")).to_have_text(
            "ConnectionRefusedError: no smtp here"
        )
        expect(state(page, "jobs")).to_have_text("▲degraded")
        expect(row(page, "jobs").locator(".count")).to_have_text("1 of 2")
        expect(page.locator(".pill.bad:visible")).to_have_text("1 backing off")
        expect(page).to_have_title("(1) shop")


def test_a_player_that_backs_off_is_retried_now(page: Page) -> None:
    """Who waits for the next run has a countdown, and a button that does not wait for it."""
    mailer = Actor(backoff=[90])
    with Program({"mailer": mailer}) as program:
        page.goto(program.url)
        mailer.fail(ValueError("boom"))
        retry = row(page, "mailer").get_by_role("button", name="Retry now")
        expect(retry).to_be_visible()
        before = state(page, "mailer").text_content()
        expect(state(page, "mailer")).not_to_have_text(before or "")  # it counts down
        retry.click()
        expect(state(page, "mailer")).to_have_text("●ready")
        expect(row(page, "mailer").locator(".restarts")).to_have_text("1")
        expect(page).to_have_title("shop")


def test_players_are_restarted_stopped_and_started_from_their_rows(page: Page) -> None:
    """The buttons of a row restart, stop and start its player, and are those that make sense."""
    api, other = Actor(), Actor()
    with Program({"api": api, "other": other}) as program:
        page.goto(program.url)
        buttons = row(page, "api").get_by_role("button")
        expect(buttons).to_have_text(["Restart", "Stop"])
        buttons.get_by_text("Restart").click()
        expect(row(page, "api").locator(".last")).to_have_text("api: ready")
        page.wait_for_function("() => !document.querySelector('.rows button:disabled')")
        assert (api.starts, other.starts) == (2, 1)
        buttons.get_by_text("Stop").click()
        expect(state(page, "api")).to_have_text("□stopped")
        expect(row(page, "api").locator(".uptime")).to_have_text("—")
        expect(buttons).to_have_text(["Start"])
        buttons.click()
        expect(state(page, "api")).to_have_text("●ready")


def test_copies_are_one_row_with_their_number_and_are_scaled(page: Page) -> None:
    """Copies are folded into one row, which says how many they are and makes them more or fewer."""
    with Program({"resize": replicate(Actor, 3), "api": Actor()}) as program:
        page.goto(program.url)
        expect(row(page, "resize").locator(".count")).to_have_text("×3")
        expect(row(page, "resize").locator(".kind")).to_have_text("coroutine")
        expect(row(page, "resize.0")).to_have_count(0)
        row(page, "resize").get_by_role("button", name="one copy more").click()
        expect(row(page, "resize").locator(".count")).to_have_text("×4")
        row(page, "resize").locator(".twisty").click()
        expect(row(page, "resize.3")).to_be_visible()
        row(page, "resize").get_by_role("button", name="one copy fewer").click()
        expect(row(page, "resize.3")).to_have_count(0)
        expect(row(page, "resize").locator(".count")).to_have_text("×3")


def test_a_waiting_player_says_whom_it_waits_for(page: Page) -> None:
    """The state of a player that waits names those that it waits for."""
    db = Actor()
    jobs = Conductor({"db": db, "api": Actor()}, after={"api": ["db"]})
    with Program({"jobs": jobs}) as program:
        page.goto(program.url)
        expect(state(page, "jobs.api")).to_have_text("●ready")
        db.gets_ready = False
        row(page, "jobs").get_by_role("button", name="Restart").click()
        expect(state(page, "jobs.api")).to_have_text("○waits for db")
        expect(state(page, "jobs.db")).to_have_text(re.compile("◔starting, .* s"))


def test_the_uptime_goes_on_by_itself(page: Page) -> None:
    """Uptimes go on in the page, though the program tells of no change."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)
        uptime = row(page, "api").locator(".uptime")
        expect(uptime).to_have_text(re.compile(r"\d+ s"))
        before = uptime.text_content()
        expect(uptime).not_to_have_text(before or "")
        expect(page.locator("#facts")).to_have_text(re.compile(r"pid \d+ · up .* s · \d+ MB"))


def test_details_of_a_player_are_seen(page: Page) -> None:
    """What a player has told when it got ready is in its row while it has no line, and in its settings."""
    with Program({"api": Actor(details={"addresses": ["http://here:80"]})}) as program:
        page.goto(program.url)
        expect(row(page, "api").locator(".last")).to_have_attribute(
            "title", re.compile("addresses: http://here:80")
        )
        row(page, "api").click()
        page.get_by_role("tab", name="Settings").click()
        expect(page.locator("#view")).to_contain_text("http://here:80")


def test_a_program_that_is_read_only_shows_no_actions(page: Page) -> None:
    """Nothing that can't be done is offered."""
    with Program({"api": Actor()}, read_only=True) as program:
        page.goto(program.url)
        expect(state(page, "api")).to_have_text("●ready")
        expect(page.locator("#facts")).to_contain_text("read-only")
        expect(page.locator("button:visible", has_text=re.compile("Restart|Stop"))).to_have_count(0)


def test_a_command_that_is_refused_says_why(page: Page) -> None:
    """What the program answers to a command that it does not do is shown."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)
        expect(state(page, "api")).to_have_text("●ready")
        page.evaluate(
            """async () => (await import("/static/commands.js"))
                .send("start", { path: "apo", copies: null }, () => {})"""
        )
        expect(page.locator(".notice")).to_contain_text("start apo: no player 'apo'")
        expect(page.locator(".notice")).to_contain_text("api")


def test_all_are_stopped_only_after_a_question(page: Page) -> None:
    """`Stop all…` asks first; who says yes stops the program, and the page says that contact is lost."""
    api = Actor()
    with Program({"api": api}) as program:
        page.goto(program.url)
        expect(state(page, "api")).to_have_text("●ready")
        page.get_by_role("button", name="Stop all…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Stop all of shop?")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        assert program.performance.status().ready
        page.get_by_role("button", name="Stop all…").click()
        dialog.get_by_role("button", name="Stop all").click()
        expect(page.locator("#banner")).to_contain_text("Lost contact")
        assert not program.performance.status().ready
