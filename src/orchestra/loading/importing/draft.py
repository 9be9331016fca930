"""An `orchestra.toml` in the making: tables, and notes about what did not fit into them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


DEFAULT_TIMEOUT: Final = 9.0


@dataclass(slots=True)
class Draft:
    """What becomes of a file: the keys of the program, its players, and what did not map."""

    program: dict[str, Any] = field(default_factory=dict)
    players: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def give_time(self, seconds: float) -> None:
        """Let the program take so long to stop, and a little more, so that its players have it."""
        if seconds + 1 > DEFAULT_TIMEOUT:
            self.program["timeout"] = in_seconds(seconds + 1)

    def to_toml(self, source: str) -> str:
        """The file as text, with the notes as comments at its top."""
        lines = [f"# Made from {_in_one_line(source)}."]
        if self.notes:
            lines.append("# What did not map:")
            lines += [f"# - {_in_one_line(note)}" for note in self.notes]
        lines.append("")
        if self.program:
            lines += ["[orchestra]", *_pairs(self.program), ""]
        for name, player in self.players.items():
            lines += _player(("players", name), player)
        return "\n".join(lines).rstrip() + "\n"


def in_seconds(seconds: float) -> str:
    """A duration as text, never with an exponent.

    >>> in_seconds(1e6), in_seconds(2.50)
    ('1000000s', '2.5s')
    """
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def name_from(text: str) -> str:
    """A name for a player, made of one that may be none.

    >>> name_from("my program!")
    'my_program'
    """
    return _NO_NAME.sub("_", text).strip("_") or "player"


def _player(path: tuple[str, ...], player: Mapping[str, Any]) -> Iterator[str]:
    own = {key: value for key, value in player.items() if key != "players"}
    if own or not player.get("players"):
        yield f"[{'.'.join(_key(one) for one in path)}]"
        yield from _pairs(own)
        if "players" in player and not player["players"]:
            yield "players = {}"
        yield ""
    for name, inner in player.get("players", {}).items():
        yield from _player((*path, "players", name), inner)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _BARE(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    # JSON's strings are TOML's, but for the one control character that JSON lets through, and for
    # halves of characters, which no file can have.
    plain = text.encode("utf-8", "replace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _in_one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
