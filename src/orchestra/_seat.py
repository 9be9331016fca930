"""Whom a context belongs to, as the context needs to know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .context import Context
    from .log import Logger
    from .performance import Performance
    from .status import PlayerStatus


class Subtree(Protocol):
    """What plays below a player in another process: shown as a part of this tree."""

    def status(self) -> PlayerStatus | None:
        """The player itself with all below it, as it is there; None while nothing is known."""
        ...

    def leaves(self) -> Mapping[str, str]:
        """The paths of those that still go on at the ends of it, and where each is."""
        ...

    async def ask(self, act: Callable[..., Any], *args: object) -> Any:
        """What a function comes to there, with the performance there and these arguments.

        What is async runs in the loop there, anything else in a thread. It and what it returns have to
        be such as can be pickled. Raises what it raises, and `OrchestraError` if the process ends
        before it has answered.
        """
        ...


class Seat(Protocol):
    """The one player that a context belongs to, or what plays over its root."""

    path: str

    @property
    def performance(self) -> Performance | None:
        """The running tree that it is part of."""

    @property
    def logger(self) -> Logger:
        """Where its log lines go."""
        ...

    def on_ready(self, context: Context, details: dict[str, object]) -> None:
        """The run with this context serves now."""

    def on_heartbeat(self) -> None:
        """The player is alive."""

    def on_locate(self, context: Context, locate: Callable[[], str]) -> None:
        """Where the run with this context is, `locate` can say."""

    def on_attach(self, context: Context, subtree: Subtree) -> None:
        """The run with this context plays a part of the tree elsewhere."""
