"""What has changed between two readings of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from .spec import PlayerSpec, ProgramSpec


@dataclass(frozen=True, slots=True)
class Difference:
    """The paths of the players to add, to remove and to replace, and what needs a new start.

    `keys` says for each that is replaced which of its keys are other than before. `fixed` are the
    keys of the program itself, which count from the next start on.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.fixed)

    def __str__(self) -> str:
        """A line a player, with a sign before it."""
        lines = [f"- {path}" for path in self.removed]
        lines += [f"~ {path} ({', '.join(self.keys[path])})" for path in self.changed]
        lines += [f"+ {path}" for path in self.added]
        lines += [f"! {key} counts from the next start on" for key in self.fixed]
        return "\n".join(lines) or "nothing has changed"


def difference(old: ProgramSpec, new: ProgramSpec) -> Difference:
    """What has to be done to come from one to the other.

    A group whose own keys are the same is not replaced: its players are looked at one by one.
    """
    steps = list(_steps(old.players, new.players, ""))
    own = tuple(
        one.name
        for one in fields(ProgramSpec)
        if one.name != "players" and getattr(old, one.name) != getattr(new, one.name)
    )
    return Difference(
        added=tuple(path for sign, path, _ in steps if sign == "+"),
        removed=tuple(path for sign, path, _ in steps if sign == "-"),
        changed=tuple(path for sign, path, _ in steps if sign == "~"),
        keys={path: keys for sign, path, keys in steps if sign == "~"},
        fixed=own,
    )


def _steps(
    old: Mapping[str, PlayerSpec], new: Mapping[str, PlayerSpec], above: str
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for name in old:
        if name not in new:
            yield "-", above + name, ()
    for name, player in new.items():
        path, before = above + name, old.get(name)
        if before is None:
            yield "+", path, ()
            continue
        keys = _changed_keys(before, player)
        if keys:
            yield "~", path, keys
        elif player.players is not None and before.players is not None:
            yield from _steps(before.players, player.players, f"{path}.")


def _changed_keys(old: PlayerSpec, new: PlayerSpec) -> tuple[str, ...]:
    both_groups = old.players is not None and new.players is not None
    return tuple(
        one.name
        for one in fields(PlayerSpec)
        if getattr(old, one.name) != getattr(new, one.name)
        and not (both_groups and one.name == "players")
    )
