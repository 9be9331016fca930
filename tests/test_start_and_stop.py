"""Starting and stopping one player by hand, while its group plays on."""

import asyncio
from typing import Any

import pytest

from groups import crew, now, outcome, pair, play, show, start, turns, when
from orchestra import (
    Conductor,
    ConductorError,
    Context,
    OrchestraError,
    Started,
    Stopping,
    StopTimeoutError,
    playing,
    restarting,
)
from orchestra.testing import (
    FakePlayer,
    Take,
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


# Stopping


async def test_a_stopped_player_is_asked_and_awaited_and_stays_in_the_tree() -> None:
    """The others play on, and see nothing of it."""
    playing, player = await pair(slow_stop(2))
    await playing.conductor.stop("a")
    assert now() == 3
    assert (player.asked, player.playing) == (1, 0)
    assert playing.state("a") == "stopped"
    assert playing.kinds("a") == ["Started", "Ready", "Stopping", "Stopped"]
    (asked,) = [event for event in playing.events if isinstance(event, Stopping)]
    assert asked.reason == "stopped by hand"
    assert list(playing.conductor.players) == ["a", "z"]
    assert playing.kinds("z") == ["Started", "Ready"]
    assert playing.conductor.status().ready
    assert await playing.end() is None


@pytest.mark.parametrize("stop_when", ["all", "any", "never"])
async def test_a_stop_by_hand_never_ends_the_group(stop_when: Any) -> None:
    """Not even with the last of its players: they have not ended, and may be started again."""
    playing, player = await pair(stop_when=stop_when)
    for name in ("a", "z"):
        await playing.conductor.stop(name)
    await asyncio.sleep(1000)
    assert not playing.task.done()
    await playing.conductor.start("a")
    assert player.runs == 2
    assert await playing.end() is None


async def test_a_group_ends_when_the_last_has_ended_and_nobody_is_idle() -> None:
    """One that is started again counts again, and so does its end."""
    playing, _ = await pair(plays(), ends(after=5))
    await playing.conductor.stop("a")
    await playing.conductor.remove("z")
    await asyncio.sleep(10)
    await playing.conductor.start("a")
    await asyncio.wait([playing.task])
    assert now() == 16
    assert await playing.end() is None


async def test_removing_the_last_idle_player_ends_the_group() -> None:
    """Then all that there are have ended."""
    playing, _ = await pair()
    await playing.conductor.stop("a")
    await playing.conductor.remove("z")
    await turns()
    assert not playing.task.done()
    await playing.conductor.remove("a")
    await asyncio.wait([playing.task])
    assert now() == 1
    assert await playing.end() is None


async def test_what_a_stopped_player_raises_comes_out_of_stop() -> None:
    """It shows in the status, and is no failure of the group."""
    playing, _ = await pair(fails_stopping(OSError("a")))
    with pytest.raises(OSError, match="a"):
        await playing.conductor.stop("a")
    assert playing.state("a") == "failed"
    await asyncio.sleep(10)
    assert not playing.task.done()
    await playing.conductor.start("a")
    assert playing.state("a") == "ready"
    await playing.conductor.remove("z")
    with pytest.raises(OSError, match="a"):
        await playing.conductor.remove("a")
    assert await playing.end() is None


async def test_a_stopped_player_that_does_not_stop_is_cut_off() -> None:
    """Within the group's `timeout`; the one who asked is told."""
    playing, _ = await pair(hangs(), timeout=5)
    with pytest.raises(StopTimeoutError) as caught:
        await playing.conductor.stop("a")
    assert (now(), caught.value.left) == (6, ("a",))
    assert playing.state("a") == "stopped"
    assert await playing.end() is None


@abandons
async def test_one_that_was_abandoned_is_not_started_beside_itself() -> None:
    """The start fails at once, and says where the old run is."""
    playing, _ = await pair(ignores_cancellation(), timeout=5)
    assert isinstance(await outcome(playing.conductor.stop("a")), StopTimeoutError)
    assert playing.state("a") == "abandoned"
    with pytest.raises(OrchestraError, match="an earlier run, which was abandoned"):
        await playing.conductor.start("a")
    assert isinstance(await playing.end(), ConductorError)


async def test_stopping_it_twice_is_stopping_it_once() -> None:
    """At the same time, or one after the other."""
    playing, player = await pair(slow_stop(2))
    stop = playing.conductor.stop
    assert await asyncio.gather(stop("a"), stop("a")) == [None, None]
    await stop("a")
    assert (player.asked, now()) == (1, 3)
    assert await playing.end() is None


async def test_a_stop_whose_caller_gives_up_goes_on() -> None:
    """What the player raises then is the group's, and told at its end."""

    async def fails_late(take: Take) -> None:
        await take.until_asked()
        await asyncio.sleep(5)
        raise OSError("late")

    playing, player = await pair(fails_late)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await playing.conductor.stop("a")
    await asyncio.sleep(10)
    assert (player.playing, playing.task.done()) == (0, False)
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert str(error.failures["a"]) == "late"


async def test_a_stop_during_a_backoff_ends_it() -> None:
    """No restart follows, until somebody starts it: and that is at once."""
    player = FakePlayer(fails(after=1), plays(), backoff=[100, 100])
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=5)
    await playing.conductor.stop("a")
    assert (now(), playing.state("a")) == (5, "stopped")
    await asyncio.sleep(1000)
    assert player.runs == 1
    await playing.conductor.start("a")
    assert (player.runs, now()) == (2, 1005)
    assert await playing.end() is None


