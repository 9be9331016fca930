"""`orchestra.toml`, or `[tool.orchestra]` of a `pyproject.toml`, as a `ProgramSpec`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NoReturn

from .._order import check_after
from ..conductor import check_name
from ..errors import nearest
from .errors import LoadError
from .keys import COMMAND_ONLY, GROUP_ONLY, NOT_FOR_GROUPS, PLAYER_KEYS, PROGRAM_KEYS, Key
from .lines import line_of
from .spec import BackoffSpec, PlayerSpec, ProgramSpec

_KINDS: Final = ("command", "target", "players")
_MOST_NESTED: Final = 50


def parse_toml(text: str, file: str = "orchestra.toml") -> ProgramSpec:
    """What an `orchestra.toml` says; raises `LoadError` with the line for what it must not say.

    >>> parse_toml('[players.web]\\ncommand = "gunicorn shop:app"').players["web"].command
    'gunicorn shop:app'
    """
    return _Reader(text, file, ()).program(_content(text, file))


def parse_pyproject(text: str, file: str = "pyproject.toml") -> ProgramSpec | None:
    """What `[tool.orchestra]` says, which has the form of an `orchestra.toml`; None without one.

    `[tool.orchestra.players.web]` stands for `[players.web]`, and the keys of `[orchestra]` are those
    of `[tool.orchestra]` itself. Raises `LoadError` as `parse_toml` does.
    """
    tools = _content(text, file).get("tool")
    found = tools.get("orchestra") if isinstance(tools, dict) else None
    if found is None:
        return None
    reader = _Reader(text, file, ("tool", "orchestra"))
    if not isinstance(found, dict):
        reader.fail((), "it is no table")
    own = {key: value for key, value in found.items() if key != "players"}
    return reader.program({"orchestra": own, "players": found.get("players", {})}, inside=())


def _content(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        number = re.match(r"line (\d+)", place)
        line = int(number[1]) if number else max(1, len(text.splitlines()))
        raise LoadError(what, file=file, line=line) from None
    except RecursionError:
        raise LoadError("it is nested too deeply", file=file) from None


class _Reader:
    """Reads one file: knows its text, so that it can tell the line of what is wrong."""

    def __init__(self, text: str, file: str, root: tuple[str, ...]) -> None:
        self._text, self._file, self._root = text, file, root

    def fail(self, path: tuple[str, ...], what: str) -> NoReturn:
        line = line_of(self._text, (*self._root, *path))
        raise LoadError(what, file=self._file, line=line)

    def program(
        self, content: Mapping[str, Any], inside: tuple[str, ...] = ("orchestra",)
    ) -> ProgramSpec:
        for name in content:
            if name not in ("orchestra", "players"):
                self.fail(
                    (name,), f"{name!r} is unknown here. {nearest(name, ['orchestra', 'players'])}"
                )
        own = self._table(content.get("orchestra", {}), inside)
        defaults = self._table(own.pop("defaults", {}), (*inside, "defaults"))
        fields = self._read(own, PROGRAM_KEYS, inside)
        usual = self._usual(defaults, (*inside, "defaults"))
        players = self._players(content.get("players", {}), ("players",), usual)
        if not players:
            self.fail(
                ("players",),
                "there is no player in it: write [players.NAME] with a command or a target",
            )
        spec = ProgramSpec(players=players, **fields)
        self._check_order(players, ("players",), ordered=spec.ordered)
        return spec

    def _table(self, value: Any, path: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(path, f"{'.'.join(path)} is no table")
        return dict(value)

    def _read(
        self, table: Mapping[str, Any], keys: Mapping[str, Key], path: tuple[str, ...]
    ) -> dict[str, Any]:
        fields = {}
        for name, value in table.items():
            key = keys.get(name)
            if key is None:
                self.fail((*path, name), f"{name!r} is unknown here. {nearest(name, keys)}")
            try:
                fields[key.field or name] = key.read(value)
            except (ValueError, OverflowError) as error:
                self.fail((*path, name), f"{name}: {error}")
        return fields

    def _usual(self, table: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        for name in (*_KINDS, "after", "args", *GROUP_ONLY):
            if name in table:
                self.fail((*path, name), f"{name!r} is each player's own, and has no default")
        self._read(table, PLAYER_KEYS, path)
        return dict(table)

    def _players(
        self, value: Any, path: tuple[str, ...], usual: Mapping[str, Any]
    ) -> Mapping[str, PlayerSpec]:
        made = {}
        if len(path) > _MOST_NESTED:
            self.fail(path, "groups are nested too deeply")
        for name, table in self._table(value, path).items():
            try:
                check_name(name)
            except ValueError as error:
                self.fail((*path, name), str(error))
            made[name] = self._player(self._table(table, (*path, name)), (*path, name), usual)
        return MappingProxyType(made)

    def _player(
        self, table: dict[str, Any], path: tuple[str, ...], usual: Mapping[str, Any]
    ) -> PlayerSpec:
        known = (*PLAYER_KEYS, "players")
        for name in table:
            if name not in known:  # told first, since it may be what is missing
                self.fail((*path, name), f"{name!r} is unknown here. {nearest(name, known)}")
        kinds = [kind for kind in _KINDS if kind in table]
        if len(kinds) != 1:
            name = path[-1]
            what = (
                "has no command, no target and no players"
                if not kinds
                else f"has {' and '.join(kinds)}"
            )
            self.fail(path, f"{name} {what}: it needs one of them")
        (kind,) = kinds
        for name in table:
            if name in GROUP_ONLY and kind != "players":
                self.fail((*path, name), f"{name!r} is for groups, and {path[-1]} is none")
            if name in COMMAND_ONLY and kind != "command":
                self.fail((*path, name), f"{name!r} is for commands, and {path[-1]} is none")
            if name in NOT_FOR_GROUPS and kind == "players":
                self.fail((*path, name), f"{name!r} is not for groups, and {path[-1]} is one")
        merged = {**self._fitting(usual, kind), **table}
        inner = merged.pop("players", None)
        fields = self._read(merged, PLAYER_KEYS, path)
        if inner is not None:
            fields["players"] = self._players(inner, (*path, "players"), usual)
        spec = self._finished(fields, path)
        if spec.players is not None:
            self._check_order(spec.players, (*path, "players"), ordered=spec.ordered)
        return spec

    @staticmethod
    def _fitting(usual: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """The defaults that mean something to this kind of player; a group has none of them."""
        if kind == "players":
            return {}
        return {
            name: one
            for name, one in usual.items()
            if kind == "command" or name not in COMMAND_ONLY
        }

    def _finished(self, fields: dict[str, Any], path: tuple[str, ...]) -> PlayerSpec:
        """The keys that are written in one place and kept in two, and what goes with what."""
        stop = fields.pop("stop", {})
        if "signal" in stop:
            fields["stop_signal"] = stop["signal"]
        if "timeout" in stop:
            fields["stop_timeout"] = stop["timeout"]
        give_up = fields.pop("give_up", None)
        wants_restarts = "backoff" in fields or give_up is not None
        if wants_restarts and "restart" not in fields:
            fields["restart"] = "failure"
        if wants_restarts and fields["restart"] == "never":
            fields.pop("backoff", None)  # a default that this player does without
            give_up = None
        if give_up is not None:
            max_restarts, per = give_up
            backoff = fields.get("backoff") or BackoffSpec()
            if backoff.delays is not None:
                self.fail(
                    (*path, "give_up"),
                    "give_up and a list of delays exclude each other: it ends where the list does",
                )
            fields["backoff"] = replace(backoff, max_restarts=max_restarts, per=per)
        if fields.get("once") and fields.get("restart") == "always":
            self.fail((*path, "once"), 'once and restart = "always" exclude each other')
        if fields.get("shell") and not isinstance(fields.get("command"), str):
            self.fail((*path, "shell"), "a shell takes the command as one text, and not as a list")
        if fields.get("shell") and fields.get("args"):
            self.fail((*path, "args"), "a shell takes no args: write them in the command")
        return PlayerSpec(**fields)

    def _check_order(
        self, players: Mapping[str, PlayerSpec], path: tuple[str, ...], *, ordered: bool
    ) -> None:
        for name, player in players.items():
            for other in player.after:
                if other not in players:
                    beside = [one for one in players if one != name]
                    self.fail(
                        (*path, name, "after"),
                        f"{name} comes after {other!r}, which is not there. {nearest(other, beside)}",
                    )
        try:
            check_after(
                {name: list(one.after) for name, one in players.items()}, players, ordered=ordered
            )
        except ValueError as error:
            self.fail(
                (*path, next(name for name, one in players.items() if one.after), "after"),
                str(error),
            )
