"""The entry points: play one player, or a conductor with all its players, as a program or in one."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Final

from ._clock import seconds
from ._failures import verdict_of
from ._guard import PATIENCE, Guard, Watcher, print_stuck
from ._life import Life
from ._own_loop import LEAST_GRACE, Around, LoopFactory, OwnLoop
from ._root import Root
from ._signals import Heard
from ._snapshot import below, leaves
from .context import Context
from .errors import ConductorError, OrchestraError, StopTimeoutError
from .events import Observer
from .log import in_words, report
from .performance import Performance, checked_observers
from .player import PlayerLike, as_player, terms_of

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(
    player: PlayerLike,
    *,
    signals: Iterable[int] = SIGNALS,
    timeout: float = 9.0,
    drain_delay: float = 0.0,
    observers: Iterable[Observer] = (),
    loop_factory: LoopFactory | None = None,
) -> None:
    """Play until the end or a signal, and always end: what a program's `main` calls.

    The first of the `signals` asks the player to stop, a second cuts everything off, a third ends
    the process with `128 + signum`; so does a loop that is blocked when the time to stop is over.
    They are handled also while the loop is blocked. `timeout`: seconds that a player has to stop; a
    conductor goes by its own. `drain_delay`: seconds after the first signal in which nothing counts
    as ready, before it is asked to stop; a second signal skips them. `observers` get all events.
    `loop_factory` makes the loop, as in `uvloop.new_event_loop`.

    Raises what went wrong: a `ConductorError` for a conductor; for any other player its own
    exception, a `StopTimeoutError` if it had to be cut off, or a group of both. `RuntimeError`
    outside of the main thread, or in a running loop; `TypeError` for what is no player.

    >>> async def hello(ctx):
    ...     print("hello")
    >>> run(hello)
    hello
    """
    run_within(
        None,
        player,
        signals=signals,
        timeout=timeout,
        drain_delay=drain_delay,
        observers=observers,
        loop_factory=loop_factory,
    )


def run_within(
    around: Around | None,
    player: PlayerLike,
    *,
    signals: Iterable[int] = SIGNALS,
    timeout: float = 9.0,
    drain_delay: float = 0.0,
    observers: Iterable[Observer] = (),
    loop_factory: LoopFactory | None = None,
    tell: Callable[[Exception], object] = print_stuck,
) -> None:
    """As `run`, but inside of `async with around(performance)`; `tell` gets the failure before its end."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("a loop runs here already: use `await play_until_signal(player)`")
    given = as_player(player)
    terms_of(given)
    seconds("timeout", timeout)
    watcher = Watcher()
    with Guard(signals, seconds("drain_delay", drain_delay)) as guard:
        ran = OwnLoop(loop_factory)
        try:
            root = ran.call(lambda: Root(given, timeout=timeout, observers=observers))
            guard.attach(root)
            failure = ran.play(root, around)
            guard.expect_end(root.grace)
        finally:
            ran.close()
            watcher.watch()
    if failure is not None:
        tell(failure)
    _raise_all(ran.ended_by, failure)


def _raise_all(error: BaseException | None, failure: Exception | None) -> None:
    if failure is not None:
        _raise_both(error, failure)
    if error is not None:
        raise error


def _raise_both(error: BaseException | None, failure: Exception) -> None:
    """Raise what the player raised, and with it what came from elsewhere, if that is an error."""
    if error is None:
        raise failure
    if isinstance(error, Exception):
        raise ExceptionGroup("the player failed, and what is around it", [error, failure])
    report("a player failed while its performance was ended otherwise", failure)


async def play_until_signal(
    player: PlayerLike,
    *signals: int,
    ctx: Context | None = None,
    timeout: float = 9.0,
    drain_delay: float = 0.0,
    observers: Iterable[Observer] = (),
) -> None:
    """Play in the running loop, until the end, a signal, or the end of `ctx`.

    As `run`, but the process is not ended: a third signal does nothing more, and a blocked loop
    handles a signal when it gets to it. No signals given means SIGINT and SIGTERM. Cancelling it
    cuts everything off. Raises what `run` raises, `RuntimeError` outside of the main thread.

    >>> async def hello(ctx):
    ...     print("hello")
    >>> asyncio.run(play_until_signal(hello))
    hello
    """
    delay = seconds("drain_delay", drain_delay)
    root = Root(player, timeout=timeout, observers=observers, ctx=ctx)
    with Heard(root, signals or SIGNALS, delay):
        await root.play()


def playing(
    player: PlayerLike, *, timeout: float = 9.0, observers: Iterable[Observer] = ()
) -> AbstractAsyncContextManager[Performance]:
    """`async with playing(player) as performance: ...` plays while the body runs.

    The body begins once the player is ready, or has ended well. On leaving, the player is stopped.
    If it fails, the body is cancelled, and the failure is raised. What both raise comes in a group.
    `timeout`: seconds that a player has to stop; a conductor goes by its own. `observers` get all events.

    Raises what `run` raises; `RuntimeError` where it is entered outside of a task.

    >>> async def worker(ctx):
    ...     await ctx.wait()
    >>> async def main():
    ...     async with playing(worker) as performance:
    ...         print(performance.status().state)
    >>> asyncio.run(main())
    ready
    """
    return _Playing(player, timeout, observers)


