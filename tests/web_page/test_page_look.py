"""How the page looks: readable in light and dark, on a small screen, and with thousands of players."""

import logging
import re
from typing import Any

import pytest
from page_kit import Actor, Program, Wire, row, state
from playwright.sync_api import Page, expect

from orchestra import Conductor, replicate

LEAST_CONTRAST = 4.5
"""What the guidelines for accessible pages ask of text."""

# Of each text that is to be seen: what it is, and its contrast to what is behind it.
CONTRASTS = """() => {
    const channels = (css) => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 1;
        const brush = canvas.getContext("2d");
        brush.fillStyle = css;
        brush.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = (top, below) => top.slice(0, 3).map((one, at) => one * top[3] + below[at] * (1 - top[3]));
    const ground = (node) => {
        if (!node) return channels(getComputedStyle(document.body).backgroundColor).slice(0, 3);
        const own = channels(getComputedStyle(node).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
    };
    const luminance = (rgb) => {
        const [red, green, blue] = rgb.map((one) => {
            const part = one / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (css, node) => {
        const behind = ground(node);
        const [one, other] = [luminance(over(channels(css), behind)), luminance(behind)];
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    };
    const found = [];
    for (const node of document.querySelectorAll("body, body *")) {
        if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        const own = [...node.childNodes].filter((one) => one.nodeType === 3 && one.data.trim());
        const name = (text) => `${node.tagName} ${node.className}: ${text}`;
        if (own.length) found.push([name(own[0].data), contrast(getComputedStyle(node).color, node)]);
        if (node.placeholder) {
            found.push([name(node.placeholder), contrast(getComputedStyle(node, "::placeholder").color, node)]);
        }
        if (getComputedStyle(node).opacity !== "1") found.push([name("opacity"), 0]);
    }
    return found;
}"""


def check_contrasts(page: Page, least_texts: int = 10) -> None:
    found: list[tuple[str, float]] = page.evaluate(CONTRASTS)
    assert len(found) >= least_texts
    assert [(name, round(ratio, 2)) for name, ratio in found if ratio < LEAST_CONTRAST] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable(page: Page, scheme: Any) -> None:
    """All text has a contrast of 4.5 at least, in light and dark, whatever the players are like."""
    bad, busy = Actor(backoff=[90]), Actor()
    jobs = Conductor({"bad": bad, "copies": replicate(Actor, 2), "off": Actor()})
    page.emulate_media(color_scheme=scheme)
    with Program({"jobs": jobs, "busy": busy}) as program, Wire(program.url) as wire:
        page.goto(wire.url)
        row(page, "jobs.off").get_by_role("button", name="Stop").click()
        expect(state(page, "jobs.off")).to_have_text("□stopped")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            busy.say(f"a line of level {level}", level=level)
        bad.fail(ValueError("boom"))
        expect(page.locator(".line.bad", has_text="Traceback")).to_be_visible()
        expect(page.locator(".line.calm")).to_be_visible()
        check_contrasts(page, 60)
        row(page, "jobs.bad").click()
        page.get_by_role("button", name="Previous run").click()
        check_contrasts(page)
        for tab in ("Events", "Stack", "Settings"):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator("#view")).not_to_be_empty()
            check_contrasts(page)
        page.get_by_role("button", name="Stop all…").click()
        check_contrasts(page)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Keys").click()
        check_contrasts(page)
        page.keyboard.press("Escape")
        page.evaluate("async () => (await import('/static/notices.js')).notice('Oh.', 'bad')")
        page.locator("#filter").fill("busy")
        expect(page.locator("#hidden-failing")).to_be_visible()
        check_contrasts(page)
        page.locator("#filter").fill("")
        wire.cut()
        expect(page.locator("#banner")).to_contain_text("Lost contact")
        check_contrasts(page)


