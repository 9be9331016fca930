"""The recorder: lines and events of each player, bounded, and numbered to resume from."""

import asyncio
import gc
import json
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from groups import Show, show, turns
from orchestra import Conductor, Context, Failed, Logger, Started, Stopping
from orchestra.testing import FakePlayer, Take, ends, fails, plays
from orchestra.web.record import recorder as module
from orchestra.web.record.entries import EventRecord, LogLine
from orchestra.web.record.recorder import Recorder, Slice

pytestmark = pytest.mark.virtual_time

log = logging.getLogger("theirs")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """As a program sets them up that wants to see what goes on."""
    loggers = [logging.getLogger(name) for name in ("", "orchestra", "theirs")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def says(*lines: str, after: float = 0.0, error: Exception | None = None) -> Any:
    """Log these lines, then play on, or fail."""

    async def step(take: Take) -> None:
        for line in lines:
            log.info(line)
        if error is None:
            await take.until_asked()
        else:
            await take.sleep(after)
            raise error

    return step


class Recorded:
    """A conductor that plays and is recorded."""

    def __init__(self, conductor: Conductor, recorder: Recorder) -> None:
        self.recorder = recorder
        self.show = Show(conductor)
        self._detach = recorder.attach(self.show.performance)

    def texts(self, path: str = "", **which: Any) -> list[str]:
        return [line.text.partition("\n")[0] for line in self.recorder.lines(path, **which)]

    async def end(self) -> Exception | None:
        error = await self.show.end()
        self._detach()
        return error


async def recorded(conductor: Conductor, after: float = 1.0, **sizes: Any) -> Recorded:
    one = Recorded(conductor, Recorder(**sizes))
    await asyncio.sleep(after)
    return one


# Lines


async def test_lines_are_their_players() -> None:
    """Of whatever library, in the player's own code, its tasks and its threads."""

    async def worker(ctx: Context) -> None:
        log.info("mine")
        task = asyncio.create_task(helper())
        await asyncio.to_thread(log.warning, "of a thread")
        await task
        await ctx.wait()

    async def helper() -> None:
        log.info("of a task")

    other = FakePlayer(says("another's"))
    one = await recorded(Conductor({"group": Conductor({"worker": worker}), "other": other}))
    log.info("nobody's")
    assert sorted(one.texts("group.worker")) == [
        "group.worker: started",
        "mine",
        "of a task",
        "of a thread",
    ]
    assert "another's" in one.texts("other")
    assert set(one.texts("group.worker")) < set(one.texts("group"))
    assert "nobody's" not in one.texts("group")
    assert "nobody's" in one.texts()
    assert await one.end() is None


@pytest.mark.parametrize("heard", ["all", "errors", "nothing"])
async def test_a_change_of_state_is_one_line_whoever_logs_it(heard: str) -> None:
    """What the standard logger has written is not there twice, and without it it is there as well."""
    level = {"all": logging.INFO, "errors": logging.ERROR, "nothing": logging.CRITICAL}[heard]
    logging.getLogger("orchestra").setLevel(level)
    player = FakePlayer(says("first", error=OSError("x"), after=1), says("second"), backoff=[5])
    one = await recorded(Conductor({"a": player}), after=10)
    assert one.texts("a") == [
        "a: started",
        "first",
        "a: failed: OSError: x; restart 1 in 5 s",
        "a: started again",
        "second",
    ]
    failed = one.recorder.lines("a")[2]
    assert (failed.level, failed.source) == ("error", "orchestra")
    assert "raise error" in failed.text
    assert failed.text.splitlines()[1] == "Traceback (most recent call last):"
    assert await one.end() is None


async def test_lines_are_of_this_run_or_of_the_one_before() -> None:
    """What is older is gone; the line that tells of a start belongs to the run that starts."""
    steps = [says(f"run {number}", error=OSError("x"), after=1) for number in (1, 2)]
    player = FakePlayer(*steps, says("run 3"), backoff=[1, 1])
    one = await recorded(Conductor({"a": player, "b": FakePlayer(says("b"))}), after=10)
    failed = "a: failed: OSError: x; restart 2 in 1 s"
    assert one.texts("a", runs="previous") == ["a: started again", "run 2", failed]
    assert one.texts("a", runs="current") == ["a: started again", "run 3"]
    assert one.texts("a") == one.texts("a", runs="previous") + one.texts("a", runs="current")
    assert one.texts("b", runs="previous") == []
    assert [line.run for line in one.recorder.lines("a")] == [2, 2, 2, 3, 3]
    assert await one.end() is None


async def test_a_busy_run_does_not_push_out_the_previous() -> None:
    """Each of the two has its own room, and of a busy one the newest lines stay."""
    player = FakePlayer(
        says("before", error=OSError("x"), after=1), says(*map(str, range(100))), backoff=[1]
    )
    one = await recorded(Conductor({"a": player}), after=5, lines=5)
    assert one.texts("a", runs="current") == ["95", "96", "97", "98", "99"]
    assert "before" in one.texts("a", runs="previous")
    assert one.texts("a", limit=2) == ["98", "99"]
    assert one.texts("a", limit=0) == []
    assert await one.end() is None


async def test_all_lines_together_are_bounded() -> None:
    """However many players there are, and whatever they are called."""
    one = await recorded(Conductor(stop_when="never"), most=50)
    for number in range(300):
        name = f"p{number}"
        one.show.conductor.add(name, FakePlayer(says("a", "b")))
        await turns(3)
        await one.show.conductor.remove(name)
    recorder = one.recorder
    assert len(recorder.lines()) == 50
    assert len(recorder.events()) <= 50
    assert len(recorder._recent) == 50
    assert len(recorder._runs) <= 51
    assert await one.end() is None


async def test_a_path_in_a_record_is_a_players_or_nothing() -> None:
    """A web framework may log the path of a request under the same name."""

    async def api(ctx: Context) -> None:
        log.info("a request", extra={"path": "/index.html"})
        log.info("a number", extra={"path": 7})
        log.info("for another", extra={"path": "db"})
        await ctx.wait()

    one = await recorded(Conductor({"db": FakePlayer(), "api": api}))
    assert one.texts("api") == ["api: started", "a request", "a number"]
    assert one.texts("db") == ["db: started", "for another"]
    assert await one.end() is None


async def test_a_long_line_is_cut() -> None:
    """It says how much is missing."""
    one = await recorded(Conductor({"a": FakePlayer(says("x" * 100_000))}))
    text = one.recorder.lines("a")[-1].text
    assert text.endswith("… (92000 more characters)")
    assert len(text) < 9_000
    assert await one.end() is None


async def test_a_line_carries_its_traceback_and_its_stack() -> None:
    """As it would be printed."""

    async def worker(ctx: Context) -> None:
        try:
            raise OSError("broken")
        except OSError:
            log.exception("it went wrong")
        log.info("here", stack_info=True)
        await ctx.wait()

    one = await recorded(Conductor({"a": worker}))
    wrong, here = (line.text for line in one.recorder.lines("a")[1:])
    assert wrong.splitlines()[:2] == ["it went wrong", "Traceback (most recent call last):"]
    assert wrong.endswith("OSError: broken")
    assert here.splitlines()[1].startswith("Stack (most recent call last)")
    assert await one.end() is None


async def test_a_record_that_can_not_be_formatted_hurts_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported in the way of the standard logging."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    one = await recorded(Conductor({"a": FakePlayer()}))
    handler = logging.getLogger().handlers[-1]
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert await one.end() is None


async def test_lines_of_another_logger_are_taken_by_hand() -> None:
    """A `Logger` that is none of the standard library's can hand its lines over."""
    one = await recorded(Conductor({"a": FakePlayer()}))
    one.recorder.add_line("a", time=5.0, level="info", source="mine", text="by hand")
    assert one.recorder.lines("a")[-1].to_dict() == {
        "type": "line",
        "id": one.recorder.last,
        "time": 5.0,
        "path": "a",
        "run": 1,
        "level": "info",
        "source": "mine",
        "text": "by hand",
    }
    assert await one.end() is None


async def test_a_line_logged_in_the_middle_of_another_is_no_deadlock() -> None:
    """As a finalizer or the handler of a signal may do."""
    one = await recorded(Conductor({"a": FakePlayer()}))
    with one.recorder._lock:
        log.info("in between")
    assert one.texts()[-1] == "in between"
    assert await one.end() is None


async def test_a_recorder_that_is_detached_hears_no_more() -> None:
    """The root logger is as it was before."""
    handlers = list(logging.getLogger().handlers)
    one = await recorded(Conductor({"a": FakePlayer()}))
    assert len(logging.getLogger().handlers) == len(handlers) + 1
    assert await one.end() is None
    last = one.recorder.last
    log.info("later")
    assert one.recorder.last == last
    assert logging.getLogger().handlers == handlers


async def test_the_newest_line_of_each_player() -> None:
    """For a column of the table."""
    player = FakePlayer(says("1", error=OSError("x"), after=1), says("2"), backoff=[1])
    one = await recorded(Conductor({"a": player, "b": FakePlayer(says("b"))}), after=5)
    newest = one.recorder.last_lines()
    assert (newest["a"].text, newest["b"].text) == ("2", "b")
    assert await one.end() is None


async def test_the_root_has_runs_too() -> None:
    """Though its path is empty, and it is called the conductor."""
    recorder = Recorder()
    for text in ("conductor: started", "conductor: started again"):
        recorder.add_line("", time=0.0, level="info", source="orchestra", text=text)
        recorder._on_event(Started("", 0.0, int(text.endswith("again"))))
    assert [(line.run, line.text) for line in recorder.lines()] == [
        (1, "conductor: started"),
        (2, "conductor: started again"),
    ]


# Events


async def test_events_tell_what_they_carry() -> None:
    """With a number, the words of the log, and values that JSON has."""
    player = FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[5])
    one = await recorded(Conductor({"a": player}), after=3)
    records = one.recorder.events("a")
    assert [record.kind for record in records] == ["Started", "Ready", "Failed", "BackingOff"]
    failed, backing = (record.to_dict() for record in records[2:])
    assert failed["details"] == {"error": "OSError: x", "restarts": 1, "final": False}
    assert backing["details"] == {"delay": 5, "restarts": 1, "error": "OSError: x"}
    assert backing["text"] == "a: failed: OSError: x; restart 1 in 5 s"
    assert (failed["type"], failed["text"]) == ("event", None)
    json.dumps([record.to_dict() for record in records], allow_nan=False)
    ids = [record.id for record in records]
    assert ids == sorted(ids)
    assert await one.end() is None


