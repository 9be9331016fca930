"""The lower part of the page: log, events, stack, settings."""

import logging
import re

from page_kit import Actor, Program, row, state
from playwright.sync_api import Page, expect

from orchestra import CommandPlayer, Conductor

HOSTILE = [
    "<img src=x onerror=\"document.title='taken'\">",
    "<script>document.title='taken'</script>",
    "</pre></div><style>*{display:none}</style>",
    "javascript:alert(1) &lt;b&gt; \x1b[31mred\x1b[0m \u202egnp.exe",
]


def lines(page: Page, text: str) -> object:
    return page.locator(".line .text", has_text=text)


def test_the_log_follows(page: Page) -> None:
    """Lines come as they are logged, the newest in sight, of the selected player or of all."""
    mailer, other = Actor(), Actor()
    with Program({"jobs": Conductor({"mailer": mailer}), "other": other}) as program:
        page.goto(program.url)
        expect(page.locator("#about")).to_have_text("all players · following")
        mailer.say("to all")
        expect(page.locator(".line", has_text="to all")).to_contain_text("jobs.mailer")
        row(page, "jobs.mailer").click()
        expect(page.locator("#about")).to_have_text("jobs.mailer · following")
        expect(page.locator(".line .text", has_text="to all")).to_be_visible()
        other.say("of another")
        mailer.say(*(f"line {number}" for number in range(300)), "the last")
        expect(page.locator(".line .text").last).to_have_text("the last")
        expect(page.locator(".line .text").last).to_be_in_viewport()
        expect(page.locator(".line", has_text="of another")).to_have_count(0)


def test_errors_and_what_orchestra_says_stand_out(page: Page) -> None:
    """Errors and warnings have a colour, and what Orchestra says itself is marked, with its traceback."""
    mailer = Actor(backoff=[90])
    with Program({"mailer": mailer}) as program:
        page.goto(program.url)
        expect(page.locator("#about")).to_have_text("all players · following")
        mailer.say("an error", level=logging.ERROR)
        mailer.say("a warning", level=logging.WARNING)
        expect(page.locator(".line.bad", has_text="an error")).to_be_visible()
        expect(page.locator(".line.warn", has_text="a warning")).to_be_visible()
        mailer.fail(ValueError("boom"))
        expect(page.locator("mark").last).to_have_text(
            re.compile(r"— orchestra: mailer: failed: ValueError: boom; restart 1 in .* —")
        )
        row(page, "mailer").click()
        expect(page.locator(".line.bad.ours")).to_contain_text("Traceback")


def test_signs_below_a_line_of_code_are_not_wrapped(page: Page) -> None:
    """Those of a traceback stay in one line, however long; what is copied has them as they were."""
    text = "boom\n    f(x)\n    " + "^" * 300 + "\nValueError: boom"
    mailer = Actor()
    page.set_viewport_size({"width": 390, "height": 844})
    with Program({"mailer": mailer}) as program:
        page.goto(program.url)
        mailer.say(text)
        signs = page.locator(".line .carets")
        expect(signs).to_have_text("^" * 300)
        box = signs.bounding_box()
        assert box is not None
        assert box["height"] < 30
        assert page.locator(".line .text", has_text="boom").text_content() == text


