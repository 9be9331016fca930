"""What the tests of conductors share: playing one to its end, and saying what is expected of it."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from orchestra import Conductor, ConductorError, Context, Event, Performance, StopTimeoutError
from orchestra.testing import FakePlayer, Step, Take


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


async def turns(number: int = 10) -> None:
    """Let the loop have so many turns, while no virtual time passes."""
    for _ in range(number):
        await asyncio.sleep(0)


def start(player: Any, ctx: Context | None = None) -> asyncio.Task[None]:
    """Play it in a task of its own."""
    return asyncio.create_task(player.play(Context() if ctx is None else ctx))


async def play(
    player: Any, *, asked: float | None = None, ctx: Context | None = None
) -> Exception | None:
    """Play to the end, asked to stop after so many seconds; what it raised."""
    ctx = Context() if ctx is None else ctx
    if asked is not None:
        asyncio.get_running_loop().call_later(asked, ctx.cancel, "the test says so")
    try:
        await player.play(ctx)
    except Exception as error:
        return error
    return None


async def failure(player: Any, *, asked: float | None = None) -> ConductorError:
    """Play to the end, which has to be a `ConductorError`."""
    error = await play(player, asked=asked)
    assert isinstance(error, ConductorError), repr(error)
    return error


def stop_timeout(error: BaseException | None) -> StopTimeoutError:
    """The one stop timeout that is in a group."""
    assert isinstance(error, ConductorError), repr(error)
    (found,) = [one for one in error.exceptions if isinstance(one, StopTimeoutError)]
    return found


class Show:
    """A conductor that plays over a context of its own, with all of its events."""

    def __init__(self, conductor: Conductor) -> None:
        self.conductor = conductor
        self.ctx = Context()
        # As the conductor does it itself, but before it plays: so that no event is missed.
        self.performance = Performance.over(self.ctx)
        self.events: list[Event] = []
        self.performance.subscribe(self.events.append)
        self.task = start(conductor, self.ctx)

    def kinds(self, path: str | None = None) -> list[str]:
        """The events as words, of one player or of all."""
        return [type(one).__name__ for one in self.events if path is None or one.path == path]

    def state(self, path: str) -> str:
        return str(self.conductor.status().find(path).state)

    async def end(self, reason: object = "the test says so") -> Exception | None:
        """Ask it to stop, unless it has ended, and wait for that; what it raised."""
        self.ctx.cancel(reason)
        # Longer than any stop in these tests may take, and not for ever.
        await asyncio.wait([self.task], timeout=1_000_000)
        assert self.task.done(), "it did not stop"
        error = self.task.exception()
        assert error is None or isinstance(error, Exception)
        return error


async def show(conductor: Conductor, *, after: float | None = None) -> Show:
    """Start to play a conductor; `after` so many seconds, the test goes on."""
    playing = Show(conductor)
    await asyncio.sleep(after or 0)
    return playing


async def outcome(awaitable: Awaitable[object]) -> BaseException | None:
    """What this raises, if it does."""
    (result,) = await asyncio.gather(awaitable, return_exceptions=True)
    return result if isinstance(result, BaseException) else None


async def pair(*script: Any, **terms: Any) -> tuple[Show, FakePlayer]:
    """A player "a" with this script beside one that does nothing, playing for a second."""
    player = FakePlayer(*script)
    return await show(Conductor({"a": player, "z": FakePlayer()}, **terms), after=1), player


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def nest(levels: int, leaf: Any, **terms: Any) -> Conductor:
    """Conductors within each other: `nest(3, leaf)` has its leaf at `g.g.leaf`."""
    conductor = Conductor({"leaf": leaf}, **terms)
    for _ in range(levels - 1):
        conductor = Conductor({"g": conductor}, **terms)
    return conductor


def raises(error: BaseException | type[BaseException], *, after: float = 0.0) -> Step:
    """Raise the error, or a new one of the class, after so many seconds, asked to stop or not."""

    async def step(_: Take) -> None:
        await asyncio.sleep(after)
        raise error

    return step


def fails_when_cut(text: str = "in the finally") -> Step:
    """A step of a fake player that does not stop, and raises an `OSError` as it is cut off."""

    async def step(take: Take) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise OSError(text)

    return step


def crew(count: int, *script: Step) -> dict[str, FakePlayer]:
    """So many players with this script, by name."""
    return {f"p{number}": FakePlayer(*script) for number in range(count)}


def when(player: FakePlayer, what: str) -> list[float]:
    """When this happened to the player."""
    return [round(time, 6) for time, happened in player.log if happened == what]


def total(players: Iterable[FakePlayer], what: str) -> int:
    return sum(getattr(player, what) for player in players)
