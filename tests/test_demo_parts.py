"""The parts of the demo, each by itself."""

import asyncio
import io
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from orchestra import (
    Abandoned,
    Conductor,
    ConductorError,
    CutOff,
    Failed,
    Ready,
    Started,
    Stopped,
    Stopping,
    StopTimeoutError,
    playing,
)
from orchestra.demo.account import Account, account_of
from orchestra.demo.api import LONGEST, Api
from orchestra.demo.desk import MOST_WAITING, Desk
from orchestra.demo.ending import WIDTH, Ending
from orchestra.demo.explanation import code_for, explain
from orchestra.demo.rows import Rows
from orchestra.demo.screen import BOLD, LogLines, Screen
from orchestra.demo.settings import Settings
from orchestra.demo.store import Store
from orchestra.demo.visitors import Visitors
from orchestra.demo.welcome import Welcome
from orchestra.demo.worker import SECONDS_PER_JOB, Worker


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    rows = Rows(tmp_path / "jobs.sqlite")
    rows.create()
    return rows


@pytest.fixture
def screen() -> Screen:
    return Screen(io.StringIO())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# What the environment says


def test_an_empty_environment_is_a_demo_until_ctrl_c() -> None:
    """Nothing is stuck, any port that is free is taken, and the file is a temporary one."""
    assert Settings.from_environment({}) == Settings(False, None, 0, None)
    assert Settings.from_environment({"STUCK": "0", "DEMO_SECONDS": ""}) == Settings()


def test_all_can_be_chosen() -> None:
    """Each variable sets one thing."""
    environment = {"STUCK": "1", "DEMO_SECONDS": "0.5", "DEMO_PORT": "80", "DEMO_DB": "a.sqlite"}
    assert Settings.from_environment(environment) == Settings(True, 0.5, 80, Path("a.sqlite"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEMO_SECONDS", "0"),
        ("DEMO_SECONDS", "-1"),
        ("DEMO_SECONDS", "nan"),
        ("DEMO_SECONDS", "inf"),
        ("DEMO_SECONDS", "x"),
        ("DEMO_PORT", "65536"),
        ("DEMO_PORT", "-1"),
        ("DEMO_PORT", "x"),
    ],
)
def test_nonsense_is_refused(name: str, value: str) -> None:
    """The message names the variable and its value."""
    with pytest.raises(ValueError, match=f"{name}={value} is no "):
        Settings.from_environment({name: value})


def test_a_temporary_file_is_gone_at_the_end() -> None:
    """Its folder too."""
    with Settings().database() as file:
        Rows(file).create()
        assert file.exists()
    assert not file.parent.exists()


# The desk, the worker, the store


def test_a_full_desk_accepts_nothing() -> None:
    """So many jobs may wait as can be done during a stop, and refused ones do not count."""
    desk = Desk(first=7)
    jobs = [desk.accept("x") for _ in range(MOST_WAITING)]
    assert desk.accept("one more") is None
    assert [job.id for job in jobs if job] == list(desk.numbers())
    assert list(desk.numbers()) == list(range(7, 7 + MOST_WAITING))


@pytest.mark.virtual_time
async def test_the_worker_does_what_waits_before_it_stops() -> None:
    """Asked to stop with a full desk, it hands in all of the jobs, done."""
    desk = Desk()
    async with playing(Conductor({"worker": Worker(desk)}, timeout=5)):
        await asyncio.sleep(1)
        for _ in range(MOST_WAITING):
            desk.accept("hello")
    assert [job.result for job in desk.done()] == ["HELLO"] * MOST_WAITING


@pytest.mark.virtual_time
async def test_the_worker_hands_in_undone_what_it_has_no_time_for() -> None:
    """When its time is nearly over, the rest is handed in as it is, and it stops in time."""
    desk = Desk()
    async with playing(Conductor({"worker": Worker(desk)}, timeout=1)):
        for _ in range(MOST_WAITING):
            desk.accept("hello")
    results = [job.result for job in desk.done()]
    assert len(results) == MOST_WAITING
    assert results[0] == "HELLO"
    assert results[-1] is None
    assert MOST_WAITING * SECONDS_PER_JOB > 1 - 0.5


@pytest.mark.real_time
async def test_the_store_writes_once_more_when_it_stops(rows: Rows) -> None:
    """What comes in just before the stop is written, and only then off the desk."""
    desk = Desk()
    async with playing(Store(desk, rows)):
        job = desk.accept("hello")
        assert job is not None
        desk.outbox.put(desk.inbox.get_nowait())
    assert rows.find(job.id) == {"id": job.id, "text": "hello", "result": None}
    assert desk.waiting() == 0


