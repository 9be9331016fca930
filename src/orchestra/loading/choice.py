"""Which of the players of a program are to play, and how many of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType

from ..conductor import Conductor
from ..errors import nearest
from ..player import inner_of
from ..players.replicate import Replicas
from .errors import LoadError
from .spec import PlayerSpec, ProgramSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """The players that are to play, as paths or patterns of them: `only` these, all `but` those.

    A path stands for the player and all below it. `scale` says how many copies there are at a path.
    """

    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)

    def takes(self, path: str) -> bool:
        """Whether the player at this path plays, if it is no group.

        >>> Choice(only=("web", "jobs.*")).takes("jobs.mailer"), Choice(but=("jobs",)).takes("jobs.mailer")
        (True, False)
        """
        wanted = not self.only or any(_is_of(path, one) for one in self.only)
        return wanted and not any(_is_of(path, one) for one in self.but)

    def check(self, paths: Collection[str]) -> None:
        """Raise `LoadError` for what names none of these paths, with the nearest."""
        for one in (*self.only, *self.but, *self.scale):
            if not any(_is_of(path, one) for path in paths):
                raise LoadError(f"no player {one!r}. {nearest(one, paths)}")
        if (self.only or self.but) and not any(self.takes(path) for path in paths):
            raise LoadError("no player is left to play")


def _is_of(path: str, chosen: str) -> bool:
    parts = path.split(".")
    above = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return any(fnmatchcase(one, chosen) for one in above)


# In a file


def choose(program: ProgramSpec, choice: Choice) -> ProgramSpec:
    """The program with the chosen players only, so many of each; they wait for nobody who is left out.

    Raises `LoadError` for a path that nobody has, with the nearest.
    """
    choice.check([path for path, _ in _walk(program.players, "")])
    for path in choice.scale:
        if any(sign in path for sign in "*?["):
            raise LoadError(f"{path!r} is a pattern: say the number of copies of each by itself")
    return replace(program, players=_chosen(program.players, "", choice))


def _walk(players: Mapping[str, PlayerSpec], above: str) -> Iterator[tuple[str, PlayerSpec]]:
    for name, player in players.items():
        yield above + name, player
        yield from _walk(player.players or {}, f"{above}{name}.")


def _chosen(
    players: Mapping[str, PlayerSpec], above: str, choice: Choice
) -> Mapping[str, PlayerSpec]:
    found = {}
    for name, player in players.items():
        path = above + name
        inner = None if player.players is None else _chosen(player.players, f"{path}.", choice)
        if inner or (not player.players and choice.takes(path)):
            copies = choice.scale.get(path, player.copies)
            found[name] = replace(player, players=inner, copies=copies)
    for name, player in found.items():
        after = {other: until for other, until in player.after.items() if other in found}
        found[name] = replace(player, after=MappingProxyType(after))
    return MappingProxyType(found)


# In code


def choose_in(conductor: Conductor, choice: Choice) -> None:
    """Leave the chosen players in a conductor, and give groups of copies so many of them.

    Raises `LoadError` for a path that nobody has, with the nearest, and for copies of what has none.
    """
    choice.check([path for path, _ in _below(conductor, "")])
    _leave(conductor, "", choice)
    found = dict(_below(conductor, ""))
    for path, count in choice.scale.items():
        player = found.get(path)
        if not isinstance(player, Replicas):
            raise LoadError(
                f"{path} is no group of copies: it can't be scaled. In code, `replicate` makes one"
            )
        player.resize(count)


def _below(conductor: Conductor, above: str) -> Iterator[tuple[str, object]]:
    for name, given in conductor.players.items():
        player = inner_of(given)
        yield above + name, player
        if isinstance(player, Conductor):
            yield from _below(player, f"{above}{name}.")


def _leave(conductor: Conductor, above: str, choice: Choice) -> None:
    for name, given in list(conductor.players.items()):
        path, player = above + name, inner_of(given)
        if isinstance(player, Conductor) and player.players:
            _leave(player, f"{path}.", choice)
            if not player.players:
                conductor._forget(name)  # it does not play yet
        elif not choice.takes(path):
            conductor._forget(name)  # it does not play yet