async def test_each_player_keeps_its_newest_events() -> None:
    """A player that flaps does not push out those of the others."""
    flaps = FakePlayer(fails(after=1), backoff=[1] * 100)
    one = await recorded(Conductor({"flaps": flaps, "calm": FakePlayer()}), after=100, events=10)
    assert len(one.recorder.events("flaps")) == 10
    assert [record.kind for record in one.recorder.events("calm")] == ["Started", "Ready"]
    newest = one.recorder.events("flaps", limit=3)
    assert newest == one.recorder.events("flaps")[-3:]
    assert one.recorder.events("flaps", since=newest[0].id) == newest[1:]
    assert await one.end() is None


async def test_an_error_is_not_kept_alive() -> None:
    """Its words are: the exception would keep all the frames that it went through."""

    class Huge:
        pass

    def failed() -> tuple[Failed, weakref.ref[Huge]]:
        huge = Huge()
        try:
            raise OSError("x")
        except OSError as error:
            return Failed("a", 0.0, error), weakref.ref(huge)

    recorder = Recorder()
    event, seen = failed()
    recorder._on_event(event)
    assert seen() is not None
    del event
    gc.collect()
    assert seen() is None
    assert recorder.events("a")[0].details["error"] == "OSError: x"


async def test_a_reason_of_any_kind_becomes_text() -> None:
    """Also one whose text can't be had."""

    class Mute:
        def __str__(self) -> str:
            raise OSError("mute")

        __repr__ = __str__

    recorder = Recorder()
    for reason in (None, "why", OSError("x"), Mute()):
        recorder._on_event(Stopping("a", 0.0, reason))
    reasons = [record.details["reason"] for record in recorder.events("a")]
    assert reasons[:3] == [None, "why", "OSError: x"]
    assert "Mute object at" in reasons[3]


