"""The running tree as its owner sees it: status, events, observers, loggers; and what can't hurt it."""

import asyncio
import dataclasses
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from itertools import repeat
from typing import Any

import pytest

from groups import Show, failure, now, play, raises, show, start, turns
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    Event,
    OrchestraError,
    Performance,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
    logger_from_logging,
    playing,
    restarting,
    set_logger,
)
from orchestra.log import PathFilter
from orchestra.testing import (
    FakePlayer,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)

pytestmark = pytest.mark.virtual_time

abandons = pytest.mark.leaves_tasks("a player that swallows its cancellation can only be abandoned")

START = 946_684_800.0  # when virtual time begins


class Lines:
    """A logger that keeps its lines, with the groups that they were written in."""

    def __init__(
        self, lines: list[tuple[str, str, str, dict[str, Any]]] | None = None, group: str = ""
    ):
        self.lines: list[tuple[str, str, str, dict[str, Any]]] = [] if lines is None else lines
        self.group = group

    def info(self, msg: str, **attrs: object) -> None:
        self.lines.append((self.group, "info", msg, attrs))

    def error(self, msg: str, **attrs: object) -> None:
        self.lines.append((self.group, "error", msg, attrs))

    def with_group(self, name: str) -> "Lines":
        return Lines(self.lines, f"{self.group}/{name}")

    def texts(self) -> list[str]:
        return [msg for _, _, msg, _ in self.lines]


# Status


async def test_a_status_is_a_snapshot_of_the_whole_tree() -> None:
    """Names, paths, kinds, states and times, as they are at that moment."""

    async def function(ctx: Context) -> None:
        await ctx.wait()

    conductor = Conductor(
        {
            "f": function,
            "slow": FakePlayer(ready_after=60),
            "done": FakePlayer(ends(after=2)),
            "g": Conductor({"flaky": FakePlayer(fails(OSError("x"), after=3), backoff=[30])}),
            "late": FakePlayer(),
        },
        after={"late": ["slow"]},
    )
    playing = await show(conductor, after=5)
    status = playing.performance.status()
    assert {one.path: str(one.state) for one in status.walk()} == {
        "": "starting",
        "f": "ready",
        "slow": "starting",
        "done": "stopped",
        "g": "degraded",
        "g.flaky": "backing off",
        "late": "waiting",
    }
    assert {one.path: one.kind for one in status.walk()} == {
        "": "group",
        "f": "coroutine",
        "slow": "FakePlayer",
        "done": "FakePlayer",
        "g": "group",
        "g.flaky": "FakePlayer",
        "late": "FakePlayer",
    }
    assert status.players["f"].uptime == pytest.approx(5)
    assert status.players["done"].uptime is None
    assert status.players["done"].since == pytest.approx(START + 2)
    flaky = status.find("g.flaky")
    assert (flaky.name, flaky.restarts, flaky.error) == ("flaky", 1, "OSError: x")
    assert flaky.next_restart_in == pytest.approx(28)
    assert [one.name for one in status.players] == ["f", "slow", "done", "g", "late"]
    assert not status.ready
    assert conductor.status() == status
    assert await playing.end() is None


async def test_a_status_is_frozen() -> None:
    """It does not change when the tree does, and nobody can change it."""
    playing = await show(Conductor({"a": FakePlayer(ends(after=5))}), after=1)
    status: Any = playing.performance.status()
    await asyncio.sleep(10)
    assert str(status.players["a"].state) == "ready"
    with pytest.raises(dataclasses.FrozenInstanceError):
        status.ready = False
    assert await playing.end() is None


