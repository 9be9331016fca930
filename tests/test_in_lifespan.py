"""A conductor in the lifespan of an application that somebody else serves."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from orchestra import Conductor, ConductorError, Context, lifespan, run

pytestmark = pytest.mark.real_time


class Worker:
    """Works until it is told to stop, or fails when the test says so."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.broken = asyncio.Event()

    async def play(self, ctx: Context) -> None:
        self.log.append("started")
        async with ctx.interrupt():
            await self.broken.wait()
            raise ConnectionError("broken")
        self.log.append("stopped")


@pytest.fixture
def terminations() -> Iterator[list[int]]:
    """SIGTERM as a server handles it: what has come."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def application() -> Any:
    return SimpleNamespace(state=SimpleNamespace())


async def test_it_plays_while_the_application_lives() -> None:
    """The start waits until the player is ready, the end until it has stopped; both states have it."""
    worker, app = Worker(), application()
    async with lifespan(Conductor({"worker": worker}))(app) as state:
        assert worker.log == ["started"]
        assert app.state.performance is state["performance"]
        assert state["performance"].status().players["worker"].state == "ready"
    assert worker.log == ["started", "stopped"]


async def test_it_can_be_entered_again() -> None:
    """An application that starts twice plays twice."""
    worker = Worker()
    live = lifespan(Conductor({"worker": worker}))
    for _ in range(2):
        async with live(application()):
            pass
    assert worker.log == ["started", "stopped"] * 2


async def test_a_failing_start_fails_the_application(terminations: list[int]) -> None:
    """What fails before it is ready comes out of the start, and nobody gets a signal."""

    async def failing() -> None:
        raise ConnectionError("no database")

    with pytest.raises(ConductorError, match="no database"):
        async with lifespan(Conductor({"failing": failing}))(application()):
            pytest.fail("it has started")
    assert terminations == []


async def test_a_failure_asks_the_server_to_stop(terminations: list[int]) -> None:
    """A later failure is a SIGTERM for the server; the lifespan goes on until that ends it, and raises."""
    worker = Worker()
    with pytest.raises(ConductorError, match="broken"):
        async with lifespan(Conductor({"worker": worker}))(application()):
            worker.broken.set()
            while not terminations:
                await asyncio.sleep(0.001)
            # Requests in flight finish.
            await asyncio.sleep(0.01)
    assert terminations == [signal.SIGTERM]


async def test_where_nobody_handles_the_signal_the_lifespan_fails() -> None:
    """Under a test client, say, the program is not killed: the failure ends the lifespan at once."""
    worker = Worker()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(ConductorError, match="broken"):
        async with lifespan(Conductor({"worker": worker}))(application()):
            worker.broken.set()
            await asyncio.Event().wait()


@pytest.mark.parametrize("fails", [False, True])
def test_inside_of_orchestra_a_failure_is_no_signal(fails: bool) -> None:
    """Where Orchestra handles the signals, the lifespan fails, and takes the player that serves along."""
    worker_made: list[Worker] = []

    async def serving(ctx: Context) -> None:
        worker = Worker()
        worker_made.append(worker)
        async with lifespan(Conductor({"worker": worker}))(application()):
            if fails:
                worker.broken.set()
                await asyncio.Event().wait()

    if fails:
        with pytest.raises(ConductorError, match="broken"):
            run(Conductor({"serving": serving}))
    else:
        run(Conductor({"serving": serving}))
    assert worker_made[0].log[-1] == ("started" if fails else "stopped")


async def test_players_that_end_well_leave_the_server_alone(terminations: list[int]) -> None:
    """A player that has done its work is no reason to stop serving."""

    async def short() -> None:
        pass

    async with lifespan(Conductor({"short": short}))(application()) as state:
        await asyncio.sleep(0.01)
        assert state["performance"].status().state == "stopped"
    assert terminations == []


async def test_a_lifespan_of_ones_own_goes_around() -> None:
    """`wrapping` is entered first and left last, and its state is there as well."""
    worker = Worker()

    @asynccontextmanager
    async def own(app: Any) -> AsyncIterator[dict[str, str]]:
        worker.log.append("connected")
        yield {"database": "here"}
        worker.log.append("disconnected")

    async with lifespan(worker, wrapping=own)(object()) as state:
        assert state["database"] == "here"
        assert set(state) == {"database", "performance"}
    assert worker.log == ["connected", "started", "stopped", "disconnected"]


@pytest.mark.parametrize("ready", [False, True])
async def test_a_cancellation_ends_it(ready: bool) -> None:
    """A server that cancels the lifespan stops the players too, and cuts them off if it cancels again."""
    entered = asyncio.Event()

    class Stubborn:
        signals_ready = True

        async def play(self, ctx: Context) -> None:
            if ready:
                ctx.ready()
            entered.set()
            await asyncio.Event().wait()

    async def live() -> None:
        async with lifespan(Conductor({"stubborn": Stubborn()}))(application()):
            await asyncio.Event().wait()

    task = asyncio.create_task(live())
    await entered.wait()
    while not task.done():
        await asyncio.sleep(0.01)
        task.cancel()
    assert task.cancelled()


def test_what_is_no_player_is_refused_at_once() -> None:
    """Errors of the caller come when the application is made, and not when it starts."""
    with pytest.raises(TypeError):
        lifespan(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        lifespan(Conductor(), timeout=-1)
