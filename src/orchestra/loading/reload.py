"""A file that is read again while its program plays, and what has changed in it done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from .._order import Order
from ..conductor import Conductor
from ..player import Player, inner_of
from ..players.replicate import Replicas
from .building import Place, befores_in, build_player
from .difference import Difference, difference
from .program import Program, read_file
from .spec import PlayerSpec, ProgramSpec

LATER: Final = frozenset({"after", "autostart", "watch"})
"""Keys of a player that count at the start of the whole program only."""


class Reload:
    """Reads the file of a program again, and does what has changed in it. For the tree's loop."""

    def __init__(self, program: Program, player: Player) -> None:
        conductor = inner_of(player)
        assert isinstance(conductor, Conductor), "a file makes one"
        assert program.spec is not None, "a file has one"
        self._program, self._conductor = program, conductor
        self._spec, self._env = program.spec, dict(program.place.env)
        self._turns = asyncio.Lock()

    async def apply(self, dry_run: bool = False) -> dict[str, Any]:
        """The `changes`, a text each, and whether they were `applied`: not if there are none, or it is `dry_run`.

        All that is new is built before anything is stopped, so a file that is wrong changes nothing.
        Raises `LoadError` for such a file, `UserCodeError` for what the code of a target raised, and
        otherwise what the players raise that fail.
        """
        async with self._turns:
            spec, place = read_file(self._program.source, self._program.wish)
            found = difference(self._spec, spec)
            steps = Steps.of(found, self._spec, spec, place)
            changes = list(steps.in_words(found))
            if dict(place.env) != self._env:
                changes.append("! variables of env files count for what starts from now on")
            if not changes or dry_run:
                return {"changes": changes, "applied": False}
            made = steps.made()
            with _held(self._conductor):
                await self._do(steps, made)
            self._spec, self._env = spec, dict(place.env)
            return {"changes": changes, "applied": True}

    async def _do(self, steps: Steps, made: Mapping[str, Player]) -> None:
        for path in steps.to_remove:
            group, name = self._find(path)
            await group.remove(name)
        for path, copies in steps.to_scale.items():
            group, name = self._find(path)
            replicas = inner_of(group.players[name])
            assert isinstance(replicas, Replicas), "only the number of copies has changed"
            await replicas.scale(copies)
        for path in steps.to_replace:
            group, name = self._find(path)
            await group.replace(name, made[path])
        for path in steps.to_add:
            group, name = self._find(path)
            beside = steps.beside(path)
            group.add(
                name, made[path], after=befores_in(beside, name), idle=not beside[name].autostart
            )

    def _find(self, path: str) -> tuple[Conductor, str]:
        """The group of a player, and its name there."""
        above, _, name = path.rpartition(".")
        group = self._conductor
        for one in filter(None, above.split(".")):
            inner = inner_of(group.players[one])
            assert isinstance(inner, Conductor), "it has players, by the file"
            group = inner
        return group, name


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done, by path, and in which order."""

    to_remove: tuple[str, ...]
    to_scale: Mapping[str, int]
    to_replace: tuple[str, ...]
    to_add: tuple[str, ...]
    later: Mapping[str, tuple[str, ...]]
    spec: ProgramSpec
    place: Place

    @classmethod
    def of(cls, found: Difference, old: ProgramSpec, new: ProgramSpec, place: Place) -> Steps:
        """The steps from one reading to the other."""
        now = {path: [key for key in keys if key not in LATER] for path, keys in found.keys.items()}
        scaled = {
            path: count
            for path, keys in now.items()
            if keys == ["copies"] and (count := _scaled(old, new, path)) is not None
        }
        return cls(
            tuple(reversed(_in_order(found.removed, old))),
            scaled,
            tuple(path for path, keys in now.items() if keys and path not in scaled),
            tuple(_in_order(found.added, new)),
            {path: tuple(LATER.intersection(keys)) for path, keys in found.keys.items()},
            new,
            place,
        )

    def in_words(self, found: Difference) -> Iterator[str]:
        """Each change as a text."""
        applied = replace(
            found,
            changed=tuple(path for path in found.changed if set(found.keys[path]) - LATER),
            keys={
                path: tuple(k for k in keys if k not in LATER) for path, keys in found.keys.items()
            },
        )
        if applied:
            yield from str(applied).splitlines()
        for path, keys in self.later.items():
            for key in sorted(keys):
                yield f"! {path}: {key} counts from the next start on"

    def made(self) -> dict[str, Player]:
        """The players that are new."""
        paths = (*self.to_replace, *self.to_add)
        return {path: build_player(_at(self.spec, path), path, self.place) for path in paths}

    def beside(self, path: str) -> Mapping[str, PlayerSpec]:
        """The players of the group that a player is in."""
        above = path.rpartition(".")[0]
        return self.spec.players if not above else _at(self.spec, above).players or {}


def _at(spec: ProgramSpec, path: str) -> PlayerSpec:
    first, *names = path.split(".")
    found = spec.players[first]
    for name in names:
        assert found.players is not None, "the path is of a player"
        found = found.players[name]
    return found


def _scaled(old: ProgramSpec, new: ProgramSpec, path: str) -> int | None:
    """How many copies there are to be, if there was a group of copies, and is one."""
    return _at(new, path).copies if _at(old, path).copies is not None else None


def _in_order(paths: tuple[str, ...], spec: ProgramSpec) -> list[str]:
    """The same paths, each behind those that it comes after."""
    return sorted(paths, key=lambda path: _depth(path, spec))


def _depth(path: str, spec: ProgramSpec) -> int:
    above, _, name = path.rpartition(".")
    beside = _at(spec, above).players if above else spec.players
    order = Order()
    for one in beside or {}:
        order.add(one, befores_in(beside or {}, one))
    return order.depths(beside or {})[name]


@contextmanager
def _held(conductor: Conductor) -> Iterator[None]:
    """Meanwhile, no group here ends because it has no players for a moment."""
    with ExitStack() as stack:
        for group in _groups(conductor):
            stack.callback(setattr, group, "stop_when", group.stop_when)
            group.stop_when = "never"
        yield


def _groups(conductor: Conductor) -> Iterator[Conductor]:
    yield conductor
    for player in conductor.players.values():
        inner = inner_of(player)
        if isinstance(inner, Conductor):
            yield from _groups(inner)
