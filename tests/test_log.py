"""Where the log lines go: loggers that users bring, the words for each event, the player's path."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestra import (
    Abandoned,
    BackingOff,
    Conductor,
    ConductorError,
    Context,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
    logger_from_logging,
    set_logger,
)
from orchestra import log as log_room
from orchestra.log import (
    PathFilter,
    check_logger,
    complains,
    default_logger,
    describe,
    in_words,
    inform_of,
    informs,
    log_event,
    player_path,
    report,
)


class Lines(logging.Handler):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


class Recording:
    """A logger of a user's that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, object]]] = []

    def info(self, msg: str, **attrs: object) -> None:
        self.told.append(("info", msg, attrs))

    def error(self, msg: str, **attrs: object) -> None:
        self.told.append(("error", msg, attrs))

    def with_group(self, name: str) -> "Recording":
        return self


class Broken(Recording):
    """A logger that fails at everything, even at saying what it is."""

    def info(self, msg: str, **attrs: object) -> None:
        raise LookupError(msg)

    error = info

    def __repr__(self) -> str:
        raise LookupError


@pytest.fixture
def service() -> Iterator[tuple[logging.Logger, Lines]]:
    """A standard logger of its own, and the records that it and those below it make."""
    logger = logging.getLogger("test_log.service")
    lines = Lines()
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger, lines
    logger.removeHandler(lines)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def orchestra_lines() -> Iterator[Lines]:
    """The records that the standard logger `orchestra` makes."""
    logger = logging.getLogger("orchestra")
    lines = Lines()
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


Service = tuple[logging.Logger, Lines]


# On top of the standard library


def test_attributes_become_the_extra_of_a_record(service: Service) -> None:
    """A line is a record at its level, and its attributes are attributes of the record."""
    logger = logger_from_logging(service[0])
    logger.info("api: started", path="api", restarts=3)
    logger.error("api: failed", path="api", exc_info=OSError("boom"))
    started, failed = service[1].records
    assert (started.levelname, started.getMessage()) == ("INFO", "api: started")
    assert (started.path, started.restarts) == ("api", 3)  # type: ignore[attr-defined]
    assert failed.levelname == "ERROR"
    assert failed.exc_info is not None
    assert str(failed.exc_info[1]) == "boom"


def test_the_levels_may_be_chosen(service: Service) -> None:
    """`info_level` and `error_level` say at which levels the lines are written."""
    logger = logger_from_logging(service[0], info_level=logging.DEBUG, error_level=logging.WARNING)
    logger.info("i")
    logger.error("e")
    logger.with_group("api").info("below")
    assert [one.levelname for one in service[1].records] == ["DEBUG", "WARNING", "DEBUG"]


def test_percent_signs_in_a_line_are_what_they_are(service: Service) -> None:
    """A message is text, and not a format."""
    logger_from_logging(service[0]).info("disk is 100% full: %s %d")
    assert service[1].messages == ["disk is 100% full: %s %d"]


def test_a_group_writes_to_the_child_logger_of_its_name(service: Service) -> None:
    """Lines of nested conductors can be told apart, and filtered, by the logger's name."""
    logger_from_logging(service[0]).with_group("jobs").with_group("mail").info("started")
    assert [one.name for one in service[1].records] == ["test_log.service.jobs.mail"]


reserved = sorted({*vars(logging.makeLogRecord({})), "message", "asctime"} - {"msg", "exc_info"})


@pytest.mark.parametrize("name", reserved)
def test_an_attribute_with_a_name_that_records_use_is_renamed(name: str, service: Service) -> None:
    """Instead of the `KeyError` that `logging` raises, the attribute gets an underscore."""
    logger_from_logging(service[0]).info("a line", **{name: "mine"})
    (record,) = service[1].records
    assert getattr(record, f"{name}_") == "mine"
    assert record.getMessage() == "a line"


