"""From what a file says about a program to the conductor that plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from .. import probes
from .._launch.order import checked_argv
from .._order import Condition
from ..backoff import ConstantBackoff, ExponentialBackoff
from ..conductor import Conductor
from ..player import Player, inner_of, restarting
from ..players.command import CommandPlayer
from ..players.replicate import replicate
from .errors import LoadError
from .spec import BackoffSpec, PlayerSpec, ProbeSpec, ProgramSpec
from .target import Target, load_target
from .times import time_to_stop

COPY: Final = "ORCHESTRA_COPY"
"""The environment variable in which a command of several copies finds its number, from 0 on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies, and what its commands have as environment beside what it says of each."""

    folder: Path = Path()
    file: str | None = None
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    app_dir: Path | None = None  # where modules are found, if not in the folder


def build(program: ProgramSpec, place: Place) -> Conductor:
    """The conductor of a whole program.

    Targets in code are imported, from the file's folder first. Raises `LoadError` for what can't be
    played, with the path of the player; `UserCodeError` for what the code of a target raised.

    >>> from .toml import parse_toml
    >>> build(parse_toml('[players.web]\\ncommand = "gunicorn shop:app"'), Place()).players
    mappingproxy({'web': CommandPlayer('gunicorn shop:app')})
    """
    return _conductor(
        program.players,
        "",
        place,
        timeout=time_to_stop(program),
        ordered=program.ordered,
        stop_when=program.stop_when,
    )


def build_player(spec: PlayerSpec, path: str, place: Place) -> Player:
    """The player of one table, with all its copies; raises as `build` does."""
    try:
        if spec.copies is None:
            return _one(spec, path, place, None)

        def copy(number: int) -> Player:
            return _one(spec, f"{path}.{number}", place, number)

        return replicate(copy, spec.copies, timeout=time_to_stop(spec))
    except (TypeError, ValueError) as error:
        raise LoadError(f"{path}: {error}", file=place.file) from None


def befores_in(players: Mapping[str, PlayerSpec], name: str) -> dict[str, Condition]:
    """What a player starts after, and what it waits for in each: the end of one that plays once.

    >>> befores_in({"setup": PlayerSpec(once=True), "web": PlayerSpec(after={"setup": ""})}, "web")
    {'setup': 'done'}
    """
    made: dict[str, Condition] = {}
    for other, condition in players[name].after.items():
        usual: Condition = "done" if players[other].once else "ready"
        made[other] = condition or usual  # type: ignore[assignment]
    return made


def _conductor(
    players: Mapping[str, PlayerSpec], path: str, place: Place, **terms: Any
) -> Conductor:
    prefix = f"{path}." if path else ""
    made = {name: build_player(one, prefix + name, place) for name, one in players.items()}
    after = {name: befores_in(players, name) for name, one in players.items() if one.after}
    idle = [name for name, one in players.items() if not one.autostart]
    try:
        return Conductor(made, after=after, idle=idle, **terms)
    except ValueError as error:
        raise LoadError(f"{path}: {error}" if path else str(error), file=place.file) from None


def _one(spec: PlayerSpec, path: str, place: Place, number: int | None) -> Player:
    player: Player
    if spec.players is not None:
        terms = {"ordered": spec.ordered, "stop_when": spec.stop_when}
        player = _conductor(spec.players, path, place, timeout=time_to_stop(spec), **terms)
    elif spec.command is not None:
        player = _command(spec, place, number)
    else:
        player = _target(spec, path, place)
    if spec.restart != "never":
        player = restarting(player, _backoff(spec), on=spec.restart)
    return player


# Commands


def _command(spec: PlayerSpec, place: Place, number: int | None) -> CommandPlayer:
    alive = spec.alive
    looks = {} if alive is None else {k: v for k, v in alive.options.items() if k in _LOOKS}
    ready = _probe(spec.ready, place)
    if ready is None and spec.once:
        ready = probes.after(float("inf"))  # so that it is never ready, but done at its end
    player = CommandPlayer(
        _argv(spec),
        ready=ready,
        alive=_probe(alive, place),
        stop_signal=spec.stop_signal,
        stop_timeout=spec.stop_timeout,
        cwd=place.folder if spec.cwd is None else place.folder / Path(spec.cwd).expanduser(),
        env=_environment(spec, place, number),
        inherit_env=spec.inherit_env,
        user=spec.user,
        group=spec.group,
        umask=spec.umask,
        clean_codes=spec.clean_codes,
        **looks,
    )
    player.start_timeout = spec.start_timeout
    return player


_LOOKS: Final = ("every", "failures")


def _argv(spec: PlayerSpec) -> list[str]:
    if spec.shell:
        return ["/bin/sh", "-c", str(spec.command)]
    return [*checked_argv(spec.command), *map(str, spec.args)]


def _environment(spec: PlayerSpec, place: Place, number: int | None) -> dict[str, str]:
    env = {**place.env, **spec.env}
    if spec.inherit_env:
        # A Python whose output goes to a pipe would keep it for a long time.
        env = {"PYTHONUNBUFFERED": "1", **env}
    if number is not None:
        env[COPY] = str(number)
    if spec.port is not None:
        env["PORT"] = str(spec.port + (number or 0))
    return env


def _probe(spec: ProbeSpec | None, place: Place) -> probes.Probe | None:
    if spec is None:
        return None
    options = {name: value for name, value in spec.options.items() if name not in _LOOKS}
    make: Callable[..., probes.Probe] = getattr(probes, spec.kind)
    return make(*spec.what, **options) if spec.kind == "tcp" else make(spec.what, **options)


# Targets in code


def _target(spec: PlayerSpec, path: str, place: Place) -> Player:
    try:
        target = Target.parse(spec.target or "").within(place.folder)
        player = load_target(target, app_dir=place.app_dir or place.folder, args=spec.args)
    except LoadError as error:
        raise LoadError(f"{path}: {error.text}", file=place.file) from None
    if spec.copies is not None and isinstance(inner_of(player), Conductor) and not target.called:
        raise LoadError(
            f"{path}: {target} is one conductor, which plays once at a time: name what makes one for "
            "each copy, such as package.module:make()",
            file=place.file,
        )
    return player if spec.start_timeout is None else _with_limit(player, spec.start_timeout)


def _with_limit(player: Player, start_timeout: float) -> Player:
    """The player with another time to start: all else, its own backoff as well, stays as it is."""
    always = bool(getattr(player, "_restarts_always", False))
    limited = restarting(player, _OwnBackoff(player), on="always" if always else "failure")
    limited.start_timeout = start_timeout  # type: ignore[attr-defined]
    return limited


class _OwnBackoff:
    """The backoff that a player has, asked anew each time."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def __iter__(self) -> Iterator[float]:
        backoff: Callable[[], Iterable[float]] | None = getattr(self._player, "backoff", None)
        return iter(()) if backoff is None else iter(backoff())


# What both have


def _backoff(spec: PlayerSpec) -> Iterable[float]:
    given = BackoffSpec() if spec.backoff is None else spec.backoff
    if given.delays is not None:
        return given.delays
    limits: dict[str, Any] = {"max_restarts": given.max_restarts, "per": given.per}
    if given.multiplier == 1.0:
        return ConstantBackoff(given.initial, jitter=given.jitter, **limits)
    return ExponentialBackoff(
        given.initial, given.multiplier, max_delay=given.max_delay, jitter=given.jitter, **limits
    )
