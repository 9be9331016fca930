"""The stop signal that every player gets: done or not, why, and how long there is to stop.

Done travels down a tree of contexts, never up. Marking it is done under one lock, at once and in any
thread; whoever waits is woken afterwards, coroutines in their own loop, all of them in one callback.
"""

from __future__ import annotations

import asyncio
import math
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from . import _clock, log
from ._alarm import Alarm
from ._clock import Loop, seconds
from ._interrupt import Interrupt, until_done
from ._seat import Seat, Subtree
from ._waiter import ThreadWaiter, Waiter, Waiting, Woken, call_soon_threadsafe, wake

if TYPE_CHECKING:
    from .log import Logger
    from .performance import Performance

T = TypeVar("T")

_PENDING: Final = object()  # the reason of a context that is not done
_NEVER: Final = math.inf
_NOBODY: Final[Sequence[Context]] = ()

# Reentrant, since a signal handler may cancel in the middle of anything that this thread does.
_lock = threading.RLock()

NESTED_SHARE = 0.85
"""What a nested group gets of the time that is left, so that it reports before it is cut off."""


class Context:
    """The stop signal of a player and of all below it.

    A player works until its context is done, then stops gracefully within `remaining()` seconds.
    `Context()` makes a root that nobody but its owner cancels. All but the coroutines may be called
    from any thread, and `cancel` from a signal handler too.

    >>> root = Context()
    >>> child = root.child()
    >>> root.cancel("enough", within=5)
    >>> child.done(), child.reason
    (True, 'enough')
    """

    # One instance a player: what is rarely there is None until it is needed.
    __slots__ = (
        "__weakref__",
        "_children",
        "_deadline",
        "_expires",
        "_loop",
        "_parent",
        "_reason",
        "_seat",
        "_waiters",
    )

    def __init__(self) -> None:
        self._parent: Context | None = None
        self._seat: Seat | None = None
        self._loop: Loop | None = asyncio._get_running_loop()
        self._reason: object = _PENDING
        self._deadline = _NEVER
        self._expires = _NEVER
        # Most often there is one, and then no dict for it.
        self._waiters: Waiting | dict[Waiting, None] | None = None
        self._children: set[weakref.ref[Context]] | None = None

    def __repr__(self) -> str:
        state = f"done: {self.reason}" if self.done() else "not done"
        return f"<{type(self).__name__} {self.path!r} {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Context can't be copied or pickled: use `child()`; "
            "what plays in another process gets a context of its own there"
        )

    # Asking

    def done(self) -> bool:
        """Whether it is time to stop."""
        if self._reason is not _PENDING:
            return True
        # Before the timer of a loop that is blocked, or where there is no loop.
        if self._expires is not _NEVER and self._now() >= self._expires:
            self._expire()
            return True
        return False

    @property
    def reason(self) -> object | None:
        """Why it is done: what `cancel` was given, or a `TimeoutError`; None before."""
        return self._reason if self.done() else None

    def remaining(self) -> float | None:
        """Seconds left to stop in; None before it is done, `math.inf` where nobody set a limit."""
        if not self.done():
            return None
        now = self._now()  # first, since it may move the deadline to the clock of a loop
        return max(0.0, self._deadline - now)

    @property
    def path(self) -> str:
        """The full path of the player that this belongs to, as in `"api.worker"`; else `""`."""
        seat = self.seat
        return "" if seat is None else seat.path

    @property
    def performance(self) -> Performance | None:
        """The running tree that this belongs to, if any."""
        seat = self.seat
        return None if seat is None else seat.performance

    @property
    def logger(self) -> Logger:
        """Where the player's conductor writes its log lines, for what a player has to tell as well.

        It is called in the loop's thread, and may raise, as any `Logger`. A context of no player has
        the default one, see `set_logger`.

        >>> Context().logger.info("3 jobs are waiting", path="jobs.mailer", jobs=3)
        """
        seat = self.seat
        return log.default_logger() if seat is None else seat.logger

    def _now(self) -> float:
        if asyncio._get_running_loop() is not None:
            self.bind()
        return _clock.now(self._loop)

    # Ending

    def child(self, *, timeout: float | None = None) -> Context:
        """A context that is done when this one is, or by itself after `timeout` seconds.

        Its reason is then a `TimeoutError`. Raises `ValueError` for a timeout that is no number of
        seconds from 0 on.

        >>> Context().child(timeout=0).reason
        TimeoutError('the time of this context is over')
        """
        limit = None if timeout is None else seconds("timeout", timeout)
        child = Context()
        child._adopted_by(self)
        if limit is not None:
            child._limit(limit)
        return child

    def _adopted_by(self, parent: Context) -> None:
        if asyncio._get_running_loop() is not None:
            parent.bind()
        self._parent, self._seat = parent, parent._seat
        self._loop, self._expires = parent._loop, parent._expires
        with _lock:
            if parent._children is None:
                parent._children = set()
            # Weak, so that a child made for one piece of work is gone with that work.
            parent._children.add(weakref.ref(self, parent._children.discard))
            if parent.done():
                self._end(parent._reason, parent._deadline, self._now(), [])

    def cancel(self, reason: object = None, *, within: float | None = None) -> None:
        """Make this and all below it done; from any thread, and from a signal handler too.

        The first reason stays. `within` is how many seconds there are to stop in; a later one can
        only shorten them. Raises `ValueError` for a `within` that is no number of seconds from 0 on.
        """
        now = self._now()
        limit = math.inf if within is None else now + seconds("within", within)
        self._cancel(reason, limit, now)

    def _cancel(self, reason: object, deadline: float, now: float) -> None:
        woken: list[Woken] = []
        with _lock:
            self._end(reason, deadline, now, woken)
        # Never at once, even in the loop's own thread: this may be a signal handler there.
        loops = {one.loop for one in woken}
        for loop in loops:
            mine = woken if len(loops) == 1 else [one for one in woken if one.loop is loop]
            call_soon_threadsafe(loop, wake, iter(mine))

    def _end(self, reason: object, deadline: float, now: float, woken: list[Woken]) -> None:
        """Mark this and all below it, under the lock: level by level, however deep it goes."""
        levels: list[tuple[Iterable[Context], object, float]] = [((self,), reason, deadline)]
        for contexts, why, until in levels:
            for context in contexts:
                below = context._mark(why, until, now, woken)
                if below:
                    levels.append((below, context._reason, context._deadline))

    def _mark(
        self, reason: object, deadline: float, now: float, woken: list[Woken]
    ) -> Sequence[Context] | None:
        """Mark this one: those that are done with it, or None where it says nothing new."""
        first = self._reason is _PENDING
        if not first and deadline >= self._deadline:
            return None
        # In this order, since others look without the lock; and without a call in between, in which
        # a signal handler could run that cancels as well.
        if deadline < self._deadline:
            self._deadline = deadline
        if first:
            self._reason = reason
            waiters, self._waiters = self._waiters, None
            if type(waiters) is dict:
                for waiter in waiters:
                    waiter.end(woken)
            elif waiters is not None:
                cast(Waiting, waiters).end(woken)
        if self._children is None:
            return _NOBODY
        return [child for ref in list(self._children) if (child := ref()) is not None]

    def _limit(self, timeout: float) -> None:
        expires = self._now() + timeout
        if expires < self._expires:
            self._expires = expires
            self._set_alarm()

    def _set_alarm(self) -> None:
        # Without a loop, `done` and `wait_sync` look at the time themselves.
        if self._loop is not None and self._reason is _PENDING:
            Alarm(self._loop, self._expires, self, Context._expire)

    def _expire(self) -> None:
        self._cancel(TimeoutError("the time of this context is over"), math.inf, self._now())

    # Waiting

    async def wait(self) -> None:
        """Until it is done."""
        if self._reason is not _PENDING or (self._expires is not _NEVER and self.done()):
            return
        if self._loop is None:
            self.bind()
        waiter = Waiter(asyncio.get_running_loop())
        self._add(waiter)
        # Again, since another thread may have cancelled between the question and the waiter.
        if self._reason is _PENDING:
            try:
                await waiter
            except BaseException:
                self._discard(waiter)
                raise

    async def sleep(self, delay: float) -> bool:
        """Sleep `delay` seconds, or until done: True if it slept it all, False if it is done.

        `while await ctx.sleep(60): tick()` is a loop that stops gracefully. Raises `ValueError` for
        a delay that is no number of seconds from 0 on.
        """
        seconds("delay", delay, infinite=True)
        if self.done():
            return False
        if self._loop is None:
            self.bind()
        loop = asyncio.get_running_loop()
        waiter = Waiter(loop)
        self._add(waiter)
        timer = loop.call_later(delay, waiter.wake) if delay != math.inf else None
        try:
            if self._reason is _PENDING:
                await waiter
        finally:
            self._discard(waiter)
            if timer is not None:
                timer.cancel()
        return not self.done()

    def wait_sync(self, timeout: float | None = None) -> bool:
        """Wait in a thread, until done or `timeout` seconds are over: True when done.

        `while not ctx.wait_sync(60): tick()` is a thread's loop that stops gracefully. Raises
        `RuntimeError` on the thread of a running loop, which it would block, and `ValueError` for a
        timeout that is no number of seconds from 0 on.
        """
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("wait_sync would block the running loop: use `await ctx.wait()`")
        limit = math.inf if timeout is None else seconds("timeout", timeout, infinite=True)
        if self.done():
            return True
        waiter = ThreadWaiter(self._loop)
        self._add(waiter)
        try:
            if self._reason is _PENDING:
                waiter.wait(min(limit, self._expires - self._now()))
        finally:
            self._discard(waiter)
        return self.done()

    def interrupt(self) -> AbstractAsyncContextManager[None]:
        """`async with ctx.interrupt(): ...` cancels its body when this is done, and leaves quietly.

        For code that knows nothing of contexts. A cancellation from elsewhere passes through. Raises
        `RuntimeError` outside of a task.

        >>> async def worker(ctx, queue):
        ...     while not ctx.done():
        ...         async with ctx.interrupt():
        ...             print("got", await queue.get())
        """
        return Interrupt(self)

    def until_done(self, source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
        """The items of `source` until this is done; the source is closed at the end.

        An item that has been given out is worked on in peace: only the wait for the next is cut short.

        >>> async def worker(ctx, messages):
        ...     async for message in ctx.until_done(messages):
        ...         print("got", message)
        """
        return until_done(self, source)

    def bind(self) -> Loop:
        """The running loop, whose time this goes by from now on, if it had none or a closed one."""
        loop, mine = asyncio.get_running_loop(), self._loop
        if mine is not loop and (mine is None or mine.is_closed()):
            self._move_to(loop)
        return loop

    def _move_to(self, loop: Loop) -> None:
        """Go by this loop's time, together with all of the tree that went by the same as this."""
        with _lock:
            old = self._loop
            ahead = loop.time() - _clock.now(old)
            top = self
            while top._parent is not None and top._parent._loop is old:
                top = top._parent
            contexts = [top]
            for context in contexts:
                inherited = math.inf if context._parent is None else context._parent._expires
                context._loop = loop
                context._deadline += ahead
                context._expires += ahead
                if context._expires < inherited:
                    context._set_alarm()
                contexts += [child for ref in list(context._children or ()) if (child := ref())]

    def _add(self, waiter: Waiting) -> None:
        with _lock:
            waiters = self._waiters
            if waiters is None:
                self._waiters = waiter
            elif type(waiters) is dict:
                waiters[waiter] = None
            else:
                self._waiters = {cast(Waiting, waiters): None, waiter: None}

    def _discard(self, waiter: Waiting) -> None:
        with _lock:
            waiters = self._waiters
            if waiters is waiter:
                self._waiters = None
            elif type(waiters) is dict:
                waiters.pop(waiter, None)

    # For those who run players

    def of_player(self, seat: Seat) -> Context:
        """A context for one run of a player below this one, done when somebody says so."""
        context = Context.__new__(Context)  # what `__init__` does, in one go
        context._parent, context._seat, context._loop = self, seat, self._loop
        context._reason = _PENDING
        context._deadline = context._expires = _NEVER
        context._waiters = context._children = None
        return context

    @property
    def seat(self) -> Seat | None:
        """Whose it is: its own, or that of the nearest above."""
        context: Context | None = self
        while context is not None and context._seat is None:
            context = context._parent
        return None if context is None else context._seat

    def take_root(self, seat: Seat) -> Context:
        """Give the root above this a seat, for as long as something plays over it."""
        root = self
        while root._parent is not None:
            root = root._parent
        root.sit(seat)
        return root

    def sit(self, seat: Seat | None) -> None:
        """Say whose this and all below it is."""
        self._seat = seat

    def end_by(self, reason: object, deadline: float) -> None:
        """As `cancel`, with a moment instead of a number of seconds."""
        self._cancel(reason, deadline, self._now())

    def grant(self, deadline: float) -> None:
        """Set the moment at which the time is over, which may be later than before."""
        self._deadline = deadline

    def close(self) -> None:
        """The run that this belongs to has ended, and so has all that was made for it."""
        if self._waiters is None and self._children is None:
            if self._reason is _PENDING:
                self._reason = "the run has ended"
        else:
            self._cancel("the run has ended", math.inf, self._now())

    @property
    def deadline(self) -> float:
        """When the time to stop is over, by the loop's clock."""
        return self._deadline

    def locate(self, locate: Callable[[], str]) -> None:
        """Say how to find out where the player is, if that is not where its task is."""
        if self._seat is not None:
            self._seat.on_locate(self, locate)

    def attach(self, subtree: Subtree) -> None:
        """Say what this player plays in another process, as a part of this tree."""
        if self._seat is not None:
            self._seat.on_attach(self, subtree)

    # Telling

    def ready(self, **details: object) -> None:
        """Say that the player serves now; `details`, such as addresses, show in its status.

        A player that calls it declares `signals_ready = True`: without that it counts as ready once it
        has started.

        >>> class Api:
        ...     signals_ready = True
        ...     async def play(self, ctx):
        ...         ctx.ready(addresses=["http://localhost:8080"])
        ...         await ctx.wait()
        """
        seat = self._seat
        if seat is not None:
            top = self
            while top._parent is not None and top._parent._seat is seat:
                top = top._parent
            seat.on_ready(top, details)

    def heartbeat(self) -> None:
        """Say that the player is alive, which its `watchdog` waits for.

        >>> class Poller:
        ...     watchdog = 30  # seconds
        ...     async def play(self, ctx):
        ...         while await ctx.sleep(1):
        ...             ctx.heartbeat()
        """
        if self._seat is not None:
            self._seat.on_heartbeat()


def check_context(given: Any) -> Context:
    """The context that this is, or a `TypeError`."""
    if not isinstance(given, Context):
        raise TypeError(f"an orchestra.Context is wanted, such as Context(), not {given!r}")
    return given


class GroupContext(Context):
    """The context of a conductor's players, as one: what they have in common is their time.

    Once it is done, its players have `budget` seconds, and less if less is left above. `members`
    gives the contexts that are done together with it, and `on_end` is called in the loop when it is
    done or its time gets shorter.
    """

    __slots__ = ("_budget", "_members", "_on_end")

    def __init__(
        self,
        parent: Context,
        budget: float,
        members: Callable[[], Iterable[Context]],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__()
        self._budget, self._members, self._on_end = budget, members, on_end
        self._adopted_by(parent)

    @property
    def loop(self) -> Loop:
        """Where it is woken."""
        return cast(Loop, self._loop)

    def grace(self, seconds: float) -> float:
        """Seconds for who was cut off: so many, or what is left above, where that is less."""
        left = None if self._parent is None else self._parent.remaining()
        return seconds if left is None else min(seconds, left * NESTED_SHARE)

    def wake(self) -> None:
        """Its players have been asked, or have less time."""
        self._on_end()

    def _mark(
        self, reason: object, deadline: float, now: float, woken: list[Woken]
    ) -> Sequence[Context] | None:
        left = max(0.0, deadline - now)
        ends = len(woken)
        below = super()._mark(reason, now + min(self._budget, left * NESTED_SHARE), now, woken)
        if below is None:
            return None
        # Before its players wake up, or they would end before they were seen to be asked.
        woken.insert(ends, self)
        return [*below, *self._members()]