def test_rows_go_on_where_they_were(rows: Rows) -> None:
    """The next number comes after the last one that is written."""
    desk = Desk(first=5)
    desk.accept("a")
    with rows.connection() as db:
        rows.add(db, [desk.inbox.get_nowait()])
    assert rows.create() == 6
    assert rows.numbers(1) == rows.numbers(5, undone=True) == {5}
    assert rows.numbers(6) == set()


# The API


@pytest.fixture
def desk() -> Desk:
    return Desk()


def client_of(desk: Desk, rows: Rows) -> httpx.AsyncClient:
    app = Api(desk, rows, describe=lambda: "the players").app()
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://demo")


@pytest.mark.real_time
async def test_a_job_is_found_from_the_first_moment_on(desk: Desk, rows: Rows) -> None:
    """202 says where it is, and it is there while it waits and when it is written."""
    async with client_of(desk, rows) as client:
        answer = await client.post("/jobs", content="hello")
        assert (answer.status_code, answer.json()) == (202, {"id": 1})
        where = answer.headers["Location"]
        waiting = {"id": 1, "text": "hello", "result": None}
        assert (await client.get(where)).json() == waiting
        assert (await client.get("/jobs")).json() == {"waiting": 1, "latest": []}

        job = desk.inbox.get_nowait()
        job.result = "HELLO"
        with rows.connection() as db:
            rows.add(db, [job])
        desk.written([job])
        written = {"id": 1, "text": "hello", "result": "HELLO"}
        assert (await client.get(where)).json() == written
        assert (await client.get("/jobs")).json() == {"waiting": 0, "latest": [written]}


@pytest.mark.real_time
async def test_what_is_refused(desk: Desk, rows: Rows) -> None:
    """No text, too much text, too many jobs and unknown jobs have their status codes."""
    async with client_of(desk, rows) as client:
        assert (await client.post("/jobs")).status_code == 400
        assert (await client.post("/jobs", content="x" * (LONGEST + 1))).status_code == 400
        assert (await client.get("/jobs/1")).status_code == 404
        while desk.accept("x"):
            pass
        answer = await client.post("/jobs", content="hello")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.real_time
async def test_the_first_page_says_what_there_is(desk: Desk, rows: Rows) -> None:
    """The requests, with one to copy, and the players."""
    async with client_of(desk, rows) as client:
        page = (await client.get("/")).text
    assert "curl -d 'hello' http://demo/jobs" in page
    assert "the players" in page


# What is printed


def test_the_welcome_has_the_real_address(rows: Rows, screen: Screen) -> None:
    """It comes when the API and the page are ready, with a command to copy, and not before."""
    status: Any = SimpleNamespace(url="http://127.0.0.1:6/#token=x")
    welcome = Welcome(Settings(stuck=True), rows, screen, status)
    welcome(Ready("jobs.store", 0, {"file": "x"}))
    welcome(Ready("web", 0, {"addresses": ("http://127.0.0.1:5",)}))
    assert printed(screen) == ""
    welcome(Ready("status", 0, {}))
    assert "watch it    http://127.0.0.1:6/#token=x" in printed(screen)
    assert "curl -d hello http://127.0.0.1:5/jobs" in printed(screen)
    assert "stuck" in printed(screen)


def test_the_ending_draws_who_stopped_when() -> None:
    """A line a player in the order of their ends, groups left out, each with a bar of its time."""
    ending = Ending()
    for event in [
        Started("a.flaky", 0, 0),
        Started("a.flaky", 1, 1),
        Stopped("early", 2),
        Stopping("", 10),
        Stopping("web", 10),
        Stopping("stuck", 10),
        Stopping("bad", 10),
        Stopped("web", 11),
        Stopping("a", 11),
        Stopped("a.flaky", 11),
        Stopping("a.worker", 11),
        Stopped("a.worker", 12),
        Stopped("a", 12),
        Failed("bad", 13, OSError()),
        CutOff("stuck", 14),
        Abandoned("stuck", 14),
        Failed("", 14, OSError()),
    ]:
        ending(event)
    assert ending.seconds == 4
    assert ending.restarts == {"a.flaky": 1}
    lines = list(ending.lines())
    assert [line.split()[0] for line in lines] == ["web", "a.flaky", "a.worker", "bad", "stuck"]
    assert [line.split()[1] for line in lines] == ["1.000", "0.000", "1.000", "3.000", "4.000"]
    bars = [line.split()[3] for line in lines]
    assert {len(bar) for bar in bars} == {WIDTH}
    assert bars[-1] == "━" * WIDTH
    assert bars[0].startswith("━")
    assert bars[0].endswith("·")
    assert [line.split(maxsplit=4)[4:] for line in lines] == [
        [],
        [],
        [],
        ["failed"],
        ["cut off, but goes on"],
    ]


