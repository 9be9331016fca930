"""A named group of players that start, fail and stop together, and is a player itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from ._clock import seconds
from ._group import Group, StopWhen
from ._life import Life
from ._order import Befores, Condition, check_after, check_endings, without
from ._snapshot import group_status, status_of
from ._supervisor import check_thread
from .backoff import as_backoff
from .context import Context, check_context
from .errors import AlreadyPlayingError, OrchestraError, counted, nearest
from .log import Logger, check_logger, default_logger, report, shown
from .performance import Performance
from .player import Player, PlayerLike, as_player, kind_of, terms_of
from .status import PlayerStatus, State

if TYPE_CHECKING:
    from ._leftovers import Leftovers

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch


class Conductor:
    """Plays its players together.

    A player that fails, and has no backoff left, stops the conductor gracefully: all others are
    asked, all are awaited, and then `play` raises a `ConductorError` with all that went wrong. It
    ends within `timeout` seconds plus a tenth, whatever its players do.

    - `players`: names to players, or to functions that become players (see `as_player`). Names are
      made of letters, digits, `_` and `-`, and joined by dots to paths.
    - `timeout`: seconds that the players have to stop; with 0 they are cut off at once.
    - `after`: `{"api": ["db"]}` starts `api` when `db` is ready, and stops it before `db`. Another
      condition is named: `{"api": {"cache": "started", "db": "ready", "migrate": "done"}}`, where
      done means ended well.
    - `ordered`: the same, each player after the one before it.
    - `backoff`: makes it a group that comes back whole.
    - `stop_when`: it ends when `"all"` players have ended, when `"any"` has, or `"never"` by itself.
    - `idle`: names of players that are not started with the others, but by `start`, by hand.
    - `logger`: for its lines and those of groups below; without one, that of the group above.

    Raises `TypeError` or `ValueError` at once for arguments that make no sense. All methods are for
    the loop's thread, and raise `RuntimeError` in another; `status` may be called from any.

    >>> async def worker(ctx):
    ...     while await ctx.sleep(60):
    ...         print("tick")
    >>> conductor = Conductor({"worker": worker}, timeout=5)
    """

    kind = "group"
    signals_ready = True
    bounds_its_stop = True  # a supervisor need not
    goes_on_empty = False

    def __init__(
        self,
        players: Mapping[str, PlayerLike] = MappingProxyType({}),
        *,
        timeout: float = 9.0,
        after: Mapping[str, Collection[str] | Mapping[str, Condition]] = MappingProxyType({}),
        ordered: bool = False,
        backoff: Iterable[float] | None = None,
        stop_when: StopWhen = "all",
        idle: Collection[str] = (),
        logger: Logger | None = None,
    ) -> None:
        if not isinstance(players, Mapping):
            raise TypeError(f"players are given by name, as in {{'api': api}}, not as {players!r}")
        if stop_when not in get_args(StopWhen):
            known = get_args(StopWhen)
            raise ValueError(
                f"stop_when={stop_when!r} is unknown. {nearest(str(stop_when), known)}"
            )
        if not isinstance(ordered, bool):
            raise TypeError(f"ordered is True or False, for the order of players, not {ordered!r}")
        self.timeout = seconds("timeout", timeout)
        self.stop_when: StopWhen = stop_when
        self.ordered = ordered
        self.leftovers: dict[str, tuple[Player, Leftovers]] = {}
        self.logger = None if logger is None else check_logger(logger)
        self._backoff = None if backoff is None else as_backoff(backoff)
        self._players = _all_checked(players)
        self.after: dict[str, Befores] = check_after(after, self._players, ordered=ordered)
        if stop_when == "any":
            check_endings(self.after)
        self.idle = _checked_idle(idle, self._players)
        self._group: Group | None = None
        self._playing = False

    def __repr__(self) -> str:
        return f"<Conductor of {counted(len(self._players), 'player')}>"

    @property
    def players(self) -> Mapping[str, Player]:
        """The players by name, as they are now; to change them, use `add` and `remove`."""
        return MappingProxyType(self._players)

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows."""
        return {
            "timeout": self.timeout,
            "stop_when": self.stop_when,
            "ordered": self.ordered,
            "after": {name: ", ".join(before) for name, before in self.after.items()},
            "idle": sorted(self.idle),
        }

    async def play(self, ctx: Context) -> None:
        """Play all players until `ctx` is done or they have ended.

        Raises `ConductorError` if anything went wrong, and `AlreadyPlayingError` if this plays under
        another root context. Met again under the same root, it is skipped.
        """
        group = self._open(ctx)
        if group is None:
            return
        try:
            await group.play(self._players)
        finally:
            self._playing = False
            group.performance.leave(group)

    def _open(self, ctx: Context) -> Group | None:
        performance = check_context(ctx).performance
        if self._playing and self._group is not None:
            if performance is not None and performance is self._group.performance:
                performance.skip(ctx)
                return None
            raise AlreadyPlayingError(f"{self!r} plays already, under another root context")
        ctx.bind()
        if performance is None:
            performance = Performance.over(ctx)
        seat = cast("Life | Performance", ctx.seat)
        logger = self.logger or _logger_above(seat)
        group = Group(self, ctx, seat, performance, logger, self._forget)
        seat.groups = [*(one for one in seat.groups or () if not one.over), group]
        self._playing, self._group = True, group
        return group

    def add(
        self,
        name: str,
        player: PlayerLike,
        *,
        after: Collection[str] | Mapping[str, Condition] = (),
        idle: bool = False,
    ) -> None:
        """Take in a player, and start it if this plays: `after` some others, as at the start.

        In an ordered group it comes last. With `idle` it waits for `start`, by hand. Raises `ValueError`
        for a name that is taken or is none, and an `after` that makes no sense, `TypeError` for what is
        no player, and `OrchestraError` if this is stopping.
        """
        check_name(name)
        if name in self._players:
            raise ValueError(f"there is a player {name!r} already")
        new = checked(player)
        befores = check_after({name: after}, [*self._players, name]) if after else {}
        if self.stop_when == "any":
            check_endings(befores)
        group = self._running()
        if group is not None and group.stopping:
            raise OrchestraError(f"this conductor is stopping, {name!r} can't be added")
        self._players[name] = new
        self.after.update(befores)
        if idle:
            self.idle.add(name)
        if group is not None:
            group.add(name, new)

    async def replace(self, name: str, player: PlayerLike) -> None:
        """Stop a player gracefully, and play another in its place; returns when that is ready.

        It starts and stops after the same others. One that is idle stays so. What the old one raised
        as it stopped is logged. Raises what the new one raises if it fails, `KeyError` for an unknown
        name, with the nearest, `TypeError` for what is no player, and `OrchestraError` if this is
        stopping.
        """
        self._check_known(name)
        new = checked(player)
        group = self._running()
        if group is None:
            self._players[name] = new
        else:
            await group.replace(name, new, self._players)

    async def remove(self, name: str) -> None:
        """Stop a player gracefully, within `timeout`, and let it go.

        Raises what the player raised, a `StopTimeoutError` if it had to be cut off, and `KeyError`
        for an unknown name, with the nearest.
        """
        self._check_known(name)
        group = self._running()
        if group is None:
            self._forget(name)
        else:
            await group.remove(name)

    def _forget(self, name: str) -> None:
        """The player of this name is gone, and the name may be taken again."""
        del self._players[name]
        self.idle.discard(name)
        self.after = without(name, self.after)

    async def start(self, name: str) -> None:
        """Start a player that was stopped by hand, is idle, or has ended; returns when it is ready.

        One that waits for its next run begins it now, and one that plays is left alone. Raises what
        the player raises if it fails instead, `KeyError` for an unknown name, with the nearest, and
        `OrchestraError` if this does not play, or if this or the player is stopping.
        """
        await self._group_of(name, "started").start_player(name)

    async def stop(self, name: str) -> None:
        """Stop a player gracefully, within `timeout`, and leave it so until somebody starts it.

        It is idle from then on: it stays in the tree as stopped, a group that comes back does not
        start it, and as long as one is idle, a group does not end by itself. Raises what the player
        raised, a `StopTimeoutError` if it had to be cut off, and `KeyError` for an unknown name,
        with the nearest.
        """
        self._check_known(name)
        group = self._running()
        if group is None:
            self.idle.add(name)
        else:
            await group.stop_player(name)

    async def restart(self, name: str) -> None:
        """Stop a player gracefully and start it again; returns when it is ready.

        One that has ended or is idle is started. Raises what the player raises if it fails instead,
        `KeyError` for an unknown name, with the nearest, and `OrchestraError` if this does not play
        or stops.
        """
        await self._group_of(name, "restarted").restart(name)

    def _check_known(self, name: str) -> None:
        if name not in self._players:
            raise KeyError(f"no player {name!r}. {nearest(name, self._players)}")

    def _group_of(self, name: str, what: str) -> Group:
        self._check_known(name)
        group = self._running()
        if group is None:
            raise OrchestraError(f"this conductor does not play, {name!r} can't be {what}")
        return group

    def status(self) -> PlayerStatus:
        """A frozen snapshot of this and all below it; of the last performance if it is over."""
        group = self._group
        if group is None:
            return _unplayed("", self, ())
        seat = group.seat
        return status_of(seat) if isinstance(seat, Life) else group.status()

    def _running(self) -> Group | None:
        if self._group is None or not self._playing:
            return None
        check_thread(self._group.loop)
        return self._group