async def test_a_performance_says_how_it_is() -> None:
    """Where it is shown, that is in a word."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    performance = playing.ctx.performance
    assert repr(performance) == "<Performance: ready>"
    assert await playing.end() is None
    assert repr(performance) == "<Performance: stopped>"


async def test_a_status_goes_to_json_and_to_a_terminal() -> None:
    """`to_dict` is what `json.dumps` takes, and `str` draws the tree."""

    async def server(ctx: Context) -> None:
        ctx.ready(addresses=[("127.0.0.1", 80)], what=object)
        await ctx.wait()

    playing = await show(Conductor({"g": Conductor({"server": server})}), after=1)
    status = playing.performance.status()
    again = json.loads(json.dumps(status.to_dict()))
    assert again["players"][0]["players"][0]["details"]["addresses"] == [["127.0.0.1", 80]]
    assert "server" in str(status)
    assert len(str(status).splitlines()) == 3
    assert await playing.end() is None


async def test_details_show_in_the_status_until_the_next_run() -> None:
    """What a player gives to `ctx.ready` adds up, and a restart begins anew."""
    runs = 0

    class Server:
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            nonlocal runs
            runs += 1
            ctx.ready(port=runs)
            await ctx.sleep(1)
            ctx.ready(clients=3)
            await ctx.wait()

    playing = await show(Conductor({"a": Server()}), after=0.5)
    assert playing.conductor.status().players["a"].details == {"port": 1}
    await asyncio.sleep(1)
    assert playing.conductor.status().players["a"].details == {"port": 1, "clients": 3}
    await playing.conductor.restart("a")
    assert playing.conductor.status().players["a"].details == {"port": 2}
    ready = [event for event in playing.events if isinstance(event, Ready)]
    assert [(dict(event.details), event.implied) for event in ready] == [
        ({"port": 1}, False),
        ({"port": 2}, False),
    ]
    assert await playing.end() is None


@abandons
async def test_the_states_of_a_stop() -> None:
    """Asked, cut off, abandoned, stopped, failed: each shows while it lasts and afterwards."""
    conductor = Conductor(
        {
            "good": FakePlayer(),
            "slow": FakePlayer(slow_stop(3)),
            "deaf": FakePlayer(ignores_cancellation(for_=60)),
            "bad": FakePlayer(fails_stopping(OSError("x"))),
            "stuck": FakePlayer(hangs()),
            "g": Conductor({"slow": FakePlayer(slow_stop(3))}),
        },
        timeout=5,
    )
    playing = await show(conductor, after=1)
    playing.ctx.cancel()
    await asyncio.sleep(1)
    states = {one.path: str(one.state) for one in conductor.status().walk()}
    assert states == {
        "": "stopping",
        "good": "stopped",
        "slow": "stopping",
        "deaf": "stopping",
        "bad": "failed",
        "stuck": "stopping",
        "g": "stopping",
        "g.slow": "stopping",
    }
    await asyncio.sleep(4.2)
    assert playing.state("deaf") == "cut off"
    assert playing.state("stuck") == "stopped"
    await asyncio.wait([playing.task])
    assert isinstance(playing.task.exception(), ConductorError)
    assert playing.state("deaf") == "abandoned"
    status = conductor.status()
    assert str(status.state) == "failed"
    assert status.players["bad"].error == "OSError: x"


async def test_the_status_of_the_last_performance_stays() -> None:
    """A conductor that has ended shows how, until it plays again."""
    conductor = Conductor({"a": FakePlayer(ends(after=1), plays())})
    assert await play(conductor) is None
    assert str(conductor.status().state) == "stopped"
    playing = await show(conductor, after=1)
    assert str(conductor.status().state) == "ready"
    assert await playing.end() is None


async def test_the_status_of_a_conductor_is_that_of_its_own_part() -> None:
    """An inner conductor shows itself with its paths from the root."""
    inner = Conductor({"a": FakePlayer()})
    playing = await show(Conductor({"g": inner}), after=1)
    assert inner.status() == playing.performance.status().players["g"]
    assert inner.status().players["a"].path == "g.a"
    assert await playing.end() is None


async def test_a_status_may_be_taken_in_any_thread() -> None:
    """Whoever serves it need not be in the loop."""
    playing = await show(
        Conductor({"a": FakePlayer(), "g": Conductor({"b": FakePlayer()})}), after=1
    )
    taken: list[Any] = []
    thread = threading.Thread(target=lambda: taken.append(playing.performance.status()))
    thread.start()
    thread.join()
    assert taken == [playing.performance.status()]
    assert await playing.end() is None


async def test_a_context_may_carry_several_conductors() -> None:
    """Played side by side over one context, they are one performance."""
    ctx = Context()
    one, two = Conductor({"a": FakePlayer()}), Conductor({"b": FakePlayer(ready_after=5)})
    tasks = [start(one, ctx), start(two, ctx)]
    await asyncio.sleep(1)
    assert ctx.performance is not None
    status = ctx.performance.status()
    assert [str(top.state) for top in status.players] == ["ready", "starting"]
    assert [player.path for player in status.walk()][1:] == ["", "a", "", "b"]
    assert not status.ready
    await asyncio.sleep(9)
    assert ctx.performance.status().ready
    await ctx.performance.restart("b")
    ctx.performance.stop("both")
    await asyncio.gather(*tasks)
    assert ctx.performance is None


async def test_the_performance_of_a_context_is_there_while_something_plays() -> None:
    """Before and after, a bare context belongs to nothing."""
    ctx = Context()
    child = ctx.child()
    assert ctx.performance is None
    task = start(Conductor({"a": FakePlayer()}), child)
    await asyncio.sleep(1)
    assert isinstance(ctx.performance, Performance)
    assert child.performance is ctx.performance
    assert ctx.path == ""
    ctx.ready(this="is nobody's")
    ctx.heartbeat()
    ctx.cancel()
    await task
    assert ctx.performance is None


async def test_a_performance_stops_its_tree_gracefully() -> None:
    """`stop` returns at once; the reason arrives at the players."""
    reasons: list[object] = []

    async def player(ctx: Context) -> None:
        await ctx.wait()
        reasons.append(ctx.reason)

    playing = await show(Conductor({"a": player, "g": Conductor({"b": player})}), after=1)
    playing.performance.stop("enough")
    playing.performance.stop("again")
    await asyncio.wait([playing.task])
    assert playing.task.exception() is None
    assert reasons == ["enough", "enough"]


async def test_a_performance_is_stopped_from_another_thread() -> None:
    """`stop` may be called from anywhere."""
    async with playing(Conductor({"a": FakePlayer()})) as performance:
        thread = threading.Thread(target=performance.stop)
        thread.start()
        thread.join()
        async with asyncio.timeout(5):
            while str(performance.status().state) != "stopped":
                await asyncio.sleep(0.1)


# Events


async def test_events_come_in_the_order_of_the_players_lives() -> None:
    """A group is ready after its players, and stopped after them."""
    playing = await show(Conductor({"g": Conductor({"a": FakePlayer()})}), after=1)
    assert await playing.end("enough") is None
    assert [(type(event), event.path, event.time - START) for event in playing.events] == [
        (Started, "g", 0),
        (Started, "g.a", 0),
        (Ready, "g.a", 0),
        (Ready, "g", 0),
        (Stopping, "g", 1),
        (Stopping, "g.a", 1),
        (Stopped, "g.a", 1),
        (Stopped, "g", 1),
    ]
    assert [event.reason for event in playing.events if isinstance(event, Stopping)] == [
        "enough"
    ] * 2


LEGAL: dict[str, set[str]] = {
    "": {"Started", "Stopped", "Skipped", "Failed"},
    "Started": {"Ready", "Stopping", "Stopped", "Skipped", "CutOff", "Failed", "BackingOff"},
    "Ready": {"Stopping", "Stopped", "CutOff", "Failed", "BackingOff"},
    # Asked to come back, and then to stop for good; or to stop while the watchdog cut it off.
    "Stopping": {"Stopping", "Stopped", "CutOff", "Failed", "Abandoned", "Started", "BackingOff"},
    "CutOff": {"Stopping", "Stopped", "Failed", "Abandoned", "Started", "BackingOff"},
    "Failed": {"BackingOff", "Started", "Failed"},
    "BackingOff": {"Started", "Stopped", "Failed"},
    "Abandoned": {"Failed", "BackingOff", "Started"},
    "Stopped": {"Started"},
    "Skipped": {"Started", "Skipped"},
}


def assert_legal(events: list[Event]) -> None:
    last: dict[str, str] = {}
    for event in events:
        kind = type(event).__name__
        assert kind in LEGAL[last.get(event.path, "")], (event.path, last.get(event.path), kind)
        last[event.path] = kind
    assert set(last.values()) <= {"Stopped", "Failed", "Abandoned", "Skipped"}, last


@abandons
@pytest.mark.parametrize("number", range(6))
async def test_events_are_in_a_legal_order_whatever_happens(number: int) -> None:
    """Each player's events tell one life, from its start to one end."""
    conductor = Conductor(
        {
            "flaky": FakePlayer(
                fails(after=1), ends(after=1), fails(after=1), plays(), backoff=[1, 1]
            ),
            "dog": FakePlayer(
                hangs(), ignores_cancellation(for_=20), watchdog=2, backoff=[1, 1, 100]
            ),
            "slow": FakePlayer(hangs(), signals_ready=True, start_timeout=3, backoff=[0, 0, 100]),
            "always": restarting(FakePlayer(ends(after=0.5)), [0, 1, 2], on="always"),
            "g": Conductor(
                {"a": FakePlayer(fails(after=2), plays()), "b": FakePlayer(hangs())}, backoff=[1]
            ),
            "deaf": FakePlayer(ignores_cancellation(for_=60)),
        },
        timeout=5,
        stop_when="never",
    )
    playing = await show(conductor, after=number * 1.5)
    assert (await playing.end() is None) == (number == 0)
    assert_legal(playing.events)


