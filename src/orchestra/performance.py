"""The running tree, as its owner sees it: its state, its events, and the means to steer it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, Final

from . import _clock
from ._life import Life
from ._seat import Subtree
from ._snapshot import status_of
from ._supervisor import Supervisor, check_thread
from ._waiter import call_soon_threadsafe
from .context import Context
from .errors import OrchestraError, nearest
from .events import Event, Observer, Skipped
from .log import Logger, default_logger, in_words, log_event, report, shown
from .status import Players, PlayerStatus, State

BACKLOG: Final = 10_000
"""Events that a reader of `events()` may be behind before it misses the oldest."""


class Performance:
    """The running tree of players: `ctx.performance`, and what `playing` gives.

    `status`, `stop` and `subscribe` may be called from any thread, the rest in the tree's loop: what
    steers a player raises `RuntimeError` elsewhere.

    >>> import asyncio, orchestra
    >>> async def tick(ctx):
    ...     await ctx.wait()
    >>> async def main():
    ...     async with orchestra.playing(orchestra.Conductor({"tick": tick})) as performance:
    ...         print(performance.status().players["tick"].state)
    >>> asyncio.run(main())
    ready
    """

    path = ""  # as the seat of a context that is no player's

    def __init__(self, loop: asyncio.AbstractEventLoop, observers: Iterable[Observer] = ()) -> None:
        self._loop = loop
        self._observers = checked_observers(observers)
        self._changing = threading.RLock()  # observers come and go in any thread
        self._queue: deque[Event] = deque()
        self._publishing = False
        self._readers: list[_Reader] = []
        self._context: Context | None = None
        self._draining = False
        self._over = False
        self.groups: list[Any] | None = None  # those that play in no life
        self.root: Supervisor | None = None
        self.on_stop: Callable[[float], None] | None = None
        self.on_drain: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<Performance: {self.status().state}>"

    @classmethod
    def over(cls, ctx: Context) -> Performance:
        """A performance for a conductor that is played with a context of nobody's."""
        performance = cls(asyncio.get_running_loop())
        performance._context = ctx.take_root(performance)
        return performance

    # What its owner does

    def status(self) -> PlayerStatus:
        """A frozen snapshot of the tree, from its root on."""
        if self.root is not None:
            (life,) = self.root.lives.values()
            return status_of(life, ready=not self._draining)
        tops: list[PlayerStatus] = [group.status() for group in self.groups or ()]
        if len(tops) == 1:
            return tops[0]
        ready = all(top.ready for top in tops)
        state = State.READY if ready else State.DEGRADED
        return PlayerStatus("", "", "group", state, ready, self.wall_time(), players=Players(tops))

    def stop(self, reason: object = None) -> None:
        """Ask the whole tree to stop gracefully; returns at once. From any thread."""
        for supervisor in [self.root] if self.root is not None else list(self.groups or ()):
            supervisor.context.cancel(reason)

    async def restart(self, path: str) -> None:
        """Stop the player at this path gracefully and start it again; returns when it is ready.

        One that has ended or is idle is started. Raises `KeyError` for a path that nobody has, with
        the nearest, and otherwise what `Conductor.restart` raises.
        """
        await self._steer(Performance.restart, path, lambda keeper, life: keeper.restart(life.name))

    async def start(self, path: str) -> None:
        """Start the player at this path, if it does not play; returns when it is ready.

        Raises `KeyError` for a path that nobody has, with the nearest, and otherwise what
        `Conductor.start` raises.
        """
        await self._steer(
            Performance.start, path, lambda keeper, life: keeper.start_player(life.name)
        )

    async def stop_player(self, path: str) -> None:
        """Stop the player at this path gracefully, and leave it so until somebody starts it.

        A group is stopped with all in it. Raises `KeyError` for a path that nobody has, with the
        nearest, `OrchestraError` for the root, which `stop` is for, and otherwise what
        `Conductor.stop` raises.
        """
        await self._steer(
            Performance.stop_player, path, lambda keeper, life: keeper.stop_player(life.name)
        )

    async def scale(self, path: str, count: int) -> None:
        """Have `count` copies play at this path, where there is a group of copies.

        Raises `KeyError` for a path that nobody has, with the nearest, `OrchestraError` for a player
        that has no `scale` method, and otherwise what that raises.
        """
        await self._steer(Performance.scale, path, lambda _, life: _scaled(life, count), count)

    async def _steer(
        self,
        command: Callable[..., Awaitable[None]],
        path: str,
        act: Callable[[Supervisor, Life], Awaitable[None]],
        *args: object,
    ) -> None:
        """Do it here, or have it done by the performance where the player at this path plays."""
        check_thread(self._loop)
        subtree = self.elsewhere(path)
        if subtree is not None:
            await subtree.ask(command, path, *args)
        else:
            await act(*self.find(path))

    def find(self, path: str) -> tuple[Supervisor, Life]:
        """Who keeps the player at this path here, and its life; `KeyError` with the nearest path."""
        for supervisor in self.supervisors():
            for life in list(supervisor.lives.values()):
                if life.path == path:
                    return supervisor, life
        paths = [player.path for player in self.status().walk() if player.path]
        raise KeyError(f"no player {path!r}. {nearest(path, paths)}")

    def elsewhere(self, path: str) -> Subtree | None:
        """What plays in another process and has the player at this path in it, below its own top."""
        for supervisor in self.supervisors():
            for life in list(supervisor.lives.values()):
                above = f"{life.path}." if life.path else ""
                if life.subtree is not None and path.startswith(above) and path != life.path:
                    status = life.subtree.status()
                    if status is not None and any(one.path == path for one in status.walk()):
                        return life.subtree
        return None

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer` with each event from now on; returns a function that ends it.

        It is called in the loop's thread, in order. What it raises is logged. From any thread.
        Raises `TypeError` for what can't be called, or is async.
        """
        self._tell_also(_checked(observer))
        subscribed = [observer]

        def unsubscribe() -> None:
            if subscribed:
                self._tell_no_more(subscribed.pop())

        return unsubscribe

    def events(self) -> AsyncIterator[Event]:
        """The events from now on, until the tree has ended.

        A reader that is more than 10,000 events behind misses the oldest, and a warning is logged.
        """
        reader = _Reader(self._loop, lambda: self._forget(reader))
        if self._over:
            reader.end()
        self._readers.append(reader)
        self._tell_also(reader.push)
        return reader

    def _tell_also(self, observer: Observer) -> None:
        with self._changing:
            self._observers = (*self._observers, observer)
        self._refresh_soon()

    def _tell_no_more(self, observer: Observer) -> None:
        with self._changing:
            left = list(self._observers)
            left.remove(observer)
            self._observers = tuple(left)

    # What the tree does

    @property
    def performance(self) -> Performance:
        """Itself, as the seat of a context that is no player's."""
        return self

    @property
    def logger(self) -> Logger:
        """As the seat of a context that is no player's."""
        return default_logger()

    @property
    def observed(self) -> bool:
        """Whether anybody gets the events."""
        return bool(self._observers)

    def wall_time(self) -> float:
        """The time of day in the tree's world, in seconds since 1970."""
        return _clock.wall_time(self._loop)

    def publish(self, event: Event) -> None:
        """Hand an event to the observers, one event after the other."""
        if not self._observers:
            return
        self._queue.append(event)
        if self._publishing:
            return  # an observer has caused it: those before it have their turn first
        self._publishing = True
        try:
            while self._queue:
                event = self._queue.popleft()
                for observer in self._observers:
                    self._tell(observer, event)
        finally:
            self._publishing = False

    def _tell(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except BaseException as error:
            # Not even what is meant to end the program: an observer is no player.
            what = f"{type(event).__name__} of {event.path!r}"
            report(f"the observer {shown(observer)} failed with {what}", error)

    def drain(self) -> None:
        """From now on nothing counts as ready; in any thread."""
        self._draining = True
        if self.on_drain is not None:
            call_soon_threadsafe(self._loop, self.on_drain)

    def leave(self, group: Any) -> None:
        """A conductor has ended: one that played over a bare context takes all with it."""
        bare = self._context
        if bare is not None and all(one.over for one in self.groups or ()):
            bare.sit(None)
            self.end()

    def end(self) -> None:
        """The tree has ended."""
        self._over = True
        for reader in self._readers:
            reader.end()

    def on_group_stop(self, group: Any) -> None:
        """A group stops: whoever guards the process wants to know it of the uppermost."""
        if self.on_stop is not None and not group.path:
            self.on_stop(group.context.deadline + group.grace)

    def on_ready(self, context: Context, details: dict[str, object]) -> None:
        """As the seat of a context that is no player's: nobody waits for it."""

    def on_heartbeat(self) -> None:
        """As the seat of a context that is no player's: nobody waits for it."""

    def on_locate(self, context: Context, locate: Callable[[], str]) -> None:
        """As the seat of a context that is no player's: nobody asks where it is."""

    def on_attach(self, context: Context, subtree: Subtree) -> None:
        """As the seat of a context that is no player's: nobody asks what it looks like."""

    def report(self, error: Exception) -> None:
        """Log what a conductor raised that was cut off from outside, and has none above it."""
        for one in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
            report(f"lost in a cancellation: {in_words(one)}", one)

    def skip(self, ctx: Context) -> None:
        """A conductor has been met again in this tree."""
        seat = ctx.seat
        if isinstance(seat, Life):
            seat.skipped = True
        else:
            event = Skipped("", self.wall_time())
            log_event(default_logger(), event)
            self.publish(event)

    def supervisors(self) -> Iterator[Supervisor]:
        """All who keep players here: the root's keeper, then the groups, from the top down."""
        todo: list[Supervisor] = [self.root] if self.root is not None else list(self.groups or ())
        while todo:
            supervisor = todo.pop(0)
            yield supervisor
            for life in list(supervisor.lives.values()):
                todo += life.groups or ()  # type: ignore[arg-type]

    def _refresh_soon(self) -> None:
        if asyncio._get_running_loop() is self._loop:
            self._refresh()
        else:
            call_soon_threadsafe(self._loop, self._refresh)

    def _refresh(self) -> None:
        for supervisor in self.supervisors():
            supervisor.refresh()

    def _forget(self, reader: _Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
            self._tell_no_more(reader.push)


class _Reader:
    """One reader of the events, with what it has not read yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop, forget: Callable[[], None]) -> None:
        self._loop = loop
        self._forget = forget
        self._events: deque[Event] = deque(maxlen=BACKLOG)
        self._over = False
        self._missed = 0
        self._wakeup: asyncio.Future[None] | None = None

    def push(self, event: Event) -> None:
        if len(self._events) == BACKLOG:
            self._missed += 1
        self._events.append(event)
        self._wake()

    def end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._over:
                raise StopAsyncIteration
            self._wakeup = self._loop.create_future()
            await self._wakeup
        if self._missed:
            logging.getLogger("orchestra").warning(
                "a reader of events is too slow, it missed %d of them", self._missed
            )
            self._missed = 0
        return self._events.popleft()

    async def aclose(self) -> None:
        """Read no more."""
        self._forget()
        self.end()


async def _scaled(life: Life, count: int) -> None:
    scale = getattr(life.player, "scale", None)
    if not callable(scale):
        raise OrchestraError(f"{life.path!r} is no group of copies, it can't be scaled")
    result = scale(count)
    if inspect.isawaitable(result):
        await result


def checked_observers(given: Any) -> tuple[Observer, ...]:
    """The observers that an entry point was given, or a `TypeError`."""
    if not isinstance(given, Iterable):
        raise TypeError(f"observers are functions in a collection, as in [print], not {given!r}")
    return tuple(map(_checked, given))


def _checked(observer: Any) -> Observer:
    if not callable(observer) or inspect.iscoroutinefunction(observer):
        raise TypeError(f"an observer is a plain function that takes an event, not {observer!r}")
    return observer  # type: ignore[no-any-return]
