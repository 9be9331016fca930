"""A program as a tree, before it plays: who starts after whom, times, and backoffs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .._duration import duration
from .._order import Befores, befores_of
from ..backoff import ConstantBackoff, ExponentialBackoff
from ..conductor import Conductor
from ..loading.program import Program
from ..loading.spec import PlayerSpec, ProgramSpec
from ..loading.times import needed
from ..player import Player, inner_of, kind_of, name_of, terms_of

_MOST_DELAYS: Final = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tree: what stands before the name, and what is said of it."""

    name: str
    kind: str
    remarks: tuple[str, ...]


def drawing(program: Program, player: Player) -> list[str]:
    """The lines of the tree, and then what is to be minded."""
    remarks = [f"timeout {duration(limit)}"] if (limit := program.timeout) is not None else []
    inner = inner_of(player)
    if isinstance(inner, Conductor):
        remarks = list(_of_group(inner))
    if program.drain_delay:
        remarks.append(f"drain delay {duration(program.drain_delay)}")
    if not isinstance(inner, Conductor):
        rows = [Row(name_of(player), kind_of(player), (*_of_player(player), *remarks))]
    else:
        rows = [Row(program.name, "group", (*remarks, *_of_backoff(player)))]
        rows += _rows(inner, "")
    widths = [max(len(row.name) for row in rows), max(len(row.kind) for row in rows)]
    lines = [
        f"{row.name:{widths[0]}}  {row.kind:{widths[1]}}  {', '.join(row.remarks)}".rstrip()
        for row in rows
    ]
    notes = [] if program.spec is None else list(_notes(program.spec, ""))
    return [*lines, *(f"! {note}" for note in notes)]


def _rows(conductor: Conductor, lead: str) -> Iterator[Row]:
    last_name = None
    names = list(conductor.players)
    for name, player in conductor.players.items():
        is_last = name == names[-1]
        inner = inner_of(player)
        after = befores_of(name, conductor.after, last_name)
        remarks = [*_of_order(after), *(["idle"] if name in conductor.idle else [])]
        if isinstance(inner, Conductor):
            remarks += _of_group(inner)
        remarks += _of_player(player)
        yield Row(lead + ("└─ " if is_last else "├─ ") + name, kind_of(player), tuple(remarks))
        if isinstance(inner, Conductor):
            yield from _rows(inner, lead + ("   " if is_last else "│  "))
        last_name = name if conductor.ordered else None


def _of_order(after: Befores) -> Iterator[str]:
    if after:
        yield "after " + " and ".join(
            name if until == "ready" else f"{name} {until}" for name, until in after.items()
        )


def _of_group(conductor: Conductor) -> Iterator[str]:
    if conductor.ordered:
        yield "ordered"
    if conductor.stop_when != "all":
        yield f"ends {'with any' if conductor.stop_when == 'any' else 'never by itself'}"
    yield f"{duration(conductor.timeout)} to stop"


def _of_player(player: Player) -> Iterator[str]:
    terms = terms_of(player)
    told: Any = getattr(inner_of(player), "_terms", None)
    ready = getattr(told, "ready", None)
    if ready is not None:
        yield "ready when done" if repr(ready) == "after(inf)" else f"ready by {ready!r}"
    if terms.start_timeout is not None:
        yield f"{duration(terms.start_timeout)} to start"
    alive = getattr(told, "alive", None)
    if alive is not None:
        yield f"alive by {alive.probe!r} every {duration(alive.every)}"
    if terms.watchdog is not None:
        yield f"watchdog {duration(terms.watchdog)}"
    limit = getattr(told, "stop_timeout", None)
    if limit is not None:
        yield f"{duration(limit)} to stop"
    yield from _of_backoff(player)


def _of_backoff(player: Player) -> Iterator[str]:
    terms = terms_of(player)
    if terms.backoff is None:
        return
    text = backoff_in_words(terms.backoff())
    if text:
        yield ("always comes back " if terms.always else "comes back ") + text


def backoff_in_words(backoff: Any) -> str:
    """A backoff as it is told of: `after 1 s, 5 s, 30 s`; nothing for one without a delay.

    >>> backoff_in_words([1, 5, 30]), backoff_in_words(ConstantBackoff(2, max_restarts=5, per=60))
    ('after 1 s, 5 s, 30 s', 'after 2 s, at most 5 in 1 m')
    """
    if isinstance(backoff, ExponentialBackoff):
        first, most = duration(backoff.initial), duration(backoff.max_delay)
        return f"after {first} to {most}{_limit_in_words(backoff)}"
    if isinstance(backoff, ConstantBackoff):
        return f"after {duration(backoff.delay)}{_limit_in_words(backoff)}"
    delays = [duration(one) for one in itertools.islice(backoff, _MOST_DELAYS + 1)]
    if len(delays) > _MOST_DELAYS:
        delays[_MOST_DELAYS:] = ["…"]
    return f"after {', '.join(delays)}" if delays else ""


def _limit_in_words(backoff: ExponentialBackoff | ConstantBackoff) -> str:
    if backoff.max_restarts is None:
        return ""
    window = "" if backoff.per is None else f" in {duration(backoff.per)}"
    return f", at most {backoff.max_restarts}{window}"


def _notes(group: ProgramSpec | PlayerSpec, path: str) -> Iterator[str]:
    """What may not be meant so: a group with less time to stop than its players have."""
    wants = needed(group)
    if group.timeout is not None and group.timeout < wants:
        yield (
            f"{path or 'the program'} has {duration(group.timeout)} to stop, and its players need "
            f"{duration(wants)} by what is said of each"
        )
    players: Mapping[str, PlayerSpec] = group.players or {}
    for name, player in players.items():
        if player.players is not None:
            yield from _notes(player, f"{path}.{name}" if path else name)
