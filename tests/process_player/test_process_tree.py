"""What is seen here of what plays in a process: its players, its events, its log records."""

import asyncio
import logging
import time
from typing import Any

import process_plays as plays
import pytest
from process_kit import pid_of, shown, until

from groups import failure
from orchestra import (
    BackingOff,
    Conductor,
    ConductorError,
    Context,
    Event,
    Failed,
    ProcessPlayer,
    Ready,
    RemoteError,
    Started,
    Stopped,
    playing,
    restarting,
)
from orchestra.log import PathFilter
from orchestra.status import State

pytestmark = pytest.mark.real_time


async def test_its_players_show_in_the_tree_here() -> None:
    """They are found by their full paths, live, with their kinds, states and details."""
    async with shown(ProcessPlayer(plays.group())) as performance:
        status = performance.status().find("group.it")
        assert status.players.keys() == ["mailer", "inner"]
        reader = lambda: performance.status().find("group.it.inner.reader")  # noqa: E731
        assert (reader().kind, reader().state) == ("thread", "ready")
        await until(lambda: reader().details == {"thread": "group.it.inner.reader"})
        first = performance.status().find("group.it.mailer").uptime
        await asyncio.sleep(0.05)
        later = performance.status().find("group.it.mailer").uptime
        assert first is not None
        assert later is not None
        assert later > first
        assert performance.status().ready


async def test_a_restart_inside_shows(caplog: pytest.LogCaptureFixture) -> None:
    """A player that comes back there is seen to, with the delay that is left, as an event, and in the log."""
    events: list[Event] = []
    player = ProcessPlayer(Conductor({"flaky": restarting(plays.Flaky(1, 0.2), [0.5])}))
    async with shown(player, observers=[events.append]) as performance:
        flaky = lambda: performance.status().find("group.it.flaky")  # noqa: E731
        await until(lambda: flaky().state == "backing off")
        left = flaky().next_restart_in
        assert left is not None
        assert 0 <= left <= 0.5
        assert performance.status().find("group.it").state == State.DEGRADED
        await until(lambda: flaky().restarts == 1 and flaky().ready)
        assert performance.status().find("group.it").state == State.READY
    found = [event for event in events if event.path == "group.it.flaky"]
    assert [type(one) for one in found if not isinstance(one, Ready)][:4] == [
        Started, Failed, BackingOff, Started,
    ]  # fmt: skip
    failed = next(one for one in found if isinstance(one, Failed))
    assert isinstance(failed.error, ConnectionError)
    (record,) = [one for one in caplog.records if "restart 1 in" in one.getMessage()]
    assert record.name == "orchestra.group.it"
    assert record.path == "group.it.flaky"  # type: ignore[attr-defined]
    assert isinstance(record.error, ConnectionError)  # type: ignore[attr-defined]
    assert record.exc_info is not None


async def test_its_events_come_in_order() -> None:
    """Those of each player there are the same as here, once each, and before its own end."""
    events: list[Event] = []
    async with shown(ProcessPlayer(plays.group()), observers=[events.append]):
        pass
    for path in ("group.it", "group.it.mailer", "group.it.inner.reports"):
        kinds = [type(event).__name__ for event in events if event.path == path]
        assert kinds == ["Started", "Ready", "Stopping", "Stopped"], path
    paths = [event.path for event in events if isinstance(event, Stopped)]
    assert paths.index("group.it.mailer") < paths.index("group.it")


async def test_an_event_has_the_error_that_comes_back() -> None:
    """A failure there is an event here, with the exception or its stand-in."""
    events: list[Event] = []
    with pytest.raises(ConductorError):
        async with shown(ProcessPlayer(plays.failing_group()), observers=[events.append]):
            await asyncio.sleep(30)
    errors = {event.path: event.error for event in events if isinstance(event, Failed)}
    assert isinstance(errors["group.it.a"], LookupError)
    assert isinstance(errors["group.it.b"], RemoteError)


class Collecting:
    """A logger of a user's own."""

    def __init__(self, lines: list[Any], groups: tuple[str, ...] = ()) -> None:
        self.lines, self.groups = lines, groups

    def info(self, msg: str, **attrs: object) -> None:
        self.lines.append((self.groups, "info", msg))

    def error(self, msg: str, **attrs: object) -> None:
        self.lines.append((self.groups, "error", msg))

    def with_group(self, name: str) -> "Collecting":
        return Collecting(self.lines, (*self.groups, name))