def test_an_attribute_with_a_name_that_the_programs_records_use_is_renamed(
    service: Service,
) -> None:
    """A record factory of the program's adds names of its own, and no line is lost for it."""
    usual = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = usual(*args, **kwargs)
        record.path = "set by the program"
        return record

    logging.setLogRecordFactory(factory)
    try:
        logger_from_logging(service[0]).info("a line", path="api")
    finally:
        logging.setLogRecordFactory(usual)
    logger_from_logging(service[0]).info("another", path="api")
    with_factory, without = service[1].records
    assert (with_factory.path, with_factory.path_) == ("set by the program", "api")  # type: ignore[attr-defined]
    assert without.path == "api"  # type: ignore[attr-defined]


class Tagging(logging.LoggerAdapter[logging.Logger]):
    """An adapter of a program's that changes the message."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        msg, kwargs = super().process(msg, kwargs)
        return f"[tag] {msg}", kwargs


def test_an_adapter_keeps_what_it_adds(service: Service) -> None:
    """With a `LoggerAdapter`, records have its attributes and ours, also in nested groups."""
    adapter = Tagging(
        logging.LoggerAdapter(service[0], {"deep": 1}), {"service": "shop", "path": "x"}
    )  # type: ignore[arg-type]
    logger = logger_from_logging(adapter)
    logger.info("started", path="api", restarts=2)
    logger.with_group("jobs").error("failed", path="jobs.mail")
    one, other = service[1].records
    assert service[1].messages == ["[tag] started", "[tag] failed"]
    assert (one.path, one.restarts, one.deep) == ("api", 2, 1)  # type: ignore[attr-defined]
    assert other.name == "test_log.service.jobs"
    assert adapter.logger.logger is service[0]  # type: ignore[attr-defined]


def test_an_adapter_without_attributes_will_do(service: Service) -> None:
    """An adapter that adds nothing adds nothing."""
    logger_from_logging(logging.LoggerAdapter(service[0])).info("started", path="api")
    assert service[1].records[0].path == "api"  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [None, "orchestra", logging, logging.Logger, Recording()])
def test_what_is_no_standard_logger_is_refused(wrong: Any) -> None:
    """`logger_from_logging` says what it needs."""
    with pytest.raises(TypeError, match=r"a logging\.Logger is needed"):
        logger_from_logging(wrong)


@pytest.mark.parametrize("level", ["INFO", None, 1.5])
def test_what_is_no_level_is_refused(level: Any, service: Service) -> None:
    """A level by name is told that it is a number."""
    for kwargs in ({"info_level": level}, {"error_level": level}):
        with pytest.raises(TypeError, match="a level is a number"):
            logger_from_logging(service[0], **kwargs)


def test_whether_a_line_would_be_seen_is_known_before_it_is_made(service: Service) -> None:
    """A level that is off costs nothing; and a logger of a user's is asked for each line."""
    logger = logger_from_logging(service[0])
    assert informs(logger)
    assert complains(logger)
    service[0].setLevel(logging.ERROR)
    assert not informs(logger)
    assert complains(logger)
    service[0].setLevel(logging.CRITICAL)
    assert not complains(logger)
    assert informs(Recording())
    assert complains(Recording())


# The one that counts where there is no other


def test_the_logger_of_all_conductors_can_be_set_and_set_back() -> None:
    """`set_logger` counts for what starts to play from then on, and None sets the standard back."""
    standard = default_logger()
    mine = Recording()
    set_logger(mine)
    try:
        assert default_logger() is mine
    finally:
        set_logger(None)
    assert default_logger() is standard


@pytest.mark.virtual_time
async def test_a_logger_that_was_set_gets_the_lines() -> None:
    """A conductor without a logger writes to the one that was set."""
    mine = Recording()
    set_logger(mine)
    try:

        async def brief(ctx: Context) -> None: ...

        await Conductor({"a": brief}).play(Context())
    finally:
        set_logger(None)
    assert ("info", "a: started", {"path": "a"}) in mine.told


def test_by_default_lines_go_to_the_logger_orchestra(orchestra_lines: Lines) -> None:
    """The standard library's logger `orchestra` gets what is not sent elsewhere."""
    default_logger().error("a line", path="api")
    assert orchestra_lines.messages == ["a line"]