async def test_a_failure_on_the_way_to_the_stop_is_followed_by_no_restart() -> None:
    """Stopped is stopped, whatever backoff is left."""
    player = FakePlayer(fails_stopping(OSError("a")), backoff=[1, 1])
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=1)
    assert isinstance(await outcome(playing.conductor.stop("a")), OSError)
    await asyncio.sleep(100)
    assert player.runs == 1
    assert await playing.end() is None


async def test_one_that_has_ended_by_itself_may_be_stopped_too() -> None:
    """Nothing happens to it, but that it is idle from then on."""
    playing, player = await pair(ends())
    await playing.conductor.stop("a")
    assert (player.runs, playing.conductor.idle) == (1, {"a"})
    assert await playing.end() is None


async def test_removing_and_stopping_it_at_once_removes_it() -> None:
    """Both return when it has ended."""
    playing, player = await pair(slow_stop(2))
    conductor = playing.conductor
    assert await asyncio.gather(conductor.stop("a"), conductor.remove("a")) == [None, None]
    assert (player.asked, list(conductor.players), conductor.idle) == (1, ["z"], set())
    assert await playing.end() is None


# Starting


async def test_a_start_returns_when_the_player_is_ready() -> None:
    """It plays again, under its name, and the tree tells how often it has."""
    player = FakePlayer(ready_after=3)
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=5)
    await playing.conductor.stop("a")
    await playing.conductor.start("a")
    assert now() == 8
    assert playing.state("a") == "ready"
    assert playing.conductor.status().players["a"].restarts == 1
    assert playing.conductor.idle == set()
    assert await playing.end() is None


async def test_one_that_has_ended_is_started() -> None:
    """Well, or with a failure that came out of a stop."""
    playing, player = await pair(ends(), fails_stopping(), plays())
    for _ in range(2):
        await playing.conductor.start("a")
        await outcome(playing.conductor.stop("a"))
    await playing.conductor.start("a")
    assert player.runs == 4
    assert await playing.end() is None


async def test_one_that_plays_is_left_alone() -> None:
    """A start waits until it is ready, if it is not, and that is all."""
    player = FakePlayer(ready_after=3)
    playing = await show(Conductor({"a": player}), after=1)
    await playing.conductor.start("a")
    assert now() == 3
    await playing.conductor.start("a")
    assert (player.runs, now()) == (1, 3)
    assert await playing.end() is None


async def test_one_that_waits_for_its_next_run_begins_it_now() -> None:
    """Whoever has mended the cause does not want to wait."""
    player = FakePlayer(fails(after=1), plays(), backoff=[100])
    playing = await show(Conductor({"a": player}), after=2)
    await playing.conductor.start("a")
    assert when(player, "started") == [0, 2]
    assert await playing.end() is None


