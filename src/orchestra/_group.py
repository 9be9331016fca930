"""One performance of a conductor: its players' lives, from the first start to the last end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, Protocol

from . import _clock
from ._failures import join, verdict_of
from ._group_context import GroupContext
from ._leftovers import Leftovers
from ._life import Life
from ._order import Befores, Condition, Order, befores_of
from ._snapshot import group_status, status_of
from ._supervisor import Supervisor
from ._turns import Turns
from .context import Context
from .log import Logger, complain, in_words
from .player import Player, is_same
from .status import PlayerStatus, State

StopWhen = Literal["all", "any", "never"]


class Seat(Protocol):
    """What a conductor plays in: the life that it is the player of, or the bare performance."""

    path: str
    groups: list[Any] | None

    def report(self, error: Exception) -> None: ...


class Plan(Protocol):
    """What a conductor says about its group."""

    timeout: float
    stop_when: StopWhen
    goes_on_empty: bool
    after: dict[str, Befores]
    ordered: bool
    idle: set[str]
    leftovers: dict[str, tuple[Player, Leftovers]]


class Group(Supervisor):
    """The players of a conductor while it plays."""

    def __init__(
        self,
        plan: Plan,
        ctx: Context,
        seat: Seat,
        performance: Any,
        logger: Logger,
        forget: Callable[[str], None],
    ) -> None:
        super().__init__(performance, logger, plan.timeout)
        self.path = seat.path
        self.over = False
        self._plan = plan
        self.seat = seat
        self._ctx = ctx
        self._order = Order() if plan.ordered or plan.after else None
        self._context = GroupContext(ctx, plan.timeout, self._members, self._on_context)
        self._pending = 0
        self._unready = 0
        self._was_ready = False
        self._asked = False
        self._forget = forget
        self._by_hand: dict[str, int] = {}  # whose end somebody asked for: how many wait for it
        self._leaving: set[str] = set()  # those of them that are to be let go
        self._starts, self._stops = Turns(self._start_next), Turns(self._stop_next)
        self._depths: dict[str, int] = {}
        self._wakeup: asyncio.Future[None] | None = None

    @property
    def context(self) -> GroupContext:
        return self._context

    @property
    def stopping(self) -> bool:
        return self.over or self._context.done()

    @property
    def above(self) -> Life | None:
        return self.seat if isinstance(self.seat, Life) else None

    def _members(self) -> Iterable[Context]:
        if self._order is not None:
            return ()  # each has its turn
        return [life.ctx for life in list(self.lives.values()) if life.ctx is not None]

    # The performance

    async def play(self, players: Mapping[str, Player]) -> None:
        """Play them until all is over; raises what went wrong."""
        self._start(players)
        cancelled: asyncio.CancelledError | None = None
        while not self.over:
            self._wakeup = self.loop.create_future()
            try:
                await self._wakeup
            except asyncio.CancelledError as error:
                if cancelled is None:
                    cancelled = error
                    self.cut_off()
        self.close()
        failure = self.failures.outcome(self.path, self.loop.time())
        if cancelled is not None:
            if failure is not None:
                self.seat.report(failure)
            raise cancelled
        if failure is not None:
            raise failure

    def _start(self, players: Mapping[str, Player]) -> None:
        prefix = f"{self.path}." if self.path else ""
        for name, player in players.items():
            self.lives[name] = Life(self, prefix + name, player)
        idle = self._plan.idle
        self._pending = self._unready = len(players) - len(idle)
        for name in self._plan.leftovers:
            self._mind_leftover(name)
        if self._order is not None:
            last = None
            for name in players:
                self._order.add(name, befores_of(name, self._plan.after, last))
                if self._plan.ordered and name not in idle:
                    last = name
        for name in idle:
            self._sit_out(self.lives[name])
        self._start_lives([life for life in self.lives.values() if self._may_start(life)])
        self._check_ready()
        if self.stopping:
            self._on_context()
        self._check_over()

    def _mind_leftover(self, name: str) -> None:
        """Tell a life of an earlier run of its player that was abandoned, and may still go on."""
        player, leftovers = self._plan.leftovers.get(name, (None, None))
        life = self.lives.get(name)
        if life is not None and player is not None and is_same(player, life.player):
            life.leftovers = leftovers

    def _sit_out(self, life: Life) -> None:
        life.sit_out(self.loop.time())
        if self._order is not None:
            self._order.end(life.name)

    def waits_for(self, name: str) -> list[str]:
        return [] if self._order is None else self._order.waits_for(name)

    def _may_start(self, life: Life) -> bool:
        return not life.over and (self._order is None or self._order.may_start(life.name))

    def _start_lives(self, lives: list[Life]) -> None:
        if self.stopping:
            return
        now = self.loop.time()
        for life in lives:
            life.start(now)
        # After the first step of each, since their tasks stand before this in the loop's queue.
        self.loop.call_soon(self._settle, lives)
        if self._order is not None:
            for life in lives:
                # Where an earlier run is left over, that is looked at first.
                if life.begun_at is not None:
                    self._starts.take(self._order.settle(life.name, "started"))

    def _settle(self, lives: list[Life]) -> None:
        now = self.loop.time()
        for life in lives:
            life.settle(now)

    def add(self, name: str, player: Player) -> None:
        """Take in one more player, and start it."""
        self.refresh()
        idle = self._plan.idle
        playing = (one for one in reversed(self.lives) if one not in idle)
        last = next(playing, None) if self._plan.ordered else None
        befores = befores_of(name, self._plan.after, last)
        if befores and self._order is None:
            self._order = self._order_by_now()
        life = self.lives[name] = Life(self, join(self.path, name), player)
        self._mind_leftover(name)
        if self._order is not None:
            settled = [other for other in befores if _has_come(self.lives[other], befores[other])]
            self._order.add(name, befores, settled)
        if name in idle:
            self._sit_out(life)
            return
        self._pending += 1
        self._unready += 1
        if self._may_start(life):
            self._start_lives([life])

    def _order_by_now(self) -> Order:
        """An order in which nobody has waited for anybody so far."""
        order = Order()
        for name, life in self.lives.items():
            order.add(name, {})
            if life.over:
                order.end(name)
        return order

    async def replace(self, name: str, player: Player, players: dict[str, Player]) -> None:
        """Stop one player, and play another in its place, until that is ready."""
        idle = name in self._plan.idle
        self._to_play(name, "replaced")
        try:
            await self.stop_player(name)
        except Exception as error:
            complain(self.logger, f"{join(self.path, name)}: replaced", error)
        life = self.lives[name]
        players[name] = life.player = player
        life.leftovers = None  # of another player
        if not idle:
            await self.start_player(name)

    async def remove(self, name: str) -> None:
        """Stop one player and let it go; raises what it raised."""
        life = self.lives[name]
        if life.over:
            self._let_go(life)
            self._check_over()
            return
        self._leaving.add(name)
        await self._end_by_hand(life, "removed")

    async def stop_player(self, name: str) -> None:
        self._plan.idle.add(name)
        life = self.lives[name]
        if not life.over:
            await self._end_by_hand(life, "stopped by hand")

    async def _end_by_hand(self, life: Life, reason: str) -> None:
        self.refresh()
        self._by_hand[life.name] = self._by_hand.get(life.name, 0) + 1
        self.ask(life, reason, self.loop.time() + self.timeout)
        try:
            await self.until(life, lambda: life.over)
        except BaseException:
            self._hear_no_more(life)
            raise
        failure = verdict_of(life)
        if failure is not None:
            raise failure

    def _hear_no_more(self, life: Life) -> None:
        """Whoever asked for its end has given up: what it raises is the group's again."""
        if not life.over:
            self._by_hand[life.name] -= 1
        elif not self.over:
            self._take_note(life, heard=0)
        elif (failure := verdict_of(life)) is not None:
            self.performance.report(failure)

    def play_again(self, life: Life) -> Life:
        again = self._take_in_again(life)
        if self._may_start(again):
            self._start_lives([again])
        return again

    def _take_in_again(self, life: Life) -> Life:
        again = self.lives[life.name] = Life(self, life.path, life.player)
        again.leftovers = life.leftovers
        again.restarts = life.restarts + life.has_run
        again.has_run = life.has_run
        again.was_ready = life.was_ready  # if so, the group has counted it
        self._unready += not life.was_ready
        self._pending += 1
        self._plan.idle.discard(life.name)
        if self._order is not None:
            self._order.begin(life.name)
        return again

    # What the lives tell

    def on_ready(self, life: Life) -> None:
        self._unready -= 1
        if not self._unready:
            self._check_ready()
        if self._order is not None:
            self._starts.take(self._order.settle(life.name, "ready"))

    def on_end(self, life: Life) -> None:
        self._pending -= 1
        heard = self._by_hand.pop(life.name, None) if self._by_hand else None
        if life.errors is not None or life.left is not None or life.leftovers is not None:
            self._take_note(life, heard)
        ended_well = life.errors is None and life.left is None
        if not life.was_ready and (ended_well or heard is not None):
            # One that was stopped by hand is still to get ready, once somebody starts it again.
            life.was_ready = heard is None
            self._unready -= 1
            self._check_ready()
        if heard is None and not self._asked and not self.stopping:
            self._on_end_alone(life)
        if self._order is not None:
            if heard is None and life.errors is None:
                self._starts.take(self._order.settle(life.name, "done"))
            self._stops.take(self._order.end(life.name))
        if self._leaving and life.name in self._leaving:
            self._let_go(life)
        if not self._pending:
            self._check_over()

    def _on_end_alone(self, life: Life) -> None:
        self.refresh()
        if life.errors:
            self.stop(f"{life.path} failed: {in_words(life.errors[0])}")
        elif self._plan.stop_when == "any" and not life.skipped:
            self.stop(f"{life.path} has ended")

    def _take_note(self, life: Life, heard: int | None) -> None:
        if life.leftovers is not None:
            self._plan.leftovers[life.name] = (life.player, life.leftovers)
        if heard:
            return  # it comes out of `remove` or `stop`
        self.failures.take(life)

    def _let_go(self, life: Life) -> None:
        self._leaving.discard(life.name)
        del self.lives[life.name]
        self._forget(life.name)
        if self._order is not None:
            self._starts.take(self._order.remove(life.name))

    def _check_ready(self) -> None:
        if not self._unready and not self._was_ready:
            self._was_ready = True
            self._ctx.ready()

    def _start_next(self, name: str) -> None:
        """Start one that need not wait any more, if nobody has."""
        life = self.lives.get(name)
        if life is not None and life.state is State.WAITING and life.task is None:
            self._start_lives([life])

    def _check_over(self) -> None:
        if self._pending or (self.goes_on_without() and not self.stopping):
            return
        self.over = True
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def goes_on_without(self) -> bool:
        """Whether it goes on though no player does."""
        plan = self._plan
        # One that is idle has not ended, and may be started at any time.
        stays = plan.stop_when == "never" or bool(plan.idle)
        return stays or (plan.goes_on_empty and not self.lives)

    @property
    def was_ready(self) -> bool:
        """Whether all of them have been ready."""
        return self._was_ready

    def waiting_for(self, name: str) -> Collection[str]:
        """Those that are not asked to stop before this one is over."""
        return () if self._order is None else self._order.waiting_for(name)

    # Stopping

    def stop(self, reason: object) -> None:
        """Ask all of them to stop."""
        self._context.end_by(reason, math.inf)
        # At once: a player that blocks the loop may keep it from its next turn.
        self.performance.on_group_stop(self)

    def _on_context(self) -> None:
        """The group's context is done, or has less time than before."""
        if self.over:
            return
        self.refresh()
        first, self._asked = not self._asked, True
        if self._order is not None:
            self._ask_in_order(self._order, first)
        else:
            self._ask_all(first)
        self.performance.on_group_stop(self)
        self._check_over()

    def _ask_all(self, first: bool) -> None:
        deadline = self._context.deadline
        if first:
            reason, now = self._context.reason, self.loop.time()
            for life in list(self.lives.values()):
                life.ask(reason, now)
                ctx = life.ctx
                # One that was made in the moment in which another thread ended the others.
                if ctx is not None and not ctx.done():
                    ctx.end_by(reason, deadline)
        self.watch(deadline)

    def _ask_in_order(self, order: Order, first: bool) -> None:
        if not first:
            for life in self.lives.values():
                if life.due != math.inf:
                    self._ask_for_its_share(life)
            return
        reason, now = self._context.reason, self.loop.time()
        for life in list(self.lives.values()):
            if life.task is None:  # it never started, and keeps nobody
                life.ask(reason, now)
        alive = [life.name for life in self.lives.values() if not life.over]
        self._depths = order.depths(set(alive))
        self._stops.take(alive)

    def _stop_next(self, name: str) -> None:
        """Ask one to stop that nobody keeps any more, with its share of the time left."""
        life, order = self.lives.get(name), self._order
        if order is None or not self._depths or life is None or life.over:
            return
        if order.may_stop(name):
            self._ask_for_its_share(life)

    def _ask_for_its_share(self, life: Life) -> None:
        """Ask it to stop within its share of the time left; again, where that has got shorter."""
        now = self.loop.time()
        left = max(0.0, self._context.deadline - now)
        share = left / max(1, self._depths.get(life.name, 1))
        self.ask(life, self._context.reason, now + share)

    def cut_off(self) -> None:
        """The task that plays this is cancelled: ask and cut off all of them at once."""
        grace = self._context.grace(self.grace)
        self._context.end_by("cut off", self.loop.time() + grace)
        self._asked = True
        self.refresh()
        alive = [life for life in self.lives.values() if not life.over]
        for life in alive:
            self.ask(life, self._context.reason, self._context.deadline)
        self.cut([life for life in alive if not life.over], grace)
        self._check_over()

    # Seeing

    def status(self) -> PlayerStatus:
        """A snapshot of a group that plays in no life of its own."""
        now, wall = _clock.now(self.loop), self.performance.wall_time()
        lives = list(self.lives.values())
        return group_status(
            self.path,
            [status_of(life) for life in lives],
            state=self._state(lives),
            since=wall - (now - max((life.since for life in lives), default=now)),
        )

    def _state(self, lives: list[Life]) -> State:
        if self.over:
            return State.FAILED if self.failures else State.STOPPED
        if self.stopping:
            return State.STOPPING
        return State.READY if self._was_ready else State.STARTING


def _has_come(life: Life, condition: Condition) -> bool:
    """Whether a player has come as far as another waits for."""
    if condition == "started":
        return life.has_run
    if condition == "ready" and life.was_ready:
        return True
    return life.over and life.errors is None and life.has_run