# Resuming, and following


def kinds(found: Slice) -> list[str]:
    return [one.kind if isinstance(one, EventRecord) else one.text for one in found.entries]


async def test_what_came_after_a_number() -> None:
    """Lines and events together, in their order, of one part of the tree or of all."""
    one = await recorded(Conductor({"a": FakePlayer(says("hello")), "b": FakePlayer()}))
    recorder = one.recorder
    everything = recorder.recent(0)
    assert [entry.id for entry in everything.entries] == list(range(1, recorder.last + 1))
    assert (everything.last, everything.missed) == (recorder.last, False)
    assert kinds(recorder.recent(0, "a")) == ["a: started", "Started", "hello", "Ready"]
    assert recorder.recent(recorder.last) == Slice((), recorder.last)
    assert await one.end() is None


async def test_a_long_answer_comes_in_parts() -> None:
    """Each says where to go on."""
    one = await recorded(Conductor({"a": FakePlayer(says(*map(str, range(20))))}))
    recorder, found, last = one.recorder, [], 0
    while True:
        part = recorder.recent(last, "a", limit=3)
        assert len(part.entries) <= 3
        if not part.entries:
            break
        found += part.entries
        last = part.last
    assert found == list(recorder.recent(0, "a").entries)
    assert await one.end() is None