def test_the_two_schemes_differ(page: Page) -> None:
    """The page follows what the system prefers, light or dark, also while it is open."""
    with Program({"api": Actor()}) as program:
        page.emulate_media(color_scheme="light")
        page.goto(program.url)
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_no_state_is_told_by_colour_alone(page: Page) -> None:
    """Each state has a sign and a word; those that mean trouble have other signs than those that do not."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)
        looks = page.evaluate(
            """async (states) => {
                const { signOf, toneOf } = await import("/static/state.js");
                return states.map((state) => [state, signOf(state), toneOf(state)]);
            }""",
            STATES,
        )
        signs: dict[str, set[str]] = {}
        for word, sign, tone in looks:
            assert sign != "?", word
            signs.setdefault(tone, set()).add(sign)
        assert (
            not signs["good"] & signs["bad"]
            | signs["bad"] & signs["calm"]
            | signs["good"] & signs["calm"]
        )


STATES = [
    "waiting", "starting", "ready", "degraded", "backing off", "stopping", "cut off", "stopped",
    "failed", "abandoned", "skipped",
]  # fmt: skip


def test_a_small_screen_has_all_that_is_needed(page: Page) -> None:
    """At 400 pixels nothing sticks out, and the actions of the selected player are in the lower part."""
    bad = Actor(backoff=[90])
    name = "a-player-with-a-name-that-is-far-too-long-for-such-a-screen"
    page.set_viewport_size({"width": 400, "height": 800})
    with Program({"jobs": Conductor({"bad": bad, name: Actor()})}) as program:
        page.goto(program.url)
        bad.say("a line that has no end: " + "x" * 500)
        bad.fail(ValueError("boom"))
        expect(state(page, "jobs.bad")).to_have_text(re.compile("backing off"))
        row(page, "jobs.bad").click()
        for tab in ("Log", "Events", "Stack", "Settings"):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator("#view")).not_to_be_empty()
            assert sticking_out(page) == []
        page.locator("#selected-actions").get_by_role("button", name="Retry now").click()
        expect(state(page, "jobs.bad")).to_have_text("●ready")
        for width in (320, 601, 861, 961, 1101, 1241):
            page.set_viewport_size({"width": width, "height": 600})
            assert sticking_out(page) == [], width


def test_events_on_a_small_screen_are_lines(page: Page) -> None:
    """When, what and who stand in one line above what is told; nothing is broken into letters."""
    bad = Actor(backoff=[90])
    page.set_viewport_size({"width": 390, "height": 800})
    with Program({"jobs": Conductor({"bad": bad})}) as program:
        page.goto(program.url)
        bad.fail(ValueError("boom " * 50))
        row(page, "jobs").click()
        page.get_by_role("tab", name="Events").click()
        first = page.locator(".events tr", has_text="BackingOff")
        expect(first.locator(".who")).to_have_text("bad")
        boxes = [first.locator(cell).bounding_box() for cell in (".at", ".kind", ".who", ".text")]
        when, what, who, text = (box for box in boxes if box is not None)
        assert when["y"] == what["y"] == who["y"]
        assert when["height"] < 30
        assert text["y"] > when["y"]


def sticking_out(page: Page) -> list[str]:
    """What is wider than the screen, or can be scrolled sideways."""
    return list(
        page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll("#grid, #view, .pane-head, .top")]
                .filter((node) => node.scrollWidth > node.clientWidth || node.getBoundingClientRect().right > innerWidth)
                .map((node) => `${node.id || node.className || node.tagName} ${node.scrollWidth}`)"""
        )
    )


