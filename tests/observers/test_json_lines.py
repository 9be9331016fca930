"""Log records as lines of JSON."""

import io
import json
import logging
from typing import Any

import pytest

from orchestra import Conductor, Context, run
from orchestra.observers.json import JsonFormatter


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")


def line(**fields: Any) -> dict[str, Any]:
    text = JsonFormatter().format(logging.makeLogRecord(fields))
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_a_line_has() -> None:
    """A line has the time, the level, the logger, the path and the message, then the extras."""
    found = line(
        name="shop", levelname="INFO", msg="sold %d", args=(7,), path="a.b", created=0.5, n=1
    )
    assert found == {
        "time": "1970-01-01T00:00:00.500000+00:00",
        "level": "INFO",
        "logger": "shop",
        "path": "a.b",
        "message": "sold 7",
        "n": 1,
    }


def test_a_traceback() -> None:
    """A traceback is one string, whether it was made here or in another process."""
    try:
        raise ValueError("boom")
    except ValueError as error:
        found = line(msg="x", exc_info=(ValueError, error, error.__traceback__))
    assert "ValueError: boom" in found["exception"]
    assert line(msg="x", exc_text="made elsewhere")["exception"] == "made elsewhere"
    assert line(msg="x", stack_info="Stack")["stack"] == "Stack"


@pytest.mark.parametrize("value", [ValueError("boom"), {1, 2}, object(), Broken(), b"x"])
def test_values_without_a_form_in_json(value: object) -> None:
    """What JSON has no form for is written as text, and never raises."""
    assert isinstance(line(msg="x", value=value)["value"], str)


def test_the_path_is_that_of_the_player() -> None:
    """A record that any library makes while a player plays carries its path."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)

    async def worker(ctx: Context) -> None:
        logger.warning("from inside")

    try:
        run(Conductor({"jobs": Conductor({"worker": worker})}))
    finally:
        logger.removeHandler(handler)
    assert json.loads(stream.getvalue())["path"] == "jobs.worker"