async def test_a_player_of_no_group_waits_for_nobody() -> None:
    """There is nobody that a root could come after."""
    async with playing(FakePlayer()) as performance:
        supervisor, life = performance.find("FakePlayer")
        assert supervisor.waits_for(life.name) == []


async def test_events_can_be_read_as_they_come() -> None:
    """`events()` gives those from now on, until the tree has ended."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    events = playing.performance.events()
    reading = asyncio.create_task(listing(events))
    playing.conductor.add("b", FakePlayer(ends(after=2)))
    await asyncio.sleep(5)
    assert await playing.end() is None
    assert [(type(event).__name__, event.path) for event in await reading] == [
        ("Started", "b"),
        ("Ready", "b"),
        ("Stopped", "b"),
        ("Stopping", "a"),
        ("Stopped", "a"),
    ]


async def listing(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def test_events_of_a_tree_that_has_ended_are_none() -> None:
    """A reader that comes too late does not wait for ever."""
    shown = await show(Conductor({"a": FakePlayer(ends(after=1))}))
    await shown.task
    async with asyncio.timeout(5):
        assert await listing(shown.performance.events()) == []
    async with playing(FakePlayer(ends(after=1))) as performance:
        await asyncio.sleep(5)
        async with asyncio.timeout(5):
            assert await listing(performance.events()) == []


async def test_events_end_with_the_tree() -> None:
    """A body that reads them goes on when the player has ended by itself."""
    async with playing(FakePlayer(ends(after=3))) as performance, asyncio.timeout(60):
        events = await listing(performance.events())
    assert [type(event) for event in events] == [Stopped]
    assert now() == 3


async def test_several_readers_get_the_same_events() -> None:
    """Each has all of them."""
    playing = await show(Conductor({"a": FakePlayer(ends(after=1))}))
    readers = [asyncio.create_task(listing(playing.performance.events())) for _ in range(3)]
    await asyncio.wait([playing.task])
    lists = [await reader for reader in readers]
    assert lists[0]
    assert lists[0] == lists[1] == lists[2]


async def test_a_reader_may_go() -> None:
    """`aclose` ends the reading; the others read on."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    events: Any = playing.performance.events()
    other = asyncio.create_task(listing(playing.performance.events()))
    reading = asyncio.create_task(listing(events))
    await turns()
    await events.aclose()
    await events.aclose()
    assert await reading == []
    playing.conductor.add("b", FakePlayer(ends()))
    await turns()
    assert await playing.end() is None
    assert [event.path for event in await other] == ["b", "b", "b", "a", "a"]


