"""The parts of the page that are no more than functions."""

from typing import Any

import pytest
from page_kit import Actor, Program
from playwright.sync_api import Page


@pytest.fixture
def ask(page: Page) -> Any:
    """Calls a function of a module with these arguments."""
    with Program({"api": Actor()}) as program:
        page.goto(program.url)

        def ask(module: str, function: str, *values: Any) -> Any:
            return page.evaluate(
                """async ([module, name, values]) => (await import(`/static/${module}.js`))[name](...values)""",
                [module, function, list(values)],
            )

        yield ask


def test_numbers_are_said_as_people_say_them(ask: Any) -> None:
    """Durations have their two largest units, sizes the unit that fits."""
    seconds = (0, 0.4, 8, 60, 61, 3600, 8040, 86400, 90061)
    assert [ask("words", "duration", one) for one in seconds] == [
        "0 s", "0 s", "8 s", "1 m", "1 m 1 s", "1 h 0 m", "2 h 14 m", "1 d 0 h", "1 d 1 h",
    ]  # fmt: skip
    assert ask("words", "countdown", 0.2) == "1 s"
    assert [ask("words", "bytes", one) for one in (61_000, 214_000_000, 3_210_000_000)] == [
        "61 kB",
        "214 MB",
        "3.2 GB",
    ]
    assert ask("words", "percent", 0.034) == "3%"
    assert ask("words", "plainPairs", {"a": [1, "b"], "c": None}) == "a: 1, b · c: null"


def test_a_stream_is_read_in_any_pieces(page: Page, ask: Any) -> None:
    """Server-sent events are the same in whatever pieces they come, with either end of line."""
    text = 'id: a-1\nevent: entries\ndata: {"a":\r\ndata: 1}\r\n\n: a comment\n\ndata:x\n\n'
    script = """async ([text, size]) => {
        const { Parser } = await import("/static/stream.js");
        const parser = new Parser();
        const found = [];
        for (let at = 0; at < text.length; at += size) found.push(...parser.feed(text.slice(at, at + size)));
        return found.filter(({ data }) => data);
    }"""
    for size in (1, 2, 3, 7, 1000):
        assert page.evaluate(script, [text, size]) == [
            {"name": "entries", "id": "a-1", "data": '{"a":\n1}'},
            {"name": "message", "id": None, "data": "x"},
        ]


def test_each_state_offers_what_makes_sense(ask: Any) -> None:
    """Nothing is offered for a state in which it would be refused."""

    def offered(state: str) -> list[str]:
        return [label for _, label in ask("state", "commandsFor", {"state": state})]

    assert offered("ready") == offered("degraded") == offered("starting") == ["Restart", "Stop"]
    assert offered("backing off") == ["Retry now", "Stop"]
    assert offered("waiting") == ["Stop"]
    assert offered("stopped") == offered("failed") == ["Start"]
    assert offered("stopping") == offered("cut off") == offered("skipped") == []


def test_a_player_that_is_to_be_stopped_is_not_ready(ask: Any) -> None:
    """One that plays in a tree that is not ready any more is draining, and is not counted as up."""
    row = {"state": "ready", "ready": False}
    assert ask("state", "wordOf", row) == "draining"
    assert ask("state", "isUp", row) is False