def test_the_ending_of_nothing() -> None:
    """Where nobody stopped, there is nothing to draw."""
    ending = Ending()
    assert (ending.seconds, list(ending.lines())) == (0, [])
    ending(Stopping("a", 5))
    ending(Stopped("a", 5))
    assert len(list(ending.lines())) == 1


def test_the_account_counts_lost_jobs(desk: Desk, rows: Rows, screen: Screen) -> None:
    """A job that was accepted and is no row is lost, also one that only a client knows of."""
    desk.accept("a")
    desk.accept("b")
    visitors = Visitors(seconds=1)
    visitors.receipts = [1, 99]
    with rows.connection() as db:
        rows.add(db, [desk.inbox.get_nowait()])
    account = account_of(desk, rows, visitors, restarts=3)
    assert account.lost == [2, 99]
    lines = "\n".join(account.lines(screen))
    assert "Lost, although accepted: [2, 99]" in lines
    assert "not done in time" in lines


def test_the_account_of_no_jobs_says_nothing_of_losses(screen: Screen) -> None:
    """It has the numbers only."""
    assert list(Account(frozenset(), frozenset(), {}).lines(screen)) == [
        "  jobs accepted      0",
        "  rows written       0",
    ]


def test_the_explanation_of_failures(screen: Screen) -> None:
    """What the outside world does is a sentence, anything else has its traceback; the code is 1."""
    stuck = StopTimeoutError(["s", "t"], {"s": "at x.py:1 in f", "t": ""}, ["t"])
    errors = [OSError(98, "no port"), KeyError("oops"), stuck]
    error = ConductorError("3 players failed", errors, ["web", "worker", ""])
    lines = list(explain(error, screen))
    assert "web failed: no port" in lines
    assert "worker failed:" in lines
    assert "KeyError: 'oops'" in lines
    assert "    at x.py:1 in f" in lines
    assert lines[-1].startswith("t may even go on")
    assert code_for(error) == 1


def test_exit_codes() -> None:
    """0 for a clean stop, 3 if somebody was only too slow."""
    assert code_for(None) == 0
    assert code_for(ConductorError("stuck", [StopTimeoutError(["s"])], [""])) == 3


@pytest.fixture
def record() -> logging.LogRecord:
    return logging.LogRecord("demo", logging.INFO, __file__, 1, "job %d is done", (1,), None)


def test_log_lines_are_short(screen: Screen, record: logging.LogRecord) -> None:
    """The time, the path of the player once, and the message."""
    lines = LogLines(screen)
    clock = time.strftime("%H:%M:%S", time.localtime(record.created))
    record.path = "jobs.worker"
    assert lines.format(record) == f"{clock}  jobs.worker: job 1 is done"
    record.msg = "jobs.worker: job %d is done"
    assert lines.format(record) == f"{clock}  jobs.worker: job 1 is done"
    lines.handle(record)
    assert printed(screen) == f"{clock}  jobs.worker: job 1 is done\n"


@pytest.mark.parametrize(("error", "shown"), [(ConnectionError("away"), 0), (KeyError("bug"), 1)])
def test_tracebacks_are_for_what_should_not_happen(
    screen: Screen, record: logging.LogRecord, error: Exception, shown: int
) -> None:
    """What others do to us is one line."""
    record.exc_info = (type(error), error, None)
    assert LogLines(screen).format(record).count("\n") == shown


def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, record: logging.LogRecord
) -> None:
    """And not even for those where NO_COLOR is set."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Screen(io.StringIO()).paint("x", BOLD) == "x"
    assert Screen(Terminal()).paint("x", BOLD) == "\033[1mx\033[0m"
    record.levelno = logging.ERROR
    assert "\033[31mjob 1 is done" in LogLines(Screen(Terminal())).format(record)
    monkeypatch.setenv("NO_COLOR", "1")
    assert Screen(Terminal()).paint("x", BOLD) == "x"


def printed(screen: Screen) -> str:
    assert isinstance(screen.stream, io.StringIO)
    return screen.stream.getvalue()