async def test_a_start_that_fails_raises_what_the_player_raised() -> None:
    """And is a failure like any other: without a backoff it stops the group."""

    async def refuses(_: Take) -> None:
        raise OSError("a")

    playing, _ = await pair(plays(), refuses)
    await playing.conductor.stop("a")
    with pytest.raises(OSError, match="a"):
        await playing.conductor.start("a")
    error = await playing.end()
    assert isinstance(error, ConductorError)
    assert list(error.failures) == ["a"]


async def test_starting_it_twice_at_once_starts_it_once() -> None:
    """Both wait until it is ready."""
    playing, player = await pair()
    await playing.conductor.stop("a")
    start = playing.conductor.start
    assert await asyncio.gather(start("a"), start("a")) == [None, None]
    assert player.runs == 2
    assert await playing.end() is None


async def test_one_that_is_stopping_can_not_be_started() -> None:
    """Nor can one whose group is; both are an `OrchestraError`."""
    playing, player = await pair(slow_stop(5))
    stopping = asyncio.create_task(playing.conductor.stop("a"))
    await asyncio.sleep(1)
    with pytest.raises(OrchestraError, match="'a' is stopping, it can't be started"):
        await playing.conductor.start("a")
    await stopping
    playing.ctx.cancel()
    with pytest.raises(OrchestraError, match="'a' is stopping, it can't be started"):
        await playing.conductor.start("a")
    assert await playing.end() is None
    assert player.runs == 1


async def test_one_that_is_stopped_before_it_is_ready() -> None:
    """Whoever waits for its start is told."""
    player = FakePlayer(ready_after=30)
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=1)
    starting = asyncio.create_task(outcome(playing.conductor.start("a")))
    await asyncio.sleep(1)
    await playing.conductor.stop("a")
    error = await starting
    assert isinstance(error, OrchestraError)
    assert "'a' was stopped before it was ready" in str(error)
    assert await playing.end() is None


async def test_a_restart_starts_one_that_was_stopped() -> None:
    """It is idle no more."""
    playing, player = await pair()
    await playing.conductor.stop("a")
    await playing.conductor.restart("a")
    assert (player.runs, playing.conductor.idle) == (2, set())
    assert await playing.end() is None


# Whole groups, and conductors that do not play


async def test_a_group_is_stopped_and_started_whole() -> None:
    """Its players are asked as in any stop, and all of them start again."""
    players = crew(2)
    playing = await show(Conductor({"group": Conductor(players), "z": FakePlayer()}), after=1)
    await playing.conductor.stop("group")
    assert playing.state("group") == "stopped"
    assert [player.asked for player in players.values()] == [1, 1]
    await playing.conductor.start("group")
    assert playing.state("group.p0") == "ready"
    assert [player.runs for player in players.values()] == [2, 2]
    assert await playing.end() is None


async def test_a_group_that_comes_back_leaves_those_idle_that_were_stopped() -> None:
    """What somebody has stopped by hand, only a hand starts again."""
    stopped, troubled = FakePlayer(), FakePlayer(fails(after=10), plays())
    group = Conductor({"stopped": stopped, "troubled": troubled}, backoff=[5])
    playing = await show(Conductor({"group": group}), after=1)
    await group.stop("stopped")
    await asyncio.sleep(100)
    assert (stopped.runs, troubled.runs) == (1, 2)
    assert playing.state("group.stopped") == "stopped"
    assert playing.state("group") == "ready"
    await group.start("stopped")
    assert stopped.runs == 2
    assert await playing.end() is None


async def test_a_conductor_that_does_not_play_remembers_a_stop_and_starts_nobody() -> None:
    """The player is left out when the conductor plays."""
    player = FakePlayer()
    conductor = Conductor({"a": player, "z": FakePlayer()})
    with pytest.raises(OrchestraError, match="does not play, 'a' can't be started"):
        await conductor.start("a")
    await conductor.stop("a")
    playing = await show(conductor, after=1)
    assert player.runs == 0
    await conductor.start("a")
    assert player.runs == 1
    assert await playing.end() is None


