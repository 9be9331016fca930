"""A life and all below it at one moment: as a status, and as the places where players are stuck."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from . import _clock
from ._life import Life
from .player import kind_of
from .status import Players, PlayerStatus, State

_ENDED: Final = (State.STOPPED, State.SKIPPED)


def below(life: Life) -> list[Life]:
    """The lives of the groups that play in it."""
    return [one for group in life.groups or () for one in list(group.lives.values())]


def leaves(life: Life, *, lingering: bool = False) -> Iterator[tuple[str, str]]:
    """The paths of those that still go on at the ends of the tree, and where each is.

    Those that linger, and would end if the others did, are among them only if they are asked for.
    """
    alive = [one for one in below(life) if not one.over]
    for one in alive:
        yield from leaves(one, lingering=lingering)
    elsewhere = {} if life.subtree is None else life.subtree.leaves()
    yield from elsewhere.items()
    if elsewhere or (life.terms.lingers and not lingering):
        return
    # A conductor whose players are all over is about to end by itself.
    if not alive and not (life.groups and getattr(life.player, "bounds_its_stop", False)):
        yield life.path, life.where()


def height(life: Life) -> int:
    """How many levels of players there are below it that still go on."""
    return max((1 + height(one) for one in below(life) if not one.over), default=0)


def status_of(life: Life, *, ready: bool = True) -> PlayerStatus:
    """A snapshot; with `ready=False`, of a tree in which nothing counts as ready any more."""
    now, wall = _clock.now(life.keeper.loop), life.keeper.performance.wall_time()
    players = Players(status_of(one, ready=ready) for one in below(life))
    state = life.state
    if state is State.READY and life.groups:
        state = _group_state(life, players)
    details = dict(life.details or {})
    if zombies := 0 if life.leftovers is None else life.leftovers.count():
        details["zombies"] = zombies
    begun, series = life.begun_at, life.series
    backs_off = state is State.BACKING_OFF and series is not None
    found = PlayerStatus(
        name=life.name,
        path=life.path,
        kind=kind_of(life.player),
        state=state,
        ready=ready and state in (State.READY, State.DEGRADED),
        since=wall - (now - life.since),
        uptime=None if begun is None else max(0.0, now - begun),
        restarts=life.restarts,
        next_restart_in=max(0.0, life.since + series.delay - now) if series and backs_off else None,
        error=life.error,
        details=details,
        players=players,
        done=state in _ENDED and life.has_run and not life.stopping,
    )
    inner = None if life.subtree is None else life.subtree.status()
    return found if inner is None else _with_subtree(found, inner, ready=ready)


def _with_subtree(status: PlayerStatus, inner: PlayerStatus, *, ready: bool) -> PlayerStatus:
    """The status of a player that plays elsewhere, with what is known from there."""
    players = inner.players if ready else Players(map(_unready, inner.players))
    if status.state is not State.READY:
        return replace(status, players=players)
    return replace(
        status,
        state=inner.state,
        ready=ready and inner.ready,
        restarts=status.restarts + inner.restarts,
        next_restart_in=inner.next_restart_in,
        error=inner.error or status.error,
        players=players,
    )


def _unready(status: PlayerStatus) -> PlayerStatus:
    return replace(status, ready=False, players=Players(map(_unready, status.players)))


def _group_state(life: Life, players: Players) -> State:
    if any(group.stopping and not group.over for group in life.groups or ()):
        return State.STOPPING
    fine = (State.READY, State.STOPPED, State.SKIPPED)
    all_fine = all(player.state in fine for player in players)
    return State.READY if all_fine else State.DEGRADED


def group_status(
    path: str, players: Iterable[PlayerStatus], *, state: State, since: float
) -> PlayerStatus:
    """The status of a conductor that is nobody's player."""
    return PlayerStatus(
        name=path.rpartition(".")[2],
        path=path,
        kind="group",
        state=state,
        ready=state is State.READY,
        since=since,
        players=Players(players),
    )
