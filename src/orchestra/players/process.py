"""A player in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._clock import seconds
from .._own_loop import LoopFactory
from ..backoff import as_backoff
from ..context import Context
from ..log import in_words, shown
from ..player import PlayerLike, as_player, name_of, terms_of
from ._launch import Luggage, StartMethod, check_method, main_is_importable
from ._loans import Loans
from ._process_run import ProcessRun


class ProcessPlayer:
    """Plays a player or a function, also a whole conductor, in a new Python process.

    What plays there is pickled, so it has to be importable: functions and classes at the top level of
    a module. The new process imports the program's file as well, so what starts the program has to be
    under `if __name__ == "__main__":` in there.

    What plays there gets a context of its own, which is done when the one here is; its players, events
    and log records show here, under the path that this has. What it raises is raised here, with its
    traceback as a note; a `RemoteError` stands in for what can't be pickled.

    - `start_method`: `"spawn"` starts a new interpreter; `"forkserver"` forks one that is kept for this,
      which is faster from the second time on.
    - `backoff`: delays in seconds after which a new process is started when it fails. A backoff of the
      player itself restarts it within its process.
    - `start_timeout`: seconds that it has to get ready in, imports included; without it, those that the
      player declares.
    - `loop_factory`: makes the loop there, as in `uvloop.new_event_loop`.

    The process leads a session and a group of its own, so a terminal's Ctrl-C does not reach it. To
    stop, it is asked; then it gets a SIGTERM; and when its time is over, its whole group is killed. It
    ends when this process does, however that ends. Its methods are for the loop's thread.

    A `ServerPlayer` listens here: so several processes can serve one port, and while one of them
    restarts, its clients wait or are served by the others.

    Raises at once `TypeError` for what is no player or can't be pickled, and `ValueError` for arguments
    that make no sense.

    >>> from orchestra.demo.primes import count_primes
    >>> ProcessPlayer(count_primes)
    ProcessPlayer(ThreadPlayer(count_primes))
    """

    kind = "process"
    signals_ready = True

    def __init__(
        self,
        player: PlayerLike,
        *,
        start_method: StartMethod = "spawn",
        backoff: Iterable[float] | None = None,
        start_timeout: float | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        self._method: StartMethod = check_method(start_method)
        self._player = as_player(player)
        terms = terms_of(self._player)
        self._backoff = None if backoff is None else as_backoff(backoff)
        limit = None if start_timeout is None else seconds("start_timeout", start_timeout)
        self.start_timeout = terms.start_timeout if limit is None else limit
        self.watchdog = terms.watchdog
        if loop_factory is not None and not callable(loop_factory):
            raise TypeError(f"loop_factory has to be a function, not {loop_factory!r}")
        self._loop_factory = loop_factory
        self._loans = Loans(self._player)
        if not self._loans.any:
            self._pack(Luggage(self._method), self._player, None)

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows."""
        return {"start_method": self._method}

    @property
    def __name__(self) -> str:
        return name_of(self._player)

    def __repr__(self) -> str:
        return f"ProcessPlayer({self._player!r})"

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    async def play(self, ctx: Context) -> None:
        """Play it in a new process, until that has ended.

        Raises what the player raised there, `ProcessDiedError` if the process ended before the player
        did, and `StopTimeoutError` if it had to be killed.
        """
        if ctx.done():
            return
        async with self._loans.taken(ctx, self.play) as (player, sockets):
            run = ProcessRun(ctx, self.watchdog)
            await run.start(self._method, lambda luggage: self._pack(luggage, player, sockets))
            await run.play()

    def _pack(self, luggage: Luggage, player: Any, sockets: Any) -> bytes:
        return _packed(luggage, player, sockets, self._loop_factory)


async def play_in_process(ctx: Context, player: Any, sockets: Any) -> None:
    """Play a player that borrows sockets in a new process; raises as `ProcessPlayer.play` does."""
    run = ProcessRun(ctx, None)
    await run.start(check_method("spawn"), lambda luggage: _packed(luggage, player, sockets, None))
    await run.play()


def _packed(luggage: Luggage, player: Any, sockets: Any, loop_factory: Any) -> bytes:
    """What plays there, as it is sent."""
    try:
        packed = luggage.pickled((player, sockets, loop_factory))
    except Exception as error:
        raise TypeError(
            f"{shown(player)} can't be sent to another process: {in_words(error)}. What plays "
            "there has to be importable, from the top level of a module, and no lambda; what "
            "can't be pickled, such as a lock or a connection, has to be made inside of `play`"
        ) from error
    if b"__main__" in packed and not main_is_importable():
        raise TypeError(
            f"{shown(player)} can't be sent to another process: it needs what is defined in "
            "__main__, which is no file that could be imported there. Put it in a module"
        )
    return packed