async def test_a_reader_that_is_cancelled_can_read_on() -> None:
    """A timeout around one event loses none."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    events = playing.performance.events()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(events)
    playing.conductor.add("b", FakePlayer(ends()))
    assert type(await anext(events)) is Started
    assert await playing.end() is None
    assert [type(event).__name__ for event in await listing(events)][:1] == ["Stopped"]


async def test_a_slow_reader_misses_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    """It is told so in the log; memory stays bounded, and the players do not wait for it."""
    backlog = 10_000

    async def crashes(ctx: Context) -> None:
        raise OSError

    quiet = logging.getLogger("quiet.orchestra")
    quiet.setLevel(logging.CRITICAL)
    player = restarting(crashes, repeat(0, 4000))
    conductor = Conductor({"a": player}, logger=logger_from_logging(quiet))
    ctx = Context()
    task = start(conductor, ctx)
    await asyncio.sleep(0)
    assert ctx.performance is not None
    events = ctx.performance.events()
    seen: list[Event] = []
    ctx.performance.subscribe(seen.append)
    await asyncio.wait([task])
    assert isinstance(task.exception(), ConductorError)
    read = await listing(events)
    assert len(seen) > backlog
    assert read == seen[-backlog:]
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert str(len(seen) - backlog) in warning.getMessage()


# Observers


async def test_an_observer_is_called_with_each_event_in_order() -> None:
    """In the thread of the loop, from when it subscribed until it has unsubscribed."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    seen: list[tuple[str, int]] = []
    end = playing.performance.subscribe(
        lambda event: seen.append((type(event).__name__, threading.get_ident()))
    )
    playing.conductor.add("b", FakePlayer(ends()))
    await asyncio.sleep(1)
    end()
    end()
    assert await playing.end() is None
    kinds = ["Started", "Ready", "Stopped"]
    assert seen == [(kind, threading.get_ident()) for kind in kinds]


async def test_an_observer_that_subscribed_twice_is_called_twice() -> None:
    """And each of the functions that it got ends one of the two."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    seen: list[Event] = []
    first, second = (
        playing.performance.subscribe(seen.append),
        playing.performance.subscribe(seen.append),
    )
    playing.conductor.add("b", FakePlayer(ends()))
    await asyncio.sleep(1)
    assert len(seen) == 6
    first()
    playing.conductor.add("c", FakePlayer(ends()))
    await asyncio.sleep(1)
    assert len(seen) == 9
    first()
    second()
    assert await playing.end() is None
    assert len(seen) == 9


async def test_an_observer_may_subscribe_from_another_thread() -> None:
    """From any thread; it is called in the loop's."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    seen: list[int] = []
    subscribe: Callable[..., Any] = playing.performance.subscribe
    thread = threading.Thread(
        target=subscribe, args=(lambda _: seen.append(threading.get_ident()),)
    )
    thread.start()
    thread.join()
    assert await playing.end() is None
    assert set(seen) == {threading.get_ident()}


async def test_observers_come_and_go_in_many_threads() -> None:
    """None of them is lost, and none stays, however many threads do it at the same time."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    seen: list[int] = []
    subscribe: Callable[..., Any] = playing.performance.subscribe
    errors: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            for _ in range(300):
                subscribe(seen.append)()
            subscribe(lambda _: seen.append(number))
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert await playing.end() is None
    assert sorted(seen) == sorted(2 * list(range(8)))  # of the stop and the end


@pytest.mark.parametrize("observer", [None, 5, "print", []])
async def test_what_can_not_be_called_is_no_observer(observer: Any) -> None:
    """A `TypeError` at once, as for one that is async, which nobody would await."""
    playing = await show(Conductor({"a": FakePlayer()}), after=1)
    with pytest.raises(TypeError, match="observer"):
        playing.performance.subscribe(observer)

    async def observe(event: Event) -> None: ...

    given: Any = observe
    with pytest.raises(TypeError, match="observer"):
        playing.performance.subscribe(given)
    assert await playing.end() is None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("boom"),
        SystemExit(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        GeneratorExit(),
    ],
)
async def test_an_observer_that_raises_hurts_nobody(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 9, observers cannot hurt: it is logged, the others get the event, and all goes on."""

    def bad(event: Event) -> None:
        raise error

    conductor = Conductor({"a": FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[1])})
    playing = Show(conductor)
    end = playing.performance.subscribe(bad)
    after: list[Event] = []
    playing.performance.subscribe(after.append)
    await asyncio.sleep(5)
    assert await playing.end() is None
    end()
    assert after == playing.events
    assert len(after) == 8
    logged = [record for record in caplog.records if "observer" in record.getMessage()]
    assert len(logged) == 8
    assert all(record.exc_info and record.exc_info[1] is error for record in logged)


