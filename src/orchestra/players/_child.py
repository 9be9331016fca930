"""What a `ProcessPlayer` runs in its process: a performance of its own, told to the parent."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import process, spawn
from typing import Any, Final

from .._ending import chained
from .._life import Life
from .._own_loop import LoopFactory, OwnLoop
from .._root import Root
from .._snapshot import leaves, status_of
from .._waiter import call_soon_threadsafe
from ..context import Context
from ..errors import PlayerAbortedError
from ..events import BackingOff, CutOff, Event, Failed, Ready, Started
from ..log import Logger, in_words, log_event, player_path
from ..restart import note_of
from ._carried import carried
from ._records import Levels, Lines, Records, sendable
from ._requests import answer_of, answer_to
from ._subtree import sendable_status, what_counts
from ._tie import end_group
from ._wire import Line

TELL_AFTER: Final = 0.05
"""Seconds between two reports of how the tree looks, while events happen."""

TELL_EVERY: Final = 0.25
"""Seconds between two looks whether it looks otherwise, while none happen."""

SHARE: Final = 0.02
"""And no more than this share of its time is spent on such looks, however large the tree is."""

BEATS: Final = 50
"""How often, in the time of a watchdog, a heartbeat is passed on."""


SENT_WITHIN: Final = 1.0
"""Seconds that a parent is waited for that does not read."""


@dataclass(frozen=True)
class Order:
    """What the parent tells its child to do."""

    prepared: dict[str, Any]  # for the import of the main module
    payload: bytes  # the player, sockets that it borrows, what makes its loop
    path: str
    timeout: float
    watchdog: float | None
    levels: Levels
    seen: tuple[bool, bool]  # whether lines, and those about failures, are seen there


class Child:
    """One performance for the parent, from the import of what plays to the report of its end."""

    def __init__(self, line: Line, order: Order) -> None:
        self._line, self._order = line, order
        self._stop = Context()  # ended by the parent
        self._root: ChildRoot | None = None

    def play(self) -> None:
        """Play it, and tell how that ended."""
        path = self._order.path
        player_path.set(path)
        records = Records(self._line.offer, path)
        records.take_over(self._order.levels)
        os.register_at_fork(after_in_child=records.let_go)
        self._line.listen(self._on_message, end_group)
        try:
            player, make_loop = self._unpack()
        except BaseException as error:
            self._tell_outcome(_of_import(error))
            return
        records.take_over(self._order.levels)
        self._play(player, make_loop)
        lost = records.last()
        if lost is not None:
            self._line.send("record", lost)

    def _unpack(self) -> tuple[Any, LoopFactory | None]:
        with _importing():
            spawn.prepare(self._order.prepared)
            player, sockets, make_loop = pickle.loads(self._order.payload)
        if sockets is not None:
            for sock in sockets:
                sock.set_inheritable(False)
            player.borrow(sockets)
        return player, make_loop

    def _play(self, player: Any, make_loop: LoopFactory | None) -> None:
        ran = OwnLoop(make_loop)
        try:
            root = self._root = ran.call(
                lambda: ChildRoot(player, self._order, self._line, self._stop)
            )
            signal.signal(signal.SIGTERM, lambda *_: root.on_terminate())
            self._line.send("begun")
            # Or the parent takes a death in its first step for one of the start.
            self._line.wait_until_sent(SENT_WITHIN)
            failure: BaseException | None = ran.play(root)
            root.tell()
            if failure is None and ran.ended_by is not None:
                why = f"the loop was ended by {in_words(ran.ended_by)}"
                failure = chained(PlayerAbortedError(why), ran.ended_by)
            self._tell_outcome(failure, terminated=root.terminated)
        finally:
            ran.close()

    def _tell_outcome(self, failure: BaseException | None, *, terminated: bool = False) -> None:
        self._line.send("outcome", failure and carried(failure), terminated)

    # In the thread that reads

    def _on_message(self, kind: str, *args: Any) -> None:
        if kind == "stop":
            reason, within = args
            self._stop.cancel(reason, within=within)
        elif self._root is None:
            pass  # nobody plays yet
        elif kind == "ask" and inspect.iscoroutinefunction(args[1]):
            self._root.loop.call_soon_threadsafe(self._root.answer, *args)
        elif kind == "ask":  # also while the loop is blocked
            number, act, *given = args
            self._line.send("answer", number, *answer_to(act, self._root.performance, *given))
        else:  # it wants to know where everybody is
            self._line.offer("places", dict(leaves(self._root.life)))


@contextmanager
def _importing() -> Iterator[None]:
    """While the main module is imported, it must not start processes: it would do so for ever."""
    current: Any = process.current_process()
    current._inheriting = True
    try:
        yield
    finally:
        del current._inheriting


def _of_import(error: BaseException) -> Exception:
    """The failure that it is if what plays can't be had."""
    if not isinstance(error, Exception):
        error = chained(PlayerAbortedError(f"ended by {in_words(error)}"), error)
    note_of(error, "raised while the process imported what it is to play")
    return error