def _logger_above(seat: Life | Performance) -> Logger:
    if not isinstance(seat, Life):
        return default_logger()
    above = seat.keeper.logger
    try:
        return above.with_group(seat.name) if seat.name else above
    except BaseException as error:
        report(f"the logger {shown(above)} failed", error)
        return above


def check_name(name: object) -> str:
    """The name, or the `ValueError` that says what a name is."""
    if not isinstance(name, str) or _NAME(name) is None:
        raise ValueError(
            f"{name!r} is no name for a player: letters, digits, '_' and '-' make one, such as "
            f"{re.sub(r'[^A-Za-z0-9_-]+', '_', str(name)).strip('_') or 'worker'!r}"
        )
    return name


def _all_checked(players: Mapping[str, PlayerLike]) -> dict[str, Player]:
    # A thousand players are often one function, a thousand times, and that can be one player.
    made: dict[FunctionType, Player] = {}
    found = {}
    for name, given in players.items():
        check_name(name)
        if type(given) is FunctionType:
            player = made.get(given)
            if player is None:
                player = made[given] = checked(given)
        else:
            player = checked(given)
        found[name] = player
    return found


def _checked_idle(idle: Collection[str], names: Collection[str]) -> set[str]:
    if isinstance(idle, str) or not isinstance(idle, Iterable):
        raise ValueError(f"idle={idle!r} needs a collection of names: [{idle!r}]")
    found = set(idle)
    for name in found:
        if name not in names:
            raise ValueError(
                f"idle names {name!r}, which is no player. {nearest(str(name), names)}"
            )
    return found


def checked(given: Any) -> Player:
    """The player that this is made into, with its declarations checked."""
    player = as_player(given)
    terms_of(player)
    return player


def _unplayed(name: str, conductor: Conductor, above: tuple[Conductor, ...]) -> PlayerStatus:
    players = []
    for path, player in conductor.players.items():
        inner = player if isinstance(player, Conductor) and player not in above else None
        full = f"{name}.{path}" if name else path
        players.append(
            _unplayed(full, inner, (*above, conductor))
            if inner is not None
            else PlayerStatus(path, full, kind_of(player), State.WAITING, False, 0.0)
        )
    return group_status(name, players, state=State.WAITING, since=0.0)