class Nameless:
    """An observer and a logger that raises, in whatever is asked of it."""

    def __call__(self, event: Event) -> None:
        raise OSError

    def info(self, msg: str, **attrs: object) -> None:
        raise OSError

    def error(self, msg: str, **attrs: object) -> None:
        raise OSError

    def with_group(self, name: str) -> Any:
        raise OSError

    def __repr__(self) -> str:
        raise OSError


async def test_an_observer_that_can_not_even_be_named_hurts_nobody() -> None:
    """Its repr, which the log line would show, may raise too."""
    player = FakePlayer()
    playing = Show(Conductor({"g": Conductor({"a": player})}))
    playing.performance.subscribe(Nameless())
    await asyncio.sleep(1)
    assert await playing.end() is None
    assert player.asked == 1


async def test_a_logger_that_can_not_even_be_named_hurts_nobody() -> None:
    """The same for a logger."""
    player = FakePlayer()
    conductor = Conductor({"g": Conductor({"a": player})}, logger=Nameless())
    assert await play(conductor, asked=1) is None
    assert player.asked == 1


@pytest.mark.parametrize("method", ["__str__", "__repr__", "add_note"])
@pytest.mark.parametrize("backoff", [None, [1]])
async def test_an_exception_that_can_not_be_shown_is_a_failure_all_the_same(
    method: str, backoff: Any
) -> None:
    """Whatever is odd about a player's exception: it is told, or mended, and nothing hangs."""

    def odd(*_: object) -> Any:
        raise RuntimeError("can't be shown")

    error: Any = type("OddError", (Exception,), {method: odd})()
    player = FakePlayer(fails(error, after=1), ends(after=1), backoff=backoff)
    playing = Show(Conductor({"g": Conductor({"a": player})}))
    playing.performance.subscribe(Nameless())
    await asyncio.wait([playing.task], timeout=100)
    assert playing.task.done()
    raised = playing.task.exception()
    if backoff is None:
        assert isinstance(raised, ConductorError)
        assert raised.failures["g.a"] is error
    else:
        assert raised is None
        assert player.runs == 2


async def test_an_observer_may_steer_the_tree() -> None:
    """It may add, stop, restart and look at the tree from within an event, and sees events in order."""
    late, flaky = FakePlayer(), FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[1000])
    conductor = Conductor({"flaky": flaky, "g": Conductor({"a": FakePlayer()})})
    playing = Show(conductor)
    tasks = []

    def steer(event: Event) -> None:
        states.append(str(playing.performance.status().state))
        if isinstance(event, Started) and event.path == "flaky" and not event.restarts:
            conductor.add("late", late)
        if type(event).__name__ == "BackingOff":
            tasks.append(asyncio.ensure_future(conductor.restart("flaky")))
        if isinstance(event, Ready) and event.path == "flaky" and flaky.runs == 2:
            playing.performance.stop("the observer says so")

    states: list[str] = []
    playing.performance.subscribe(steer)
    await asyncio.wait([playing.task])
    await asyncio.gather(*tasks, return_exceptions=True)
    assert playing.task.exception() is None
    assert (flaky.runs, late.runs, now()) == (2, 1, 1)
    assert_legal(playing.events)
    assert len(states) == len(playing.events)


async def test_an_event_that_an_observer_causes_comes_after_the_one_it_is_about() -> None:
    """All observers see the same order, whoever causes what meanwhile."""
    conductor = Conductor({"a": FakePlayer(), "z": FakePlayer()})
    playing = Show(conductor)

    def adds(event: Event) -> None:
        if isinstance(event, Ready) and event.path == "a":
            conductor.add("b", FakePlayer())

    last: list[Event] = []
    playing.performance.subscribe(adds)
    playing.performance.subscribe(last.append)
    await asyncio.sleep(1)
    assert await playing.end() is None
    assert last == playing.events
    assert [event.path for event in last if isinstance(event, Ready)] == ["a", "z", "b"]