class TestThousands:
    """Two thousand players in one table."""

    def tree(self) -> dict[str, Any]:
        self.actors = {
            f"group{group}": {f"worker{number}": Actor(backoff=[90]) for number in range(50)}
            for group in range(40)
        }
        return {name: Conductor(actors) for name, actors in self.actors.items()}

    def test_they_scroll(self, page: Page) -> None:
        """Only the rows in sight are elements, and each player can be scrolled to."""
        with Program(self.tree()) as program:
            page.goto(program.url)
            expect(page.locator(".pill:visible")).to_have_text(["2001 up"])
            assert page.locator(".rows .row").count() < 60
            assert page.locator("#grid").get_attribute("aria-rowcount") == "2042"
            page.mouse.move(400, 300)
            for _ in range(20):
                page.mouse.wheel(0, 1_000)
            page.wait_for_function("() => grid.scrollTop > 15_000")
            expect(page.locator(".rows .row").first).to_be_visible()
            page.locator("#grid").evaluate("node => node.scrollTop = node.scrollHeight")
            expect(row(page, "group39.worker49")).to_be_in_viewport()
            page.locator("#grid").focus()
            page.keyboard.press("Home")
            page.keyboard.press("End")
            expect(row(page, "status")).to_be_in_viewport()
            assert page.locator(".rows .row").count() < 60

    def test_names_have_the_room_that_they_need(self, page: Page) -> None:
        """Numbers beside them take none of it away; what a filter finds is shown from its first row on."""
        with Program({"fleet": Conductor(self.tree())}) as program:
            page.goto(program.url)
            expect(row(page, "fleet").locator(".count")).to_have_text("2000 of 2000")
            assert (
                page.evaluate(
                    """() => [...document.querySelectorAll(".rows .label")]
                    .filter((node) => node.scrollWidth > node.clientWidth).length"""
                )
                == 0
            )
            page.locator("#grid").focus()
            page.keyboard.press("End")
            page.locator("#filter").fill("group3 worker1")
            expect(row(page, "fleet")).to_be_in_viewport()
            assert page.locator("#grid").evaluate("node => node.scrollTop") == 0

    def test_only_what_changes_is_touched(self, page: Page) -> None:
        """A change of one player touches its own row and those of its groups."""
        with Program(self.tree()) as program:
            page.goto(program.url)
            expect(row(page, "group0.worker3")).to_be_visible()
            page.evaluate(
                """() => {
                    window.touched = new Set();
                    new MutationObserver((changes) => {
                        for (const { target } of changes) {
                            const cell = (target.parentElement ?? target).closest(".last, .state, .restarts");
                            if (cell) touched.add(cell.closest(".row").dataset.path);
                        }
                    }).observe(rows, { subtree: true, childList: true, characterData: true });
                }"""
            )
            self.actors["group0"]["worker3"].fail(ValueError("boom"))
            expect(state(page, "group0.worker3")).to_have_text(re.compile("backing off"))
            touched = set(page.evaluate("[...touched]"))
            assert touched == {"group0", "group0.worker3"}

    def test_what_one_reads_stays_in_place(self, page: Page) -> None:
        """A row that comes or goes above does not move those that are looked at."""
        with Program(self.tree()) as program:
            page.goto(program.url)
            expect(row(page, "group0.worker0")).to_be_visible()
            row(page, "group0").locator(".twisty").click()
            page.locator("#grid").evaluate("node => node.scrollTop = 9_700")
            expect(row(page, "group7.worker10")).to_be_in_viewport()
            place = row(page, "group7.worker10").bounding_box()
            self.actors["group0"]["worker3"].fail(ValueError("boom"))
            expect(page.locator("#grid")).to_have_attribute("aria-rowcount", "1993")
            expect(page.locator(".pill.bad:visible")).to_have_text("1 backing off")
            page.wait_for_timeout(0)
            assert row(page, "group7.worker10").bounding_box() == place


def test_the_policy_for_content_is_kept(page: Page) -> None:
    """All of the page comes from its own program, under a policy that allows nothing else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with Program({"api": Actor()}) as program:
        origin = program.url.partition("/#")[0]
        answer = page.goto(program.url)
        assert answer is not None
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        page.evaluate(
            """() => {
                window.violations = [];
                addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
            }"""
        )
        row(page, "api").click()
        for tab in ("Events", "Stack", "Settings"):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator("#view")).not_to_be_empty()
        assert page.evaluate("violations") == []
        assert [url for url in asked if not url.startswith(origin)] == []
