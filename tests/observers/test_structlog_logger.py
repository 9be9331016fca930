"""Log lines by way of structlog."""

import pytest
import structlog
from structlog.testing import capture_logs

from orchestra import Conductor, Context, run
from orchestra.log import player_path
from orchestra.observers.structlog import add_path, logger_from_structlog


def test_lines_are_key_value_pairs() -> None:
    """The attributes of a line are pairs of their own, and a nested group is named."""

    async def fails(ctx: Context) -> None:
        raise OSError("gone")

    with capture_logs() as lines, pytest.raises(ExceptionGroup):
        run(Conductor({"jobs": Conductor({"feed": fails})}, logger=logger_from_structlog()))
    failed = next(line for line in lines if line["log_level"] == "error")
    assert failed["event"] == "jobs.feed: failed: OSError: gone"
    assert (failed["path"], failed["group"]) == ("jobs.feed", "jobs")


def test_groups_within_groups() -> None:
    """The name of a group is its full path."""
    with capture_logs() as lines:
        logger_from_structlog().with_group("a").with_group("b").info("x")
    assert lines == [{"event": "x", "group": "a.b", "log_level": "info"}]


def test_the_path_on_lines_of_the_program() -> None:
    """The processor puts the path of the player on lines that the program writes itself."""
    seen = []

    async def worker(ctx: Context) -> None:
        seen.append(add_path(None, "info", {"event": "x"}))

    run(Conductor({"worker": worker}))
    assert seen == [{"event": "x", "path": "worker"}]
    assert player_path.get() == ""


def test_no_logger_of_structlog() -> None:
    """What is no logger of structlog is refused at once."""
    with pytest.raises(TypeError, match="bind"):
        logger_from_structlog(print)
    assert structlog.get_logger() is not None