@pytest.mark.parametrize("when", [Started, Ready, Stopping, Stopped])
@pytest.mark.parametrize("what", ["add", "stop", "remove", "restart", "cancel"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_an_observer_that_steers_in_any_event_breaks_nothing(
    when: type[Event], what: str, ordered: bool
) -> None:
    """The end is still an end: nobody plays on, and every life is told to its end."""
    players = {name: FakePlayer(slow_stop(1)) for name in "abc"}
    conductor = Conductor(dict(players), ordered=ordered, timeout=20)
    playing = Show(conductor)
    tasks: list[asyncio.Task[None]] = []
    done: list[Event] = []

    def steer(event: Event) -> None:
        if done or not isinstance(event, when) or event.path != "b":
            return
        done.append(event)
        if what == "add":
            players["new"] = FakePlayer(slow_stop(1))
            conductor.add("new", players["new"])
        elif what == "stop":
            playing.performance.stop()
        elif what == "cancel":
            playing.task.cancel()
        else:
            tasks.append(asyncio.ensure_future(getattr(conductor, what)("b")))

    playing.performance.subscribe(steer)
    await asyncio.sleep(5)
    playing.ctx.cancel()
    await asyncio.wait([playing.task], timeout=100)
    assert playing.task.done()
    assert playing.task.cancelled() == (what == "cancel")
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in errors} <= {type(None), OrchestraError, KeyError}
    assert all(player.playing == 0 for player in players.values())
    assert_legal(playing.events)


async def test_an_observer_given_to_an_entry_point_sees_all_from_the_start() -> None:
    """Also the start of the root, whose path is empty for a conductor."""
    events: list[Event] = []
    async with playing(Conductor({"a": FakePlayer()}), observers=[events.append]):
        pass
    assert [(type(event).__name__, event.path) for event in events] == [
        *[("Started", ""), ("Started", "a"), ("Ready", "a"), ("Ready", "")],
        *[("Stopping", ""), ("Stopping", "a"), ("Stopped", "a"), ("Stopped", "")],
    ]


# Self-nesting


async def test_a_conductor_inside_of_itself_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    """Promise 8, self-nesting: no hang, nothing starts twice, and a log line tells."""
    caplog.set_level(logging.INFO, "orchestra")
    player = FakePlayer(ends(after=1))
    conductor = Conductor({"a": player})
    conductor.add("me", conductor)
    playing = Show(conductor)
    await asyncio.wait([playing.task])
    assert playing.task.exception() is None
    assert (player.runs, now()) == (1, 1)
    assert playing.state("me") == "skipped"
    assert playing.kinds("me") == ["Started", "Skipped"]
    assert "skipped" in caplog.text


async def test_a_conductor_inside_of_itself_plays_on_and_stops() -> None:
    """However deep it meets itself, its status is finite, and it stops once."""
    player = FakePlayer()
    outer = Conductor()
    outer.add("g", Conductor({"h": Conductor({"outer": outer, "a": player})}))
    playing = await show(outer, after=1)
    assert [one.path for one in outer.status().walk()] == ["", "g", "g.h", "g.h.outer", "g.h.a"]
    assert outer.status().ready
    assert await playing.end() is None
    assert (player.runs, player.asked) == (1, 1)


async def test_a_conductor_under_two_names_plays_once() -> None:
    """The second is skipped; it counts as ready and ended."""
    player = FakePlayer(ready_after=1)
    shared = Conductor({"a": player})
    later = FakePlayer()
    conductor = Conductor({"one": shared, "two": shared, "later": later}, after={"later": ["two"]})
    playing = await show(conductor, after=0.5)
    assert later.runs == 1
    assert [playing.state(name) for name in ("one", "two")] == ["starting", "skipped"]
    await asyncio.sleep(1)
    assert str(conductor.status().state) == "ready"
    assert await playing.end() is None
    assert player.runs == 1


async def test_a_plain_player_under_two_names_plays_twice() -> None:
    """Only conductors are skipped."""
    player = FakePlayer()
    playing = await show(Conductor({"one": player, "two": player}), after=1)
    assert player.playing == 2
    assert await playing.end() is None


async def test_a_skipped_conductor_is_no_ending_for_stop_when_any() -> None:
    """It has not ended, it plays elsewhere."""
    shared = Conductor({"a": FakePlayer()})
    conductor = Conductor({"one": shared, "two": shared}, stop_when="any")
    playing = await show(conductor, after=5)
    assert not playing.task.done()
    assert await playing.end() is None


async def test_a_skipped_conductor_is_not_restarted() -> None:
    """No backoff brings back what plays elsewhere, not even one for every ending."""
    shared = Conductor({"a": FakePlayer()})
    conductor = Conductor({"one": shared, "two": restarting(shared, repeat(0), on="always")})
    playing = await show(conductor, after=5)
    status = conductor.status().players["two"]
    assert (str(status.state), status.restarts) == ("skipped", 0)
    assert str(conductor.status().state) == "ready"
    assert await playing.end() is None


async def test_a_skipped_conductor_can_be_restarted_once_the_other_has_ended() -> None:
    """By hand, it plays in its own place then."""
    player = FakePlayer(ends(after=1), plays())
    shared = Conductor({"a": player})
    playing = await show(Conductor({"one": shared, "two": shared, "z": FakePlayer()}), after=5)
    await playing.conductor.restart("two")
    assert playing.state("two.a") == "ready"
    assert playing.state("two") == "ready"
    assert await playing.end() is None


async def test_playing_it_twice_over_one_context_plays_it_once() -> None:
    """Under the same root context, whoever plays it second is skipped."""
    player = FakePlayer()
    conductor = Conductor({"a": player})
    playing = await show(conductor, after=1)
    await conductor.play(playing.ctx)
    await conductor.play(playing.ctx.child())
    assert player.playing == 1
    assert [type(event) for event in playing.events[-2:]] == [Skipped, Skipped]
    assert await playing.end() is None


async def test_a_race_of_the_same_conductor_at_many_places_starts_it_once() -> None:
    """A hundred names at the same moment are one run."""
    player = FakePlayer(ends(after=1))
    shared = Conductor({"a": player})
    groups = {f"g{number}": Conductor({"x": shared, "y": shared}) for number in range(50)}
    assert await play(Conductor(groups)) is None
    assert player.runs == 1


# Loggers


async def test_any_record_can_carry_the_path_of_the_player() -> None:
    """With the filter on a handler, records of whatever library say which player was at work."""

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append((record.getMessage(), getattr(record, "path", None)))

    records: list[tuple[str, object]] = []
    handler = Kept()
    handler.addFilter(PathFilter())
    library = logging.getLogger("some.library")
    library.addHandler(handler)

    async def work(ctx: Context) -> None:
        library.warning("at work")
        await asyncio.create_task(task())
        await asyncio.to_thread(library.warning, "in a thread")

    async def task() -> None:
        library.warning("in a task")

    try:
        assert await play(Conductor({"g": Conductor({"a": work})})) is None
        library.warning("outside")
    finally:
        library.removeHandler(handler)
    assert records == [
        ("at work", "g.a"),
        ("in a task", "g.a"),
        ("in a thread", "g.a"),
        ("outside", ""),
    ]


async def test_a_nested_conductor_logs_where_the_one_above_does() -> None:
    """Without a logger of its own it takes the nearest above, in a group of its name."""
    above, own = Lines(), Lines()
    inner = Conductor(
        {"h": Conductor({"leaf": FakePlayer()}), "x": Conductor({"y": FakePlayer()}, logger=own)}
    )
    playing = await show(Conductor({"g": inner}, logger=above), after=1)
    assert await playing.end() is None
    groups = {attrs["path"]: group for group, _, _, attrs in above.lines}
    assert groups == {"g": "", "g.h": "/g", "g.x": "/g", "g.h.leaf": "/g/h"}
    assert {attrs["path"] for _, _, _, attrs in own.lines} == {"g.x.y"}


async def test_a_log_line_has_the_full_path_and_the_attributes() -> None:
    """One line for each change of state, so that lines of nested groups can be told apart."""
    logger = Lines()
    leaf = FakePlayer(fails(OSError("boom"), after=1), plays(), backoff=[2])
    playing = await show(Conductor({"g": Conductor({"leaf": leaf})}, logger=logger), after=5)
    assert await playing.end("enough") is None
    lines = [
        (level, msg, attrs) for _, level, msg, attrs in logger.lines if attrs["path"] == "g.leaf"
    ]
    assert [(level, msg) for level, msg, _ in lines] == [
        ("info", "g.leaf: started"),
        ("error", "g.leaf: failed: OSError: boom; restart 1 in 2 s"),
        ("info", "g.leaf: started again"),
        ("info", "g.leaf: stopping: enough"),
        ("info", "g.leaf: stopped"),
    ]
    _, _, attrs = lines[1]
    assert (attrs["delay"], attrs["restarts"], str(attrs["error"])) == (2, 1, "boom")


async def test_a_traceback_is_logged_once() -> None:
    """Not again at each level that the failure passes."""
    logger = Lines()
    deep = Conductor(
        {"g": Conductor({"h": Conductor({"leaf": FakePlayer(fails(OSError("boom")))})})},
        logger=logger,
    )
    await failure(deep)
    traced = [attrs["path"] for _, _, _, attrs in logger.lines if attrs.get("exc_info")]
    assert traced == ["g.h.leaf"]
    failed = [attrs["path"] for _, level, _, attrs in logger.lines if level == "error"]
    assert failed == ["g.h.leaf", "g.h", "g"]


class Raises:
    """A logger that raises in one of its methods."""

    def __init__(self, error: BaseException, where: str) -> None:
        self._error, self._where = error, where

    def _raise(self, where: str) -> None:
        if where == self._where:
            raise self._error

    def info(self, msg: str, **attrs: object) -> None:
        self._raise("info")

    def error(self, msg: str, **attrs: object) -> None:
        self._raise("error")

    def with_group(self, name: str) -> "Raises":
        self._raise("with_group")
        return self


@pytest.mark.parametrize("name", ["info", "error", "with_group"])
@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(1)])
async def test_a_logger_that_raises_hurts_nobody(
    name: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 9, loggers cannot hurt: it is reported to the standard logger, and all goes on."""
    player = FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[1])
    conductor = Conductor({"g": Conductor({"a": player})}, logger=Raises(error, name))
    playing = await show(conductor, after=5)
    assert await playing.end() is None
    assert player.runs == 2
    assert "failed" in caplog.text


async def test_a_logger_of_another_kind_hurts_nobody() -> None:
    """One that makes up whatever method it is asked for is asked for no more than the protocol has."""

    class Proxy(Lines):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)

            def method(*args: object, **attrs: object) -> None:
                raise NotImplementedError(name)

            return method

    logger = Proxy()
    assert (
        await play(Conductor({"g": Conductor({"a": FakePlayer()})}, logger=logger), asked=1) is None
    )
    assert "g.a: stopped" in logger.texts() or "g: stopped" in logger.texts()


async def test_a_logger_that_gives_no_group_hurts_nobody() -> None:
    """A `with_group` that returns nothing is its own loss."""

    class Groupless(Lines):
        def with_group(self, name: str) -> Any:
            return None

    player = FakePlayer()
    conductor = Conductor({"g": Conductor({"h": Conductor({"a": player})})}, logger=Groupless())
    assert await play(conductor, asked=1) is None
    assert player.asked == 1


async def test_a_logger_for_all_conductors() -> None:
    """`set_logger` gives those one that have none and none above; None takes it back."""
    logger = Lines()
    set_logger(logger)
    try:
        assert await play(Conductor({"a": FakePlayer(ends())})) is None
    finally:
        set_logger(None)
    assert logger.texts() == ["a: started", "a: stopped"]
    assert await play(Conductor({"a": FakePlayer(ends())})) is None
    assert len(logger.lines) == 2


async def test_a_logger_that_listens_to_errors_only_gets_those(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What nobody would see is not made; what somebody would is."""
    standard = logging.getLogger("quiet.orchestra")
    standard.setLevel(logging.ERROR)
    conductor = Conductor(
        {
            "a": FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[1]),
            "b": FakePlayer(hangs()),
        },
        logger=logger_from_logging(standard),
        timeout=1,
    )
    task_ctx = Context()
    task = start(conductor, task_ctx)
    await asyncio.sleep(5)
    task_ctx.cancel()
    await asyncio.wait([task])
    assert isinstance(task.exception(), ConductorError)
    assert [record.getMessage() for record in caplog.records] == [
        "a: failed: OSError: x; restart 1 in 1 s",
        "b: cut off, it did not stop in time",
    ]


