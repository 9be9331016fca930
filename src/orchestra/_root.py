"""The root of a performance: one player that an entry point supervises."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

from ._clock import seconds
from ._failures import verdict_of
from ._life import Life
from ._supervisor import Supervisor
from .context import Context, GroupContext, check_context
from .errors import OrchestraError
from .events import Observer
from .log import default_logger
from .performance import Performance
from .player import as_player, name_of, terms_of


class Root(Supervisor):
    """Supervises the one player at the root as a conductor does each of its players."""

    def __init__(
        self,
        given: Any,
        *,
        timeout: float,
        observers: Iterable[Observer] = (),
        ctx: Context | None = None,
    ) -> None:
        player = as_player(given)
        terms_of(player)
        # A conductor has a time of its own, which may be longer than the one given here.
        bounded = bool(getattr(player, "bounds_its_stop", False))
        limit = player.timeout if bounded else seconds("timeout", timeout)  # type: ignore[attr-defined]
        loop = asyncio.get_running_loop()
        performance = Performance(loop, observers)
        logger = getattr(player, "logger", None) if bounded else None
        super().__init__(performance, logger or default_logger(), limit)
        name = "" if bounded else name_of(player)
        above = Context() if ctx is None else check_context(ctx).child()
        above.sit(performance)
        self.life = Life(self, name, player)
        self.lives[name] = self.life
        budget = math.inf if bounded else limit
        self._context = GroupContext(above, budget, self._members, self._on_context)
        performance.root = self

    @property
    def context(self) -> GroupContext:
        return self._context

    @property
    def stopping(self) -> bool:
        return self._context.done()

    def _members(self) -> list[Context]:
        return [] if self.life.ctx is None else [self.life.ctx]

    async def play(self) -> None:
        """Play it to its end; raises what went wrong."""
        self.start()
        await self.until_over()
        self.raise_failure()

    def start(self) -> None:
        """Start it, unless it was asked to stop before that."""
        if self.life.over:
            return
        self.life.start(self.loop.time())
        self.loop.call_soon(self._settle)
        if self.stopping:
            self._on_context()

    def _settle(self) -> None:
        self.life.settle(self.loop.time())

    async def until_over(self) -> None:
        """Wait for its end; a cancellation of whoever waits here cuts it off."""
        cancelled: asyncio.CancelledError | None = None
        while not self.life.over:
            try:
                await self.until(self.life, lambda: self.life.over)
            except asyncio.CancelledError as error:
                if cancelled is None:
                    cancelled = error
                    self.cut_off()
        self.close()
        if cancelled is not None:
            failure = verdict_of(self.life)
            if failure is not None:
                self.performance.report(failure)
            raise cancelled

    async def until_ready(self) -> None:
        """Wait until it has been ready, or has ended."""
        await self.until(self.life, lambda: self.life.was_ready or self.life.over)

    def raise_failure(self) -> None:
        """Raise what its end comes to, if that is a failure."""
        failure = verdict_of(self.life)
        if failure is not None:
            raise failure

    def stop(self, reason: object) -> None:
        """Ask it to stop; from any thread, and from a signal handler."""
        self._context.cancel(reason)

    def cut_off(self) -> None:
        """Cut it off at once."""
        self.stop("cut off")
        self._on_context()
        self.cut([self.life], self.grace)

    def _on_context(self) -> None:
        if self.life.over:
            return
        self.refresh()
        self.life.ask(self._context.reason, self.loop.time())
        ctx = self.life.ctx
        if ctx is not None and not ctx.done():
            ctx.end_by(self._context.reason, self._context.deadline)
        self.watch(self._context.deadline)
        if self._context.deadline != math.inf and self.performance.on_stop is not None:
            self.performance.on_stop(self._context.deadline + self.grace)

    def on_ready(self, life: Life) -> None:
        """Whoever waits for it watches the life itself."""

    def on_end(self, life: Life) -> None:
        """Whoever reads the events waits for no more."""
        self.performance.end()

    async def stop_player(self, name: str) -> None:
        raise OrchestraError(
            f"{repr(name) if name else 'the conductor'} is the root: stop the whole tree instead"
        )

    def play_again(self, life: Life) -> Life:
        raise OrchestraError("the root has ended, and the performance with it")