@pytest.mark.parametrize("wrong", [logging.getLogger("x"), logging.LoggerAdapter(logging.root)])
def test_a_standard_logger_is_told_how_to_become_one(wrong: Any) -> None:
    """A standard logger lacks a method, and the error says what makes a `Logger` of it."""
    with pytest.raises(TypeError, match=r"use logger_from_logging\(\.\.\.\)"):
        check_logger(wrong)


@pytest.mark.parametrize("wrong", [5, "x", object(), Recording])
def test_what_is_no_logger_is_refused(wrong: Any) -> None:
    """The error says what a `Logger` has; a class is none."""
    for take in (check_logger, set_logger):
        with pytest.raises(TypeError, match="a Logger has info"):
            take(wrong)


# The path on any record


def test_the_filter_puts_the_players_path_on_records_of_any_library(service: Service) -> None:
    """While a player plays, its path is on every record, and "" is there otherwise."""
    handler = service[1]
    handler.addFilter(PathFilter())
    service[0].info("before")
    token = player_path.set("api.worker")
    try:
        service[0].info("from a library")
        service[0].info("has a path", extra={"path": "its own"})
    finally:
        player_path.reset(token)
    assert [one.path for one in handler.records] == ["", "api.worker", "its own"]  # type: ignore[attr-defined]


@pytest.mark.virtual_time
async def test_the_path_is_known_in_all_that_a_player_calls(service: Service) -> None:
    """Tasks and threads that a player makes are its own; those of others are theirs."""
    service[1].addFilter(PathFilter())
    thread_of_another = threading.Thread(target=service[0].info, args=("another",))

    async def worker(ctx: Context) -> None:
        import asyncio

        service[0].info("itself")
        await asyncio.gather(asyncio.to_thread(service[0].info, "thread"), task())

    async def task() -> None:
        service[0].info("task")

    def plain() -> None:
        service[0].info("plain")
        thread_of_another.start()
        thread_of_another.join()

    await Conductor({"jobs": Conductor({"worker": worker, "plain": plain})}).play(Context())
    paths = {one.getMessage(): one.path for one in service[1].records}  # type: ignore[attr-defined]
    assert paths == {
        "itself": "jobs.worker",
        "thread": "jobs.worker",
        "task": "jobs.worker",
        "plain": "jobs.plain",
        "another": "",
    }


# An event in words

error = OSError("away")
words: list[tuple[Event, str, dict[str, object], bool]] = [
    (Started("api", 0.0), "api: started", {}, False),
    (Started("api", 0.0, 3), "api: started again", {"restarts": 3}, False),
    (Started("", 0.0), "conductor: started", {}, False),
    (
        Ready("api", 0.0, {"ports": [80, 81], "tls": None}),
        "api: ready ports=80, 81 tls=None",
        {"details": {"ports": [80, 81], "tls": None}},
        False,
    ),
    (
        Failed("api", 0.0, error, 2),
        "api: failed: OSError: away",
        {"error": error, "restarts": 2, "exc_info": error},
        True,
    ),
    (
        BackingOff("api", 0.0, 0.25, 3, error),
        "api: failed: OSError: away; restart 3 in 0.25 s",
        {"delay": 0.25, "restarts": 3, "error": error, "exc_info": error},
        True,
    ),
    (
        BackingOff("api", 0.0, 3600.0, 3),
        "api: ended, next run in 1 h 0 m",
        {"delay": 3600.0, "restarts": 3},
        False,
    ),
    (Stopping("api", 0.0), "api: stopping", {"reason": None}, False),
    (Stopping("api", 0.0, "SIGTERM"), "api: stopping: SIGTERM", {"reason": "SIGTERM"}, False),
    (Stopped("api", 0.0), "api: stopped", {}, False),
    (
        CutOff("api", 0.0, "at a.py:1"),
        "api: cut off, it did not stop in time",
        {"where": "at a.py:1"},
        True,
    ),
    (
        Abandoned("api", 0.0, "at a.py:1"),
        "api: abandoned, cutting it off did not end it",
        {"where": "at a.py:1"},
        True,
    ),
    (Skipped("api", 0.0), "api: skipped, this conductor plays here already", {}, False),
]


