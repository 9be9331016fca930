"""The lines of `orchestra play`: what each says, and how it looks."""

import io
import json
import logging
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra import (
    Abandoned,
    BackingOff,
    ConductorError,
    CutOff,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
    StopTimeoutError,
)
from orchestra.cli.output.display import Display
from orchestra.cli.output.ending import Account, exit_code, reasons
from orchestra.cli.output.line import Line
from orchestra.cli.output.style import Text, color_of, in_json, wants_color
from orchestra.cli.output.telling import line_of_event, line_of_record, tells_an_event
from orchestra.cli.output.traces import trace_of
from orchestra.cli.output.waiting import announcement, still_there, waited_for, waiting
from orchestra.errors import CommandFailedError
from orchestra.log import default_logger, describe
from orchestra.status import Players, PlayerStatus, State

EVENTS = [
    Started("web", 0.0),
    Started("web", 0.0, 2),
    Ready("web", 0.0, {"pid": 3}),
    Failed("web", 0.0, OSError("no")),
    BackingOff("web", 0.0, 0.5, 1, OSError("no")),
    BackingOff("web", 0.0, 0.5, 1),
    Stopping("web", 0.0, "SIGTERM"),
    Stopped("web", 0.0),
    CutOff("web", 0.0),
    Abandoned("web", 0.0),
    Skipped("web", 0.0),
]


def shown(event: Any, **style: Any) -> str:
    line = line_of_event(event)
    assert line is not None
    return Text(**style)(line)


def test_each_event_has_a_sign_and_a_word() -> None:
    """What happens is told by a sign and in words, so that nobody needs colours to read it."""
    assert [shown(event) for event in EVENTS] == [
        "web ▸ started",
        "web ↻ started again",
        "web ✓ ready pid=3",
        "web ✗ failed: OSError: no",
        "web ↻ failed: OSError: no; restart 1 in 0.5 s",
        "web ↻ ended, next run in 0.5 s",
        "web □ stopping: SIGTERM",
        "web ■ stopped",
        "web ! cut off, it did not stop in time",
        "web ! abandoned, cutting it off did not end it",
        "web · skipped, this conductor plays here already",
    ]


def test_what_another_line_tells() -> None:
    """A failure that a restart mends, and a readiness that says nothing, have no line of their own."""
    assert line_of_event(Failed("web", 0.0, OSError(), 0, False)) is None
    assert line_of_event(Ready("web", 0.0, implied=True)) is None


def test_events_as_json() -> None:
    """An event has its name and all that it says, with errors in words."""
    line = line_of_event(BackingOff("web", 1.5, 0.5, 1, CommandFailedError("x", 3)))
    assert line is not None
    assert json.loads(in_json(line)) == {
        "time": "1970-01-01T00:00:01.500+00:00",
        "path": "web",
        "event": "backing_off",
        "message": "failed: CommandFailedError: x exited with code 3; restart 1 in 0.5 s",
        "delay": 0.5,
        "restarts": 1,
        "error": "CommandFailedError: x exited with code 3",
        "returncode": 3,
    }


class Odd:
    """An object that has no text."""

    def __repr__(self) -> str:
        raise OSError("no text")


