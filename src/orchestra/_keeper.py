"""What a life sees of those above and below it: who keeps it, and the groups that play in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._clock import Loop
    from ._life import Life
    from .context import Context
    from .events import Event
    from .log import Logger


class Keeper(Protocol):
    """Whom a life answers to: the group it plays in, or the performance for the root."""

    loop: Loop
    logger: Logger
    listening: bool  # somebody would see an event
    complaining: bool  # somebody would see an event that is an error
    grace: float

    @property
    def context(self) -> Context: ...
    @property
    def performance(self) -> Any: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def above(self) -> Life | None: ...  # what the keeper itself plays in
    def emit(self, make: Callable[..., Event], path: str, *args: object) -> None: ...
    def on_ready(self, life: Life) -> None: ...
    def on_end(self, life: Life) -> None: ...
    def watch(self, deadline: float, life: Life) -> None: ...


class Group(Protocol):
    """The players of a conductor that plays inside of a life."""

    lives: dict[str, Life]
    stopping: bool
    over: bool