@pytest.mark.parametrize(
    ("event", "text", "attrs", "is_error"), words, ids=[type(one[0]).__name__ for one in words]
)
def test_each_event_is_one_line(
    event: Event, text: str, attrs: dict[str, object], is_error: bool
) -> None:
    """A line has the full path, what happened in words, and the same as attributes."""
    assert describe(event) == (text, attrs, is_error)
    logger = Recording()
    log_event(logger, event)
    assert logger.told == [("error" if is_error else "info", text, {"path": event.path, **attrs})]


@pytest.mark.parametrize(
    "event",
    [Ready("api", 0.0, implied=True), Failed("api", 0.0, error, 1, final=False), Event("api", 0.0)],
)
def test_what_another_event_tells_is_not_logged_twice(event: Event) -> None:
    """There is one line per change of state."""
    logger = Recording()
    log_event(logger, event)
    assert describe(event) is None
    assert not logger.told


def test_the_traceback_of_a_group_is_not_logged_again() -> None:
    """The failures in a group have had lines of their own."""
    described = describe(Failed("api", 0.0, ConductorError("1 player failed", [error], ["a"])))
    assert described is not None
    assert "exc_info" not in described[1]


@pytest.mark.parametrize("event", [one[0] for one in words])
def test_events_are_frozen_values(event: Event) -> None:
    """An event can't be changed by the observers that share it."""
    with pytest.raises(AttributeError):
        event.path = "other"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        event.mine = 1  # type: ignore[attr-defined]


# Nothing that fails here hurts


def test_a_logger_that_fails_is_reported_and_hurts_nobody(orchestra_lines: Lines) -> None:
    """What a logger raises is told to the standard logger, even if it can't be named."""
    log_event(Broken(), Started("api", 0.0))
    (record,) = orchestra_lines.records
    assert record.getMessage().startswith("the logger <test_log.Broken object")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_a_report_has_its_attributes(orchestra_lines: Lines) -> None:
    """A report takes attributes of any name."""
    report("something is wrong", OSError("boom"), path="api", name="mine")
    (record,) = orchestra_lines.records
    assert (record.path, record.name_) == ("api", "mine")  # type: ignore[attr-defined]
    assert record.exc_info is not None


def test_a_report_that_fails_hurts_nobody() -> None:
    """Where even the standard logger raises, there is nobody left to tell."""

    def broken(record: logging.LogRecord) -> bool:
        raise LookupError

    logger = logging.getLogger("orchestra")
    logger.addFilter(broken)
    try:
        log_event(Broken(), Started("api", 0.0))
    finally:
        logger.removeFilter(broken)


class Speechless(Exception):
    """An exception that has no text to give."""

    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (OSError("away"), "OSError: away"),
        (OSError(), "OSError"),
        (ValueError("two\n  lines\n"), "ValueError: two lines"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (
            ConductorError("2 players failed", [OSError(), OSError()]),
            "ConductorError: 2 players failed",
        ),
        (Speechless(), "Speechless: (its text can't be had: LookupError)"),
    ],
)
def test_an_exception_is_told_in_one_line(raised: BaseException, text: str) -> None:
    """Its type, and its text if it has one."""
    assert in_words(raised) == text