async def test_a_group_that_waits_to_come_back_remembers_a_stop() -> None:
    """By its path, through the group that it will play in."""
    stopped, troubled = FakePlayer(), FakePlayer(fails(after=1), plays())
    group = Conductor({"stopped": stopped, "troubled": troubled}, backoff=[10])
    playing = await show(Conductor({"group": group}), after=5)
    await playing.performance.stop_player("group.stopped")
    await asyncio.sleep(10)
    assert (stopped.runs, troubled.runs) == (1, 2)
    assert await playing.end() is None


# In an order


async def test_a_stop_by_hand_is_at_once_in_an_order_too() -> None:
    """It is the owner's word: those that come after it play on."""
    players = {name: FakePlayer(slow_stop(1)) for name in "abc"}
    playing = await show(Conductor(players, ordered=True), after=1)
    await playing.conductor.stop("a")
    assert (now(), players["b"].asked) == (2, 0)
    await playing.conductor.start("a")
    assert await playing.end() is None
    assert [when(player, "asked")[-1] for player in players.values()] == [4, 3, 2]


@pytest.mark.parametrize("condition", ["ready", "done"])
async def test_those_that_wait_for_a_stopped_one_go_on_waiting(condition: Any) -> None:
    """A stop by hand is neither ready nor done; the next run may be."""
    first, then = (
        FakePlayer(plays(), ends(after=1), ready_after=5, signals_ready=True),
        FakePlayer(),
    )
    conductor = Conductor({"first": first, "then": then}, after={"then": {"first": condition}})
    playing = await show(conductor, after=1)
    await conductor.stop("first")
    await asyncio.sleep(100)
    assert (then.runs, playing.state("then")) == (0, "waiting")
    await conductor.start("first")
    await asyncio.sleep(100)
    assert when(then, "started") == [102]
    assert await playing.end() is None


async def test_one_that_is_stopped_while_it_waits_for_its_turn_never_starts() -> None:
    """Started by hand, it waits for its turn again."""
    players = {"db": FakePlayer(ready_after=10), "api": FakePlayer(), "web": FakePlayer()}
    playing = await show(Conductor(players, ordered=True), after=1)
    await playing.conductor.stop("api")
    assert (now(), playing.state("api")) == (1, "stopped")
    starting = asyncio.create_task(playing.conductor.start("api"))
    await asyncio.sleep(1)
    assert playing.state("api") == "waiting"
    await starting
    assert when(players["api"], "started") == [10]
    await turns()
    assert when(players["web"], "started") == [10]
    assert playing.conductor.status().players["api"].restarts == 0
    assert await playing.end() is None


async def test_a_group_is_ready_without_those_that_were_stopped() -> None:
    """It waits for nobody who will not come; one that is started before is waited for again."""
    slow, other = FakePlayer(ready_after=50), FakePlayer(ready_after=20)
    group = Conductor({"slow": slow, "other": other})
    playing = await show(Conductor({"group": group, "z": FakePlayer()}), after=1)
    await group.stop("slow")
    await asyncio.sleep(9)
    assert playing.state("group") == "starting"
    starting = asyncio.create_task(group.start("slow"))
    await asyncio.sleep(15)
    assert playing.state("group") == "starting"
    await group.stop("slow")
    assert playing.state("group") == "ready"
    assert isinstance(await outcome(starting), OrchestraError)
    await group.start("slow")
    assert playing.state("group") == "ready"
    assert await playing.end() is None


# Idle from the beginning


async def test_an_idle_player_is_started_by_hand_only() -> None:
    """It shows as stopped, its group is ready without it, and its first start is no restart."""
    debug = FakePlayer()
    conductor = Conductor({"api": FakePlayer(), "debug": debug}, idle={"debug"})
    playing = await show(conductor, after=10)
    assert (debug.runs, playing.kinds("debug")) == (0, [])
    status = conductor.status()
    assert (status.players["debug"].state, status.ready) == ("stopped", True)
    assert status.players["debug"].since == playing.events[0].time
    await conductor.start("debug")
    began = next(event for event in playing.events if event.path == "debug")
    assert isinstance(began, Started)
    assert began.restarts == 0
    await conductor.restart("debug")
    assert conductor.status().players["debug"].restarts == 1
    assert await playing.end() is None