async def test_its_lines_go_to_the_logger_above() -> None:
    """A conductor there writes to the logger of the nearest conductor here, in its groups."""
    lines: list[Any] = []
    conductor = Conductor({"it": ProcessPlayer(plays.group())}, logger=Collecting(lines))
    async with playing(conductor):
        pass
    assert (("it",), "info", "it.mailer: stopped") in lines
    assert (("it", "inner"), "info", "it.inner.reader: stopped") in lines
    assert [line for line in lines if line[2] == "it: started"] == [((), "info", "it: started")]


async def test_a_quiet_logger_costs_nothing_there(caplog: pytest.LogCaptureFixture) -> None:
    """Lines that nobody here would see are not sent."""
    caplog.set_level(logging.CRITICAL, "orchestra")
    await failure(Conductor({"it": ProcessPlayer(plays.flaky_failure())}))
    assert [one for one in caplog.records if one.name.startswith("orchestra")] == []


async def test_log_records_come_here_as_they_were_made(caplog: pytest.LogCaptureFixture) -> None:
    """With level, path, extras, traceback, and the names of the process and the thread."""
    seen = logging.getLogger("some")
    handled: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = handled.append  # type: ignore[method-assign]
    handler.addFilter(PathFilter())
    seen.addHandler(handler)
    try:
        async with shown(ProcessPlayer(plays.logs)) as performance:
            pid = pid_of(performance)
    finally:
        seen.removeHandler(handler)
    late, bare = handled
    assert (late.name, late.levelname, late.getMessage()) == (
        "some.library", "WARNING", "it is late",
    )  # fmt: skip
    values: Any = late
    assert (values.path, values.job) == ("group.it", 7)
    assert "lock" in values.lock
    assert values.exc_text.endswith("KeyError: 'lost'")
    assert (values.process, values.processName, values.threadName) == (pid, "group.it", "group.it")
    assert values.filename == "process_plays.py"
    assert (bare.getMessage(), bare.threadName) == ("bare", "bare-thread")
    assert bare.path == "group.it"  # type: ignore[attr-defined]


async def test_levels_there_are_those_here(caplog: pytest.LogCaptureFixture) -> None:
    """What a logger here lets through is let through there, and no more is sent."""
    caplog.set_level(logging.DEBUG, "some.library")
    async with shown(ProcessPlayer(plays.logs)):
        pass
    assert "too low" in [record.getMessage() for record in caplog.records]
    caplog.clear()
    caplog.set_level(logging.ERROR, "some.library")
    async with shown(ProcessPlayer(plays.logs)):
        pass
    assert [one.getMessage() for one in caplog.records if one.name == "some.library"] == ["bare"]


async def test_levels_may_change_here(caplog: pytest.LogCaptureFixture) -> None:
    """A record that is sent is let through by the level that its logger has here by then."""
    async with shown(ProcessPlayer(plays.Reports())):
        caplog.set_level(logging.ERROR, "reports")
    assert [one for one in caplog.records if one.name == "reports"] == []


async def test_a_flood_of_records_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Where the loop here does not read, records are dropped and counted, and nothing waits."""
    conductor = Conductor({"it": ProcessPlayer(plays.floods)})
    task = asyncio.create_task(conductor.play(Context()))
    await until(lambda: any(one.name == "flood" for one in caplog.records))
    time.sleep(1.0)
    await task
    seen = sum(one.name == "flood" for one in caplog.records)
    lost = [one for one in caplog.records if "log records were lost" in one.getMessage()]
    told = sum(int(one.getMessage().split()[0]) for one in lost)
    assert seen + told == 20_001
    assert told > 0


async def test_a_process_in_a_process() -> None:
    """Its players, failures and notes come up through all the levels, each with its full path."""
    error = await failure(Conductor({"it": ProcessPlayer(plays.nested())}))
    assert set(error.failures) == {"it.deep.deepest"}
    inner = error.failures["it.deep.deepest"]
    assert isinstance(inner, LookupError)
    assert "in process" in "\n".join(inner.__notes__)


async def test_a_tree_in_a_process_in_a_process_shows() -> None:
    """Those below the second process are found here too, each process with its own pid."""
    async with shown(ProcessPlayer(plays.nested_group())) as performance:
        await until(lambda: performance.status().find("group.it").players)
        deep = performance.status().find("group.it.deep.mailer")
        assert deep.ready
        assert pid_of(performance) != pid_of(performance, "group.it.deep")


async def test_nothing_there_is_ready_while_it_drains() -> None:
    """Once nothing here counts as ready any more, neither do the players there."""
    async with shown(ProcessPlayer(plays.group())) as performance:
        performance.drain()
        assert [one.path for one in performance.status().walk() if one.ready] == []