def test_the_names_are_looked_up_once_per_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many lines are written with one look at what records are made of."""
    calls = []
    usual: Callable[..., logging.LogRecord] = logging.makeLogRecord
    monkeypatch.setattr(logging, "makeLogRecord", lambda given: calls.append(1) or usual(given))
    log_room._taken_names.cache_clear()
    for _ in range(5):
        default_logger().error("a line")
    assert len(calls) == 1


def test_a_line_that_nobody_wants_is_not_made() -> None:
    """Below the level of its logger, a line costs no more than the question."""
    asked = []

    class Adapter(logging.LoggerAdapter[logging.Logger]):
        def process(self, msg: str, kwargs: Any) -> Any:
            asked.append(msg)
            return msg, kwargs

    logger = logging.getLogger("orchestra-test-strict")
    logger.setLevel(logging.ERROR)
    lines = logger_from_logging(Adapter(logger, {}))
    lines.info("quiet")
    lines.error("loud")
    assert asked == ["loud"]


# What a player has to tell itself


@pytest.mark.virtual_time
async def test_a_player_has_the_logger_of_its_conductor() -> None:
    """The nearest one above: that of its group, or of the group around that."""
    logger = Recording()
    found: list[object] = []

    async def tells(ctx: Context) -> None:
        found.append(ctx.logger)
        found.append(ctx.child().logger)

    inner = Conductor({"b": tells})
    await Conductor({"a": tells, "inner": inner}, logger=logger).play(Context())
    assert found == [logger] * 4


@pytest.mark.virtual_time
async def test_a_context_of_no_player_has_the_default_logger() -> None:
    """Also while something plays over it."""
    ctx = Context()
    found = [ctx.logger]

    async def player() -> None:
        found.append(ctx.logger)

    await Conductor({"a": player}, logger=Recording()).play(ctx)
    assert found == [default_logger()] * 2


# Many lines of one player


def printed(service: Service, lines: list[str]) -> list[logging.LogRecord]:
    """The records of these lines, as a command prints them."""
    inform_of(logger_from_logging(service[0]), lines, path="api", stream="stdout", name="mine")
    return service[1].records


def test_many_lines_are_a_record_each(service: Service) -> None:
    """Each has all of the attributes, and none of them is a format."""
    one, other = printed(service, ["100% full: %s", "two"])
    assert [one.getMessage(), other.getMessage()] == ["100% full: %s", "two"]
    assert (one.levelname, one.name, one.threadName) == ("INFO", service[0].name, "MainThread")
    assert (other.path, other.stream, other.name_) == ("api", "stdout", "mine")  # type: ignore[attr-defined]
    one.path = "changed"
    assert other.path == "api"  # type: ignore[attr-defined]


def test_many_lines_are_made_by_the_programs_factory(service: Service) -> None:
    """A record factory of the program's makes each of them."""

    class Numbered(logging.LogRecord):
        number = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            Numbered.number += 1
            self.number = Numbered.number

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Numbered)
    try:
        records: Any = printed(service, ["one", "two"])
    finally:
        logging.setLogRecordFactory(before)
    assert [one.number - records[0].number for one in records] == [0, 1]
    assert records[1].path == "api"


def test_many_lines_go_through_an_adapter(service: Service) -> None:
    """It has its say on each."""
    logger = logger_from_logging(Tagging(service[0], {"service": "shop"}))
    inform_of(logger, ["one", "two"], path="api")
    assert service[1].messages == ["[tag] one", "[tag] two"]


def test_many_lines_that_nobody_hears_cost_nothing(service: Service) -> None:
    """Below the level of the logger, no record is made of them."""
    service[0].setLevel(logging.WARNING)
    assert printed(service, ["one"]) == []


@pytest.mark.parametrize("own", [False, True])
def test_a_line_that_can_not_be_logged_keeps_no_other(
    own: bool, service: Service, orchestra_lines: Lines
) -> None:
    """What the logger raises for one line is told, and the next line is logged."""

    def picky(record: logging.LogRecord) -> bool:
        if record.getMessage() == "bad":
            raise LookupError("bad")
        return True

    class Picky(Recording):
        def info(self, msg: str, **attrs: object) -> None:
            if msg == "bad":
                raise LookupError("bad")
            super().info(msg, **attrs)

    recording = Picky()
    service[0].addFilter(picky)
    try:
        logger = recording if own else logger_from_logging(service[0])
        inform_of(logger, ["one", "bad", "two", "bad"], path="api")
    finally:
        service[0].removeFilter(picky)
    seen = [msg for _, msg, _ in recording.told] if own else service[1].messages
    assert seen == ["one", "two"]
    assert len(orchestra_lines.records) == 2