async def test_silence_changes_nothing() -> None:
    """With nobody to hear of it, players start, fail, come back and stop the same."""
    standard = logging.getLogger("silent.orchestra")
    standard.setLevel(logging.CRITICAL + 1)
    logger = logger_from_logging(standard)
    player = FakePlayer(fails(OSError("x"), after=1), plays(), backoff=[1])
    ctx = Context()
    task = start(
        Conductor({"g": Conductor({"a": player, "b": FakePlayer(hangs())})}, logger=logger), ctx
    )
    await asyncio.sleep(5)
    ctx.cancel()
    await asyncio.wait([task])
    error = task.exception()
    assert isinstance(error, ConductorError)
    assert player.runs == 2


async def test_a_subscriber_that_comes_late_hears_of_all_that_follows() -> None:
    """Also where until then nobody listened, and in groups of any depth."""
    standard = logging.getLogger("silent.orchestra")
    standard.setLevel(logging.CRITICAL + 1)
    leaf = FakePlayer(fails(after=5), plays(), backoff=[1])
    conductor = Conductor({"g": Conductor({"leaf": leaf})}, logger=logger_from_logging(standard))
    ctx = Context()
    task = start(conductor, ctx)
    await asyncio.sleep(1)
    events: list[Event] = []
    assert ctx.performance is not None
    ctx.performance.subscribe(events.append)
    await asyncio.sleep(10)
    ctx.cancel()
    await task
    kinds = [type(event).__name__ for event in events if event.path == "g.leaf"]
    assert kinds == ["Failed", "BackingOff", "Started", "Ready", "Stopping", "Stopped"]