async def test_a_group_of_idle_players_waits_for_a_hand() -> None:
    """None has ended, so it goes on, and it is ready."""
    playing = await show(Conductor(crew(2), idle=["p0", "p1"]), after=1000)
    assert not playing.task.done()
    assert await playing.end() is None


async def test_an_ordered_group_passes_over_its_idle_players() -> None:
    """The next one starts after the one before; started by hand, it stops in its place."""
    players = {name: FakePlayer(slow_stop(1), ready_after=1) for name in "abc"}
    playing = await show(Conductor(players, ordered=True, idle={"b"}), after=5)
    assert when(players["c"], "started") == [1]
    playing.conductor.add("d", FakePlayer(slow_stop(1)))
    await playing.conductor.stop("d")
    playing.conductor.add("e", FakePlayer(slow_stop(1)))
    await turns()
    assert playing.state("e") == "ready"
    await playing.conductor.start("b")
    assert await playing.end() is None
    assert when(players["a"], "asked") == [max(when(players[name], "ended")[0] for name in "bc")]


async def test_whoever_comes_after_an_idle_player_by_name_waits_for_it() -> None:
    """An order that is given by name holds, and so the group is not ready before."""
    api, db = FakePlayer(), FakePlayer(ready_after=1)
    conductor = Conductor({"api": api, "db": db}, after={"api": ["db"]}, idle={"db"})
    playing = await show(Conductor({"group": conductor}), after=100)
    assert (api.runs, playing.state("group")) == (0, "starting")
    await conductor.start("db")
    await turns()
    assert (when(api, "started"), playing.state("group")) == ([101], "ready")
    assert await playing.end() is None


@pytest.mark.parametrize(
    ("idle", "message"),
    [
        ("debug", r"idle='debug' needs a collection of names: \['debug'\]"),
        (5, "needs a collection"),
        (["debgu"], "idle names 'debgu', which is no player. Did you mean 'debug'"),
    ],
)
async def test_idle_players_are_named(idle: Any, message: str) -> None:
    """Anything else is a `ValueError` at once."""
    with pytest.raises(ValueError, match=message):
        Conductor({"debug": FakePlayer()}, idle=idle)


# By path


async def test_a_performance_starts_and_stops_by_path() -> None:
    """Players and groups, however deep."""
    leaf = FakePlayer()
    inner = Conductor({"leaf": leaf, "z": FakePlayer()})
    async with playing(Conductor({"a": Conductor({"b": inner})})) as performance:
        await performance.stop_player("a.b.leaf")
        assert performance.status().find("a.b.leaf").state == "stopped"
        await performance.start("a.b.leaf")
        await performance.restart("a.b.leaf")
        await performance.stop_player("a.b")
        assert performance.status().find("a").state == "ready"
        await performance.start("a.b")
        assert (leaf.runs, performance.status().find("a.b.leaf").state) == (4, "ready")


@pytest.mark.parametrize("verb", ["start", "stop_player", "restart", "scale"])
async def test_a_path_that_nobody_has_is_a_key_error_with_the_nearest(verb: str) -> None:
    """Whatever is to be done there."""
    async with playing(Conductor({"jobs": Conductor({"mailer": FakePlayer()})})) as performance:
        more = (2,) if verb == "scale" else ()
        with pytest.raises(KeyError, match=r"no player 'jobs.maler'. Did you mean 'jobs.mailer'\?"):
            await getattr(performance, verb)("jobs.maler", *more)


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
async def test_a_name_that_nobody_has_is_a_key_error_with_the_nearest(verb: str) -> None:
    """Whether the conductor plays or not."""
    conductor = Conductor({"mailer": FakePlayer()})
    with pytest.raises(KeyError, match=r"no player 'maler'. Did you mean 'mailer'\?"):
        await getattr(conductor, verb)("maler")


async def test_the_root_is_not_stopped_by_path() -> None:
    """Nobody could start it again: `stop` is for the whole tree. To start it waits for it."""
    for root, path in ((Conductor({"a": FakePlayer()}), ""), (FakePlayer(), "FakePlayer")):
        async with playing(root) as performance:
            await performance.start(path)
            with pytest.raises(OrchestraError, match="is the root: stop the whole tree") as caught:
                await performance.stop_player(path)
            assert str(caught.value).startswith(("the conductor is", "'FakePlayer' is"))
            assert performance.status().ready


