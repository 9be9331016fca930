"""The entry points: play one player, or a conductor with all its players, as a program or in one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Final, TypeVar

from ._clock import seconds
from ._guard import PATIENCE, Guard, Watcher, join_all, print_stuck
from ._root import Root
from ._signals import Heard
from .context import Context
from .errors import StopTimeoutError
from .events import Observer
from .log import report
from .performance import Performance
from .player import PlayerLike, as_player, terms_of

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

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
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("a loop runs here already: use `await play_until_signal(player)`")
    given = as_player(player)
    terms_of(given)
    seconds("timeout", timeout)
    watcher = Watcher()
    with Guard(tuple(signals), seconds("drain_delay", drain_delay)) as guard:
        ran = _Loop(loop_factory)
        try:
            root = ran.call(lambda: Root(given, timeout=timeout, observers=observers))
            guard.attach(root)
            failure = ran.play(root)
        finally:
            ran.close()
            if ran.abandoned or watcher.threads():
                watcher.watch()
    if failure is not None:
        for error in failure.exceptions if isinstance(failure, ExceptionGroup) else (failure,):
            if isinstance(error, StopTimeoutError):
                print_stuck(error)
        raise failure


class _Loop:
    """A loop for one performance, and its end, which is bounded where `asyncio.run` waits."""

    def __init__(self, factory: LoopFactory | None) -> None:
        self.abandoned = False
        self._grace = 0.0
        self._loop = (factory or asyncio.new_event_loop)()
        # Ours, so that its threads can be left behind; the loop's own would be waited for.
        self._executor = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="asyncio")
        self._loop.set_default_executor(self._executor)
        asyncio.set_event_loop(self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function that needs a running loop."""

        async def calling() -> T:
            return function()

        return self._run(calling())

    def play(self, root: Root) -> Exception | None:
        """Play to the end; what went wrong."""
        self._grace = root.grace
        playing = self._loop.create_task(root.play(), name="orchestra root")
        try:
            self._loop.run_until_complete(playing)
        except Exception as failure:
            return failure
        except BaseException as error:
            # Somebody's task or callback ends the loop, or a Ctrl-C that is not ours to handle.
            if playing.done():
                raise
            root.stop(f"the loop was ended by {type(error).__name__}")
            with contextlib.suppress(Exception):
                self._loop.run_until_complete(playing)
            raise
        finally:
            self.abandoned = bool(root.abandoned) or any(life.leftover for life in _all_lives(root))
        return None

    def close(self) -> None:
        """Cancel what is left, wait for it a while, and close the loop."""
        try:
            self._cancel_tasks()
            self._run_for(self._loop.shutdown_asyncgens(), self._grace)
            self._executor.shutdown(wait=False, cancel_futures=True)
            join_all(list(self._executor._threads), self._grace)
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        self._run(asyncio.wait(tasks, timeout=self._grace))
        for task in tasks:
            if not task.done():
                # It has been named as abandoned, and must not be told of once more.
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            elif not task.cancelled() and task.exception() is not None:
                self._loop.call_exception_handler(
                    {
                        "message": "a task that no player waited for has failed at the end",
                        "exception": task.exception(),
                        "task": task,
                    }
                )

    def _run_for(self, coroutine: Coroutine[Any, Any, Any], limit: float) -> None:
        with contextlib.suppress(TimeoutError):
            self._run(asyncio.wait_for(coroutine, max(limit, 0.1)))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)


def _all_lives(root: Root) -> Iterator[Any]:
    todo = [root.life]
    while todo:
        life = todo.pop()
        yield life
        todo += life.below()


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
        self._timeout = seconds("timeout", timeout)
        self._observers = observers
        self._cancelled_body = False

    async def __aenter__(self) -> Performance:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("playing is used inside of a task")
        self._root = root = Root(self._player, timeout=self._timeout, observers=self._observers)
        self._before = self._task.cancelling()
        root.start()
        try:
            await root.until_ready()
        except asyncio.CancelledError:
            root.cut_off()
            await root.until_over()
            raise
        if root.life.over:
            await root.until_over()
            root.raise_failure()
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
        root = self._root
        root.stop("its body has been left")
        if self._cancelled_body and task is not None and task.uncancel() <= self._before:
            if isinstance(error, asyncio.CancelledError):
                error = None  # it was ours
        await root.until_over()
        try:
            root.raise_failure()
        except Exception as failure:
            raise_both(error, failure)


def raise_both(error: BaseException | None, failure: Exception) -> None:
    """Raise what the player raised, and with it what the body did; a cancellation goes first."""
    if error is None:
        raise failure
    if not isinstance(error, Exception):
        report("a player failed while its body was ended otherwise", failure)
        return
    raise ExceptionGroup("both the body and the player failed", [error, failure])


def playing_in_thread(
    player: PlayerLike,
    *,
    timeout: float = 9.0,
    observers: Iterable[Observer] = (),
    loop_factory: LoopFactory | None = None,
) -> AbstractContextManager[Performance]:
    """`with playing_in_thread(player) as performance: ...`, for programs that are not async.

    As `playing`, in a loop in a thread of its own. The body is not interrupted if the player fails:
    the failure is raised on leaving.

    >>> async def worker(ctx):
    ...     await ctx.wait()
    >>> with playing_in_thread(worker) as performance:
    ...     print(performance.status().state)
    ready
    """
    given = as_player(player)
    seconds("timeout", timeout)
    return _playing_in_thread(given, timeout, tuple(observers), loop_factory)


@contextlib.contextmanager
def _playing_in_thread(
    player: Any, timeout: float, observers: tuple[Observer, ...], loop_factory: LoopFactory | None
) -> Iterator[Performance]:
    begun: concurrent.futures.Future[Root] = concurrent.futures.Future()
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    def play() -> None:
        ran = _Loop(loop_factory)
        try:
            root = ran.call(lambda: Root(player, timeout=timeout, observers=observers))
            begun.set_result(root)
            failure = ran.play(root)
        except BaseException as error:
            failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
            if not begun.done():
                begun.set_exception(failure)
        finally:
            ran.close()
        ended.set_result(None) if failure is None else ended.set_exception(failure)

    thread = threading.Thread(target=play, name="orchestra loop", daemon=True)
    thread.start()
    root = begun.result()
    error: BaseException | None = None
    try:
        _wait_until_ready(root, ended)
        yield root.performance
    except BaseException as caught:
        error = caught
    root.stop("its body has been left")
    _join(thread, root)
    failure = ended.exception(0) if ended.done() else _left_in_thread(root)
    if failure is not None and failure is not error:
        raise_both(error, failure)  # type: ignore[arg-type]
    if error is not None:
        raise error


def _wait_until_ready(root: Root, ended: concurrent.futures.Future[None]) -> None:
    """Wait in this thread until the player is ready; raises what it failed with before."""
    ready = asyncio.run_coroutine_threadsafe(root.until_ready(), root.loop)
    concurrent.futures.wait([ready, ended], return_when=concurrent.futures.FIRST_COMPLETED)
    if root.life.over:
        ended.result()


def _join(thread: threading.Thread, root: Root) -> None:
    """Wait for the loop's thread, and no longer than its player's stop may take."""
    thread.join(root.timeout + 3 * root.grace + PATIENCE)


def _left_in_thread(root: Root) -> Exception:
    leaves = dict(root.life.leaves())
    return StopTimeoutError(leaves, leaves, leaves)