class _Playing(AbstractAsyncContextManager[Performance]):
    def __init__(self, player: PlayerLike, timeout: float, observers: Iterable[Observer]) -> None:
        self._player = as_player(player)
        terms_of(self._player)
        self._timeout = seconds("timeout", timeout)
        self._observers = checked_observers(observers)

    async def __aenter__(self) -> Performance:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("playing is used inside of a task")
        self._cancelled_body = False
        self._before = self._task.cancelling()
        self._root = root = Root(self._player, timeout=self._timeout, observers=self._observers)
        root.start()
        try:
            await root.until_ready()
        except asyncio.CancelledError as cancelled:
            root.cut_off()
            await self._end(cancelled)
            raise
        if root.life.over:
            await self._end(None)
        else:
            root.life.watchers = [*(root.life.watchers or ()), self._on_change]
        performance: Performance = root.performance
        return performance

    def _on_change(self, life: Any) -> None:
        if life.over and (life.errors or life.left) and self._task is not None:
            self._cancelled_body = True
            self._task.cancel()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        self._root.stop("the playing block was left")
        ours = self._cancelled_body and task is not None and task.uncancel() <= self._before
        await self._end(None if ours and isinstance(error, asyncio.CancelledError) else error)

    async def _end(self, error: BaseException | None) -> None:
        await self._root.until_over()
        failure = verdict_of(self._root.life)
        if failure is not None:
            _raise_both(error, failure)


def playing_in_thread(
    player: PlayerLike,
    *,
    timeout: float = 9.0,
    observers: Iterable[Observer] = (),
    loop_factory: LoopFactory | None = None,
) -> AbstractContextManager[Performance]:
    """`with playing_in_thread(player) as performance: ...`, for programs that are not async.

    As `playing`, in a loop in a thread of its own, which `loop_factory` makes. The body is not
    interrupted if the player fails: the failure is raised on leaving. Of the performance, `status`,
    `stop` and `subscribe` are for the body's thread too. To be used in any thread, signals are left alone.

    >>> async def worker(ctx):
    ...     await ctx.wait()
    >>> with playing_in_thread(worker) as performance:
    ...     print(performance.status().state)
    ready
    """
    return _PlayingInThread(player, timeout, observers, loop_factory)


class _PlayingInThread(AbstractContextManager[Performance]):
    def __init__(
        self,
        player: PlayerLike,
        timeout: float,
        observers: Iterable[Observer],
        loop_factory: LoopFactory | None,
    ) -> None:
        given = as_player(player)
        terms_of(given)
        limit = seconds("timeout", timeout)
        told = checked_observers(observers)
        self._make = lambda: Root(given, timeout=limit, observers=told)
        self._loop_factory = loop_factory

    def __enter__(self) -> Performance:
        self._root: Root | None = None
        self._left = False
        self._begun = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._play, name="orchestra loop", daemon=True)
        self._thread.start()
        try:
            self._begun.wait()
        except BaseException as error:  # such as a Ctrl-C
            self._end(error)
            raise
        if self._root is None or self._root.life.over:
            self._end(None)  # raises what went wrong
        assert self._root is not None, "without it, its failure has been raised"
        performance: Performance = self._root.performance
        return performance

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(error)

    def _play(self) -> None:
        """In the thread."""
        try:
            ran = OwnLoop(self._loop_factory)
            try:
                self._root = root = ran.call(self._make)
                if self._left:  # without waiting for it
                    root.stop("the playing block was left")
                ran.when_ready(root, self._begun.set)
                failure = ran.play(root)
            finally:
                ran.close()
            _raise_all(ran.ended_by, failure)
        except BaseException as error:
            self._error = error
        finally:
            self._begun.set()

    def _end(self, error: BaseException | None) -> None:
        self._left = True
        root, limit = self._root, PATIENCE
        if root is not None:
            root.stop("the playing block was left")
            limit += root.timeout + 4 * max(root.grace, LEAST_GRACE)
        self._thread.join(limit)
        failure = self._error
        if self._thread.is_alive() and root is not None:
            failure = _seen_from_outside(root)
        elif failure is not None and not isinstance(failure, Exception):
            failure = OrchestraError(f"the loop was ended by {in_words(failure)}")
            failure.__cause__ = self._error
        if failure is not None:
            _raise_both(error, failure)


def _seen_from_outside(root: Root) -> Exception:
    """What is to be raised about a loop that is blocked, and can't say it itself."""
    left = dict(leaves(root.life, lingering=True))
    timeout = StopTimeoutError(left, left, left)
    failures = [
        (life.path, error)
        for life in _all_lives(root.life)
        for error in life.errors or ()
        if not isinstance(error, ConductorError)  # those are of the lives below
    ]
    if not failures and not hasattr(root.life.player, "bounds_its_stop"):
        return timeout
    errors = [*(error for _, error in failures), timeout]
    return ConductorError(str(timeout), errors, [path for path, _ in failures])


def _all_lives(life: Life) -> Iterator[Life]:
    yield life
    for inner in below(life):
        yield from _all_lives(inner)
