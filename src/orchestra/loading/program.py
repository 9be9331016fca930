"""A program that a user has named, ready to be played."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..conductor import Conductor
from ..player import Player, inner_of
from .building import Place, build
from .choice import Choice, choose, choose_in
from .environment import read_env_files
from .errors import LoadError
from .procfile import PORT, procfile_spec
from .source import PYPROJECT, Source, find_source, read_text
from .spec import LogSpec, PlayerSpec, ProgramSpec
from .target import Target, load_target
from .times import time_to_stop
from .toml import parse_pyproject, parse_toml


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants played, and how: all that is needed to load it, here or in another process."""

    target: str | None = None
    folder: Path = Path()
    app_dir: Path | None = None
    env_files: tuple[Path, ...] = ()
    factory: bool = False
    choice: Choice = field(default_factory=Choice)
    timeout: float | None = None
    drain_delay: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be played, and what is known of it without its code: `load` makes the player."""

    wish: Wish
    name: str
    source: Source
    place: Place
    timeout: float | None = None
    drain_delay: float = 0.0
    log: LogSpec | None = None
    spec: ProgramSpec | None = None

    @property
    def watched(self) -> dict[str, tuple[str, ...]]:
        """The players that are restarted when files change, with the patterns of these."""
        return {} if self.spec is None else dict(_watched(self.spec.players, ""))

    def load(self) -> Player:
        """The player: what the code says, or what is built of the file.

        Variables of `.env` files count from then on for this process as well. Raises `LoadError` and
        `UserCodeError` as `build` and `load_target` do.
        """
        os.environ.update(self.place.env)
        return self._from_code() if self.spec is None else build(self.spec, self.place)

    def _from_code(self) -> Player:
        target, wish = self.source.target, self.wish
        assert target is not None
        app_dir = self.place.app_dir or self.place.folder
        player = load_target(target.within(wish.folder), app_dir=app_dir, factory=wish.factory)
        inner = inner_of(player)
        if isinstance(inner, Conductor):
            choose_in(inner, wish.choice)
            if wish.timeout is not None:
                inner.timeout = wish.timeout
        elif wish.choice != Choice():
            raise LoadError(f"{target} is one player: there is nothing to choose from")
        return player


def find_program(wish: Wish) -> Program:
    """The program that is wished for: its file is read, and no code imported yet; raises `LoadError`."""
    source = find_source(wish.target, wish.folder)
    delay = wish.drain_delay or 0.0
    if source.target is not None:
        place = Place(wish.folder, env=read_env_files(wish.env_files), app_dir=wish.app_dir)
        return Program(wish, _name_of(source.target), source, place, wish.timeout, delay)
    spec, place = read_file(source, wish)
    assert source.file is not None
    name = spec.name or _as_name(source.file.resolve().parent.name)
    limit = time_to_stop(spec)
    return Program(wish, name, source, place, limit, spec.drain_delay, spec.log, spec)


def _name_of(target: Target) -> str:
    return _as_name(target.module.partition(".")[0] or Path(str(target.file)).stem)


# Files


def read_file(source: Source, wish: Wish) -> tuple[ProgramSpec, Place]:
    """What a file says, as it is now, with what the user has chosen of it; raises `LoadError`."""
    assert source.file is not None
    file, folder = source.file, source.file.parent
    text = read_text(file)
    if source.is_procfile:
        given = wish.env_files or _usual_env_files(folder)
        env = read_env_files(given)
        spec = procfile_spec(text, str(file), port=_first_port(env))
    else:
        read = _pyproject if file.name == PYPROJECT else parse_toml
        spec = read(text, str(file))
        env = read_env_files((*(folder / one for one in spec.env_files), *wish.env_files))
    spec = choose(spec, wish.choice)
    if wish.timeout is not None:
        spec = replace(spec, timeout=wish.timeout)
    if wish.drain_delay is not None:
        spec = replace(spec, drain_delay=wish.drain_delay)
    return spec, Place(folder, str(file), env, wish.app_dir)


def _pyproject(text: str, file: str) -> ProgramSpec:
    spec = parse_pyproject(text, file)
    if spec is None:
        raise LoadError("there is no [tool.orchestra] in it", file=file)
    return spec


def _usual_env_files(folder: Path) -> tuple[Path, ...]:
    usual = folder / ".env"
    return (usual,) if usual.is_file() else ()


def _first_port(env: Mapping[str, str]) -> int:
    given = env.get("PORT", os.environ.get("PORT", ""))
    return int(given) if given.isascii() and given.isdigit() and int(given) < 65536 else PORT


def _as_name(text: str) -> str:
    name = "".join(
        sign if (sign.isascii() and sign.isalnum()) or sign in "_-" else "_" for sign in text
    )
    return name.strip("_") or "orchestra"


def _watched(
    players: Mapping[str, PlayerSpec], above: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, player in players.items():
        if player.watch:
            yield above + name, player.watch
        yield from _watched(player.players or {}, f"{above}{name}.")