def test_objects_without_a_text() -> None:
    """Not even an object whose text can't be had keeps a line from being printed."""
    line = line_of_event(Stopping("web", 0.0, Odd()))
    assert line is not None
    assert line.text == "stopping"
    assert "Odd object" in in_json(line)


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: type(one).__name__)
def test_no_event_is_told_twice(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What the logger writes about an event is known as such, and other lines of it are not."""
    with caplog.at_level(logging.INFO, "orchestra"):
        told = describe(event)
        assert told is not None
        default_logger().info(told[0], path=event.path)
        default_logger().info("web: 3 processes could not be killed", path="web")
        default_logger().info(told[0], path=event.path, stream="stdout")
        logging.getLogger("orchestra").info(told[0], extra={"path": event.path})
    assert [tells_an_event(record) for record in caplog.records] == [True, False, False, False]


def test_records(caplog: pytest.LogCaptureFixture) -> None:
    """A command's output is shown as it is; a log line with its logger, and its level if it is none of the usual."""
    with caplog.at_level(logging.DEBUG):
        default_logger().info("listening", path="web", stream="stderr")
        default_logger().error("web: is odd", path="web")
        logging.getLogger("shop").info("sold %d\nin all", 3)
        logging.getLogger("shop").warning("short of stock")
        try:
            raise ValueError("x")
        except ValueError:
            logging.getLogger("shop").exception("broken", stack_info=True)
    text = [Text(own="app")(line_of_record(record)) for record in caplog.records]
    assert text[:4] == [
        "web │ listening",
        "web ✗ is odd",
        "app · shop: sold 3\napp │ in all",
        "app ! WARNING shop: short of stock",
    ]
    assert text[4].startswith("app ✗ ERROR shop: broken\napp │ Traceback (most recent call last):")
    assert "app │ Stack (most recent call last):" in text[4]
    found = json.loads(in_json(line_of_record(caplog.records[0])))
    assert (found["stream"], found["message"]) == ("stderr", "listening")
    found = json.loads(in_json(line_of_record(caplog.records[4])))
    assert (found["level"], found["logger"]) == ("ERROR", "shop")
    assert "ValueError: x" in found["exception"]


def test_the_prefix() -> None:
    """The path stands before each line, padded for the longest so far; the program's own name for itself."""
    style = Text(own="shop")
    style.expect("jobs.mailer")
    assert style(Line(0.0, "web", "output", "x", ("y",))) == "web         │ x\nweb         │ y"
    assert style(Line(0.0, "", "note", "x")) == "shop        · x"
    style.expect("x" * 100)
    assert style(Line(0.0, "web", "output", "x")) == "web" + " " * 29 + " │ x"


def test_without_a_prefix() -> None:
    """A command's output is left as it is, and what is said about a player begins with its path."""
    style = Text(prefix=False, own="shop")
    assert style(Line(0.0, "web", "output", "x")) == "x"
    assert style(Line(0.0, "web", "ready", "ready")) == "web ✓ ready"
    assert style(Line(0.0, "", "note", "x")) == "shop · x"


def test_timestamps() -> None:
    """Each line begins with the time of day if that is asked for."""
    for prefix in (True, False):
        line = Text(timestamps=True, prefix=prefix)(Line(1.25, "web", "output", "x"))
        assert line[8:13] == ".250 "
        assert line.endswith("x")


def test_colours() -> None:
    """A path has its colour in every run; what is wrong is red, and without colours nothing is."""
    style = Text(color=True)
    assert style(Line(0.0, "web", "failed", "no")) == (
        f"\033[{color_of('web')}mweb\033[0m \033[31m✗\033[0m \033[31mno\033[0m"
    )
    assert color_of("web") == color_of("web")
    assert len({color_of(str(number)) for number in range(50)}) > 5
    assert "\033" not in Text()(Line(0.0, "web", "failed", "no"))
    ascii_only = Text(ascii_only=True)(Line(0.0, "web", "failed", "no", ("more",)))
    assert ascii_only == "web x no\nweb | more"


@pytest.mark.parametrize(
    ("mode", "is_terminal", "env", "wanted"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_who_wants_colours(mode: Any, is_terminal: bool, env: dict[str, str], wanted: bool) -> None:
    """What is said on the command line counts most, then NO_COLOR, then what kind of output it is."""
    assert wants_color(mode, is_terminal=is_terminal, env=env) is wanted


@pytest.mark.parametrize(
    ("text", "plain", "colored"),
    [
        ("\033[31mred\033[0m", "red", "\033[31mred\033[0m\033[0m"),
        ("\033[2J\033[Hcleared", "cleared", "cleared"),
        ("\033]0;title\007x", "0;titlex", "0;titlex"),
        ("10 %\r20 %\r", "20 %", "20 %"),
        ("a\tb\0c", "a       bc", "a       bc"),
        ("\033", "", ""),
    ],
)
def test_what_moves_the_cursor(text: str, plain: str, colored: str) -> None:
    """Of what a command prints, colours pass where there are colours; nothing else changes the screen."""
    line = Line(0.0, "web", "output", text)
    assert Text(prefix=False)(line) == plain
    assert Text(prefix=False, color=True)(line) == colored


@given(st.text(), st.booleans())
def test_any_output_is_one_line(text: str, color: bool) -> None:
    """Whatever a command prints stays within its line."""
    shown = Text(color=color)(Line(0.0, "web", "output", text.replace("\n", " ")))
    assert len(shown.split("\n")) == 1


# Tracebacks


async def work() -> None:
    raise KeyError("x")


def test_tracebacks_have_the_frames_of_the_user() -> None:
    """Frames of this library are left out, also of what an exception came from, and so are our notes."""
    from orchestra import CommandPlayer, Conductor, run

    async def player() -> None:
        try:
            await work()
        except KeyError as error:
            raise ValueError("y") from error

    with pytest.raises(ConductorError) as caught:
        run(Conductor({"p": player}))
    lines = trace_of(caught.value.failures["p"])
    assert not any("src/orchestra" in line for line in lines)
    assert not any("raised by player" in line for line in lines)
    assert "KeyError: 'x'" in lines
    assert lines[-1] == "ValueError: y"
    assert trace_of(ValueError("never raised")) == ()
    with pytest.raises(ConductorError) as caught:
        run(Conductor({"p": CommandPlayer("no-such-command")}))
    assert trace_of(caught.value.failures["p"]) == ()  # its text says it all
    assert trace_of(caught.value) == ()
    assert trace_of(StopTimeoutError(["a"])) == ()


# While it stops


def status(path: str, state: State, *players: PlayerStatus, kind: str = "x") -> PlayerStatus:
    return PlayerStatus(
        path.rpartition(".")[2], path, kind, state, False, 0.0, players=Players(players)
    )


def test_whom_it_waits_for() -> None:
    """Those at the ends of the tree that have been asked, and are not over."""
    tree = status(
        "",
        State.STOPPING,
        status("a", State.STOPPING),
        status("g", State.STOPPING, status("g.b", State.CUT_OFF), status("g.c", State.STOPPED)),
        status("d", State.READY),
        status("e", State.STOPPING, kind="group"),
    )
    assert waited_for(tree) == ["a", "g.b"]
    assert still_there(tree) == ["a", "g.b", "d"]


def test_what_is_said_while_it_stops() -> None:
    """How many stop and why, how to force it where that is by the keyboard, and who is left."""
    assert announcement(7, "SIGINT") == "stopping 7 players (Ctrl-C again to force)"
    assert announcement(1, "SIGTERM") == "stopping 1 player: SIGTERM"
    assert announcement(0, None) == "stopping"
    assert waiting(["a"], 1) == "waiting for a, for 1 s now"
    many = [f"p{number}" for number in range(20)]
    assert waiting(many, 61) == (
        "waiting for p0, p1, p2, p3, p4, p5, p6 and 13 more, for 1 m 1 s now"
    )


# At the end


def test_exit_codes() -> None:
    """3 only if nothing but the time to stop was over."""
    late = StopTimeoutError(["a"])
    assert exit_code(None) == 0
    assert exit_code(ValueError()) == 1
    assert exit_code(late) == 3
    assert exit_code(ConductorError("x", [late])) == 3
    assert exit_code(ConductorError("x", [late, ValueError()])) == 1


def summary(*events: Any) -> str:
    account = Account()
    for event in events:
        account(event)
    return account.summary(0).text


def test_the_summary() -> None:
    """It says how long the stop took, from the signal or the failure on, and how many restarts there were."""
    begun = [Started("", 10.0), Started("a", 10.0), Started("a", 11.0, 1)]
    assert summary(*begun, Stopping("", 20.0), Stopping("a", 20.0), Stopped("a", 22.0)) == (
        "stopped in 2 s, 1 restart, exit code 0"
    )
    assert summary(*begun, Failed("a", 20.0, OSError()), Stopped("", 20.5)) == (
        "stopped in 0.5 s, 1 restart, exit code 0"
    )
    assert (
        summary(*begun, Stopped("a", 73.0))
        == "ended by itself after 1 m 3 s, 1 restart, exit code 0"
    )
    by_hand = [Failed("a", 20.0, OSError()), Started("a", 21.0, 2), Stopped("a", 22.0)]
    assert summary(*begun, *by_hand) == "ended by itself after 12 s, 2 restarts, exit code 0"
    assert summary() == "ended by itself after 0 s, 0 restarts, exit code 0"


def test_the_reasons() -> None:
    """Each player that failed is named, with its last lines; whoever was late, with where it was."""
    try:
        raise ValueError("y")
    except ValueError as error:
        broken = error
    command = CommandFailedError("x", 3, lines=["one", "two"])
    command.add_note("after 2 restarts")
    late = StopTimeoutError(["c"], {"c": "at app.py:3 in work\nat app.py:4"})
    failure = ConductorError("x", [command, broken, broken, late], ["g.a", "b", "b", ""])
    lines = list(reasons(failure, {"g.a": ["two"], "b": ["last"]}, 5.0))
    assert [(line.path, line.text) for line in lines] == [
        ("g.a", "failed: CommandFailedError: x exited with code 3, after 2 restarts"),
        ("b", "failed: ValueError: y"),
        ("", "did not stop in time: c"),
    ]
    assert lines[0].more == ("its last lines:", "  two")
    assert lines[1].more[-3:] == ("ValueError: y", "its last lines:", "  last")
    assert lines[2].more == ("c", "  at app.py:3 in work", "  at app.py:4")
    (alone,) = reasons(command, {}, 0.0)
    assert alone.more == ("its last lines:", "  one", "  two")
    (alone,) = reasons(late, {}, 0.0)
    assert alone.values["left"] == ["c"]


# What prints


def test_the_display_and_levels() -> None:
    """What is below the level is left out, but never what a command prints."""
    out = io.StringIO()
    display = Display(out, Text(), logging.WARNING)
    with display.installed():
        display.observe(Ready("web", 0.0))
        display.observe(CutOff("web", 0.0))
        default_logger().info("printed", path="web", stream="stdout")
        logging.getLogger("shop").info("sold")
        logging.getLogger("shop").warning("short")
    logging.getLogger("shop").error("later")
    assert out.getvalue().splitlines()[1:] == [
        "web │ printed",
        "orchestra ! WARNING shop: short",
    ]
    assert display.last_lines["web"] == display.last_lines["web"].__class__(["printed"])


def test_the_same_traceback_again() -> None:
    """A traceback is shown once, and then only that it is the same; that of the end is left to the end."""
    try:
        raise ValueError("y")
    except ValueError as error:
        broken = error
    out = io.StringIO()
    display = Display(out, Text())
    display.observe(BackingOff("web", 0.0, 0.5, 1, broken))
    display.observe(BackingOff("web", 0.0, 0.5, 2, broken))
    display.observe(Failed("web", 0.0, broken))
    assert out.getvalue().count("Traceback") == 1
    assert "web │ (the same traceback as before)\n" in out.getvalue()
    assert out.getvalue().endswith("web ✗ failed: ValueError: y\n")


class Gone(io.StringIO):
    """A terminal that is closed."""

    tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise OSError(5, "Input/output error")


def test_nobody_reads_any_more() -> None:
    """A stream that can't be written to ends nothing, and is left alone from then on."""
    gone = Gone()
    display = Display(gone, Text())
    display.write("x")
    display.write("y")
    assert gone.tried == 1


def test_a_record_that_can_not_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A log line whose text can't be had is told of as logging does it."""
    record = {"msg": "%d", "args": ("x",), "levelno": logging.WARNING}
    Display(sys.stdout, Text()).handle(logging.makeLogRecord(record))
    assert "Logging error" in capsys.readouterr().err


def test_from_many_threads() -> None:
    """Lines of many threads do not mix."""
    out = io.StringIO()
    display = Display(out, Text(prefix=False))

    def write() -> None:
        for _ in range(100):
            display.print(Line(0.0, "web", "output", "x" * 50))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(out.getvalue().splitlines()) == {"x" * 50}