class ChildRoot(Root):
    """Keeps the player in the child as an entry point does, and tells the parent of it."""

    def __init__(self, player: Any, order: Order, line: Line, ctx: Context) -> None:
        super().__init__(player, timeout=order.timeout, ctx=ctx)
        self._line = line
        self.terminated = False
        self.logger: Logger = Lines(line.offer, order.seen)
        self.life = _RootLife(self, order, line)
        self.lives = {self.life.name: self.life}
        self._told: bytes | None = None
        self._report: asyncio.Handle = self.loop.call_later(TELL_EVERY, self.tell)
        self._told_at = float("-inf")
        self._soon = False
        self._answering: set[asyncio.Task[None]] = set()
        self.performance.subscribe(self._on_event)
        self.refresh()

    def emit(self, make: Callable[..., Event], path: str, *args: object) -> None:
        """Publish an event of the player itself, and log those that the parent can't know."""
        event = make(path, self.performance.wall_time(), *args)
        if self._is_news(event):
            log_event(self.logger, event)
        self.performance.publish(event)

    def _is_news(self, event: Event) -> bool:
        """Whether this is not what the parent's own life of the player tells."""
        match event:
            case Started() | Ready():
                return self.life.restarts > 0
            case Failed(final=final):
                return not final
        return isinstance(event, (BackingOff, CutOff))

    def _on_event(self, event: Event) -> None:
        if event.path != self.life.path or self._is_news(event):
            names = [name for name in event.__dataclass_fields__ if name != "path"]
            values = {name: getattr(event, name) for name in names}
            self._line.offer("event", type(event), event.path, sendable(values))
        self.tell_soon()

    def on_ready(self, life: Life) -> None:
        """Its group in the parent waits for this."""
        self.tell()

    def tell_soon(self) -> None:
        """Tell the parent how the tree looks, once all has happened that happens together."""
        if not self._soon:
            self._soon = True
            self._report.cancel()
            delay = self._told_at + TELL_AFTER - self.loop.time()
            if delay > 0:
                self._report = self.loop.call_later(delay, self.tell)
            else:
                self._report = self.loop.call_soon(self.tell)

    def tell(self) -> None:
        """Tell the parent how the tree looks, if that is news."""
        began = self.loop.time()
        status = sendable_status(status_of(self.life))
        now = what_counts(status)
        if now != self._told and self._line.offer("status", status):
            self._told = now
        self._told_at, self._soon = self.loop.time(), False
        self._report.cancel()
        taken = self._told_at - began
        self._report = self.loop.call_later(max(TELL_EVERY, taken / SHARE), self.tell)

    def answer(self, number: int, act: Callable[..., Any], *args: object) -> None:
        """Tell the parent what this comes to here, when it is known."""

        async def answering() -> None:
            found = await answer_of(act, self.performance, *args)
            self.tell()  # how it looks by then
            self._line.send("answer", number, *found)

        task = asyncio.create_task(answering())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def on_terminate(self) -> None:
        """A SIGTERM: it asks to stop; one that has been asked already is cut off."""
        if self.stopping:
            call_soon_threadsafe(self.loop, self.cut_off)
        else:
            self.terminated = True
            self.stop("SIGTERM")


class _RootLife(Life):
    """The life of the player in the child, whose heartbeats its parent counts."""

    __slots__ = ("_every", "_line", "_root", "_sent_at")

    def __init__(self, root: ChildRoot, order: Order, line: Line) -> None:
        super().__init__(root, order.path, root.life.player)
        # The parent's life has the same limits, and sees to them also while this loop is blocked.
        self.terms = replace(self.terms, start_timeout=None, watchdog=None, has_limits=False)
        self._root, self._line = root, line
        self._every = None if order.watchdog is None else order.watchdog / BEATS
        self._sent_at = float("-inf")

    def _add_error(self, error: Exception) -> None:
        # The parent's life notes whose it is.
        self.errors = [*(self.errors or ()), error]

    def _signal_ready(self, context: Context, details: dict[str, object]) -> None:
        super()._signal_ready(context, details)
        self._root.tell_soon()

    def on_heartbeat(self) -> None:
        """Pass it on; from any thread."""
        now = self.keeper.loop.time()
        if self._every is not None and now - self._sent_at >= self._every:
            self._sent_at = now
            self._line.send("heartbeat")