def test_a_paused_log_stands_still(page: Page) -> None:
    """While it is paused no line comes; how many are held back is said, and they come afterwards."""
    api = Actor()
    with Program({"api": api}) as program:
        page.goto(program.url)
        api.say("first")
        expect(page.locator(".line", has_text="first")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        api.say("second", "third")
        expect(page.locator("#about")).to_have_text("all players · paused, 2 new lines")
        expect(page.locator(".line", has_text="second")).to_have_count(0)
        page.get_by_role("button", name="Follow").click()
        expect(page.locator(".line", has_text="third")).to_be_in_viewport()
        expect(page.locator("#about")).to_have_text("all players · following")


def test_who_scrolls_up_is_left_to_read(page: Page) -> None:
    """Scrolling up pauses the log, and scrolling down to its end lets it follow again."""
    api = Actor()
    with Program({"api": api}) as program:
        page.goto(program.url)
        expect(page.locator("#about")).to_have_text("all players · following")
        api.say(*(f"line {number}" for number in range(100)))
        expect(page.locator(".line", has_text="line 99")).to_be_in_viewport()
        page.locator("#view").evaluate("node => node.scrollTop = 0")
        expect(page.locator("#about")).to_have_text("all players · paused")
        api.say("held back")
        expect(page.locator("#about")).to_have_text("all players · paused, 1 new line")
        page.locator("#view").evaluate("node => node.scrollTop = node.scrollHeight")
        expect(page.locator(".line", has_text="held back")).to_be_in_viewport()


def test_what_changes_its_size_does_not_pause_the_log(page: Page) -> None:
    """A screen that is turned, or a row of buttons that breaks, is nobody who scrolls up to read."""
    mailer = Actor()
    with Program({"mailer": mailer}) as program:
        page.goto(program.url)
        mailer.say(*(f"line {number}" for number in range(100)), "the last")
        expect(page.locator(".line .text").last).to_have_text("the last")
        for width, height in ((390, 844), (844, 390), (1280, 720)):
            page.set_viewport_size({"width": width, "height": height})
            expect(page.locator(".line .text").last).to_be_in_viewport()
            expect(page.locator("#told")).to_have_text("following")


def test_the_log_is_filtered_and_copied(page: Page) -> None:
    """The filter leaves the lines that have its text in them, also of those to come; these are copied."""
    api = Actor()
    with Program({"api": api}) as program:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(program.url)
        api.say("an Apple", "a pear")
        expect(page.locator(".line", has_text="a pear")).to_be_visible()
        page.get_by_label("Filter lines").fill("apple")
        expect(page.locator(".line:visible")).to_have_count(1)
        api.say("a plum", "apple pie")
        expect(page.locator(".line:visible")).to_have_count(2)
        page.get_by_role("button", name="Copy").click()
        expect(page.locator(".notice")).to_contain_text("2 lines copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"[\d:.]+ api an Apple\n[\d:.]+ api apple pie", copied)


def test_the_previous_run_is_shown_when_asked_for(page: Page) -> None:
    """The log is that of this run; the one before is a button away."""
    mailer = Actor(backoff=[0, 0, 90])
    with Program({"mailer": mailer}) as program:
        mailer.say("of the first run")
        mailer.fail(ValueError("boom"))
        page.goto(program.url)
        expect(row(page, "mailer").locator(".restarts")).to_have_text("1")
        expect(state(page, "mailer")).to_have_text("●ready")
        mailer.say("of the second run")
        row(page, "mailer").click()
        expect(page.locator(".line", has_text="of the second run")).to_be_visible()
        expect(page.locator(".line", has_text="of the first run")).to_have_count(0)
        page.get_by_role("button", name="Previous run").click()
        expect(page.locator(".line.previous", has_text="of the first run")).to_be_visible()
        expect(page.locator(".line:not(.previous)", has_text="of the second run")).to_be_visible()


def test_what_is_hostile_is_shown_as_text(page: Page) -> None:
    """Markup in lines, errors and details is text, wherever it is shown, and is never run."""
    mailer = Actor(backoff=[90], details={f"<b>{HOSTILE[0]}": HOSTILE[1]})
    with Program({"mailer": mailer}, name=HOSTILE[0]) as program:
        page.goto(program.url)
        expect(page.locator("h1")).to_have_text(HOSTILE[0])
        expect(row(page, "mailer")).to_be_visible()
        mailer.say(*HOSTILE)
        for text in HOSTILE:
            expect(page.locator(".line .text").get_by_text(text, exact=True)).to_be_visible()
        row(page, "mailer").click()
        page.get_by_role("tab", name="Settings").click()
        expect(page.locator("#view td", has_text=HOSTILE[1])).to_be_visible()
        mailer.fail(ValueError(HOSTILE[0]))
        expect(row(page, "mailer").locator(".last")).to_have_text(f"ValueError: {HOSTILE[0]}")
        page.get_by_role("tab", name="Events").click()
        expect(page.locator(".events")).to_contain_text(HOSTILE[0])
        assert page.title() == f"(1) {HOSTILE[0]}"
        assert (
            page.evaluate("document.querySelectorAll('img, body script, body style').length") == 0
        )


def test_events_come_newest_first(page: Page) -> None:
    """The events of a player are listed with what they say, and go on as they happen."""
    mailer = Actor(backoff=[90])
    with Program({"mailer": mailer}) as program:
        page.goto(program.url)
        row(page, "mailer").click()
        page.get_by_role("tab", name="Events").click()
        expect(page.locator("#about")).to_have_text(re.compile(r"mailer · \d+ events?"))
        mailer.fail(ValueError("boom"))
        expect(page.locator(".events .kind").first).to_have_text("BackingOff")
        expect(page.locator(".events tr").first).to_contain_text("ValueError: boom")
        expect(page.locator(".events tr").first).to_contain_text("delay: 90")


def test_the_stack_says_where_a_player_is(page: Page) -> None:
    """The stack shows the line of code where each task of a player is."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)
        row(page, "api").click()
        page.get_by_role("tab", name="Stack").click()
        expect(page.locator(".place h3")).to_have_text("api")
        expect(page.locator(".place pre")).to_contain_text("page_kit.py")
        page.get_by_role("button", name="Look again").click()
        expect(page.locator("#about")).to_have_text(re.compile("api · 1 place at .*"))


def test_settings_name_variables_and_not_their_values(page: Page) -> None:
    """Of a command's environment there are the names, and never a value."""
    command = CommandPlayer(["sleep", "1000"], env={"SHOP_SECRET": "s3cr3t-value"})
    with Program({"command": command}) as program:
        page.goto(program.url)
        row(page, "command").click()
        page.get_by_role("tab", name="Settings").click()
        expect(page.locator(".variables")).to_contain_text("SHOP_SECRET")
        expect(page.locator("#view")).to_contain_text("SIGTERM")
        assert "s3cr3t-value" not in page.content()


def test_a_log_that_floods_stays_bounded(page: Page) -> None:
    """However many lines come, the page keeps the newest few thousand."""
    api = Actor()
    with Program({"api": api}) as program:
        page.goto(program.url)
        expect(page.locator("#about")).to_have_text("all players · following")
        api.say(*(f"line {number}" for number in range(2_500)))
        expect(page.locator(".line", has_text="line 2499")).to_be_in_viewport()
        assert page.locator(".line").count() <= 2_000