async def test_a_group_of_copies_is_scaled_by_path() -> None:
    """Whatever has a `scale` method is asked, and awaited if it is to be."""
    asked: list[object] = []

    class Copies(Conductor):
        async def scale(self, count: int) -> None:
            await asyncio.sleep(1)
            asked.append(count)

    class Plain(FakePlayer):
        def scale(self, count: int) -> None:
            asked.append([count])

    players = {"copies": Copies(stop_when="never"), "plain": restarting(Plain(), [1])}
    async with playing(Conductor(players)) as performance:
        await performance.scale("copies", 5)
        await performance.scale("plain", 3)
        assert asked == [5, [3]]


async def test_what_is_no_group_of_copies_can_not_be_scaled() -> None:
    """An `OrchestraError` says so."""
    async with playing(Conductor({"api": FakePlayer()})) as performance:
        with pytest.raises(OrchestraError, match="'api' is no group of copies"):
            await performance.scale("api", 2)


# In any moment


async def test_a_player_that_stops_itself_is_cut_off_in_time() -> None:
    """It waits for its own end, which only its deadline brings."""

    async def selfish(ctx: Context) -> None:
        performance = ctx.performance
        assert performance is not None
        await performance.stop_player(ctx.path)

    conductor = Conductor({"selfish": selfish, "z": FakePlayer()}, timeout=5)
    playing = await show(conductor, after=100)
    assert playing.state("selfish") == "stopped"
    assert await playing.end() is not None


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("first", ["stop", "start", "restart", "remove"])
@pytest.mark.parametrize("second", ["stop", "start", "restart", "remove"])
async def test_any_two_steps_at_once_leave_the_group_in_order(
    first: str, second: str, number: int
) -> None:
    """Each is done or refused, nothing hangs, and no run is left behind."""
    player, z = FakePlayer(slow_stop(1), ready_after=1), FakePlayer()
    playing = await show(Conductor({"a": player, "z": z}, stop_when="never"), after=5)
    if number % 2:
        await playing.conductor.stop("a")
    one = asyncio.create_task(outcome(getattr(playing.conductor, first)("a")))
    await turns(number)
    other = asyncio.create_task(outcome(getattr(playing.conductor, second)("a")))
    for error in await asyncio.gather(one, other):
        assert error is None or isinstance(error, (OrchestraError, KeyError))
    assert player.playing <= 1
    if "a" in playing.conductor.players:
        assert (playing.state("a") == "stopped") == ("a" in playing.conductor.idle)
    assert await playing.end() is None
    assert (player.playing, z.playing) == (0, 0)


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("step", ["stop", "start"])
async def test_a_stop_of_the_group_in_any_moment_of_a_step(step: str, number: int) -> None:
    """The group stops in time, and whoever waits for the step is told or has it done."""
    player = FakePlayer(slow_stop(1), ready_after=1)
    playing = await show(Conductor({"a": player, "z": FakePlayer()}), after=5)
    if step == "start":
        await playing.conductor.stop("a")
    stepping = asyncio.create_task(outcome(getattr(playing.conductor, step)("a")))
    await turns(number)
    assert await playing.end() is None
    assert isinstance(await stepping, OrchestraError | None)
    assert player.playing == 0


async def test_a_hundred_stops_and_starts_leave_nothing_behind() -> None:
    """The tree is as it was, but for the number of restarts."""
    playing, player = await pair()
    for _ in range(100):
        await playing.conductor.stop("a")
        await playing.conductor.start("a")
    assert player.runs == 101
    assert playing.conductor.status().players["a"].restarts == 100
    assert await playing.end() is None


async def test_a_stop_in_the_very_first_moment() -> None:
    """Before its first step, a player is let go without having played."""
    player = FakePlayer()
    conductor = Conductor({"a": player, "z": FakePlayer()})
    ctx = Context()
    task = start(conductor, ctx)
    await asyncio.sleep(0)
    await conductor.stop("a")
    assert player.playing == 0
    ctx.cancel()
    await task
    assert await play(Conductor({"a": FakePlayer(ends())})) is None