async def test_whoever_is_too_late_is_told() -> None:
    """What is gone is gone, and a number that has not been given out is of another recorder."""
    one = await recorded(Conductor({"a": FakePlayer(says(*map(str, range(100))))}), most=10)
    recorder = one.recorder
    assert recorder.recent(recorder.last - 10).missed is False
    assert recorder.recent(recorder.last - 11).missed is True
    other = recorder.recent(recorder.last + 1)
    assert (other.missed, len(other.entries)) == (True, 10)
    assert Recorder().recent(5) == Slice((), 0, True)
    assert await one.end() is None


async def test_following_gives_what_comes() -> None:
    """From a number on, or from now on; several at once if the reader was away."""
    one = await recorded(Conductor({"a": FakePlayer(), "b": FakePlayer()}))
    following = one.recorder.follow(path="a")
    waiting = asyncio.ensure_future(anext(following))
    await turns()
    assert not waiting.done()
    log.info("not about a", extra={"path": "b"})
    await turns()
    assert not waiting.done()
    await one.show.conductor.restart("a")
    assert kinds(await waiting)[:1] == ["a: stopping: restart"]
    rest = kinds(await anext(following))
    assert rest[-1] == "Ready"
    again = one.recorder.follow(since=0, path="a")
    assert len((await anext(again)).entries) == len(one.recorder.recent(0, "a").entries)
    await again.aclose()  # type: ignore[attr-defined]
    await following.aclose()  # type: ignore[attr-defined]
    assert await one.end() is None


async def test_followers_that_go_leave_nothing_behind() -> None:
    """However many there were, in the middle of a wait or not."""
    one = await recorded(Conductor({"a": FakePlayer()}))
    followers = [asyncio.ensure_future(anext(one.recorder.follow())) for _ in range(1000)]
    await turns()
    assert len(one.recorder._waiting) == 1000
    for follower in followers[:999]:
        follower.cancel()
    await asyncio.wait(followers[:999])
    assert len(one.recorder._waiting) == 1
    log.info("news")
    assert kinds(await followers[999]) == ["news"]
    assert one.recorder._waiting == {}
    assert await one.end() is None


async def test_news_that_come_between_the_look_and_the_wait_are_not_lost() -> None:
    """Another thread may add a line in that very moment."""
    recorder = Recorder()
    recorder.add_line("a", time=0.0, level="info", source="x", text="1")
    await recorder._wait(0)
    assert recorder._waiting == {}


async def test_a_follower_is_woken_from_another_thread() -> None:
    """Lines come from wherever they are logged."""
    one = await recorded(Conductor({"a": FakePlayer()}))
    following = one.recorder.follow()
    waiting = asyncio.ensure_future(anext(following))
    await turns()
    thread = threading.Thread(target=log.info, args=("from afar",))
    thread.start()
    thread.join()
    assert kinds(await waiting) == ["from afar"]
    assert await one.end() is None


async def test_a_wake_that_comes_twice_is_none() -> None:
    """A follower may have gone between the call and its turn."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    module._wake(future)
    assert future.cancelled()


async def test_threads_that_log_lose_nothing_and_break_no_order() -> None:
    """Numbers are given out once each, in the order in which entries can be read."""
    recorder = Recorder(lines=10_000)

    def work(name: str) -> None:
        for number in range(500):
            recorder.add_line(name, time=0.0, level="info", source="x", text=str(number))

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = recorder.recent(0, limit=10_000).entries
    assert [entry.id for entry in entries] == list(range(1, 2001))
    for number in range(4):
        texts = [line.text for line in recorder.lines(f"t{number}")]
        assert texts == [str(one) for one in range(500)]
    assert isinstance(entries[0], LogLine)


async def test_a_start_before_anything_was_logged() -> None:
    """The first run is the first, also where somebody else plays the events."""
    recorder = Recorder()
    recorder._on_event(Started("a", 1.0, 0))
    recorder._on_event(Failed("a", 2.0, OSError("x"), 0, True))
    (started, failed) = recorder.lines("a")
    assert (started.text, started.run, started.time) == ("a: started", 1, 1.0)
    assert failed.text.splitlines()[0] == "a: failed: OSError: x"
    logger: Logger | None = None
    assert await (await show(Conductor({"a": FakePlayer(ends())}, logger=logger))).end() is None