async def test_two_failures_at_once_are_both_logged_and_told() -> None:
    """Each player's failure has its own line and its own event."""
    logger = Lines()
    players = {name: FakePlayer(raises(OSError(name), after=1)) for name in "ab"}
    playing = Show(Conductor(players, logger=logger))
    await asyncio.wait([playing.task])
    assert isinstance(playing.task.exception(), ConductorError)
    assert [path for path in "ab" if "Failed" in playing.kinds(path)] == ["a", "b"]
    assert len([msg for _, level, msg, _ in logger.lines if level == "error"]) == 2


async def test_done_is_an_end_of_ones_own() -> None:
    """Neither a stop by hand, nor that of its group, nor a failure, nor an idle player counts as one."""
    players = {
        "well": FakePlayer(ends()),
        "by_hand": FakePlayer(),
        "asked": FakePlayer(),
        "idle": FakePlayer(),
        "again": FakePlayer(ends()),
        "fails": FakePlayer(fails(after=9)),
    }
    conductor = Conductor(players, idle={"idle"})
    playing = await show(Conductor({"group": conductor}), after=1)
    done = lambda: [one.name for one in playing.conductor.status().walk() if one.done]  # noqa: E731
    assert done() == ["well", "again"]
    await playing.performance.stop_player("group.by_hand")
    await playing.performance.restart("group.again")
    assert done() == ["well"]
    await asyncio.sleep(1)
    assert done() == ["well", "again"]
    await asyncio.sleep(9)
    assert playing.performance.status().find("group.fails").state == "failed"
    assert done() == ["well", "again"]
    await playing.end()
