"""`supervisord.conf`."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from ..errors import LoadError
from .draft import Draft, in_seconds, name_from

# What Orchestra does in any case, or what has no meaning without supervisord.
_SILENT: Final = frozenset(
    {
        "killasgroup",
        "numprocs_start",
        "priority",
        "process_name",
        "redirect_stderr",
        "serverurl",
        "stderr_capture_maxbytes",
        "stderr_events_enabled",
        "stdout_capture_maxbytes",
        "stdout_events_enabled",
        "stopasgroup",
    }
)
_AUTORESTART: Final = {"true": "always", "false": "never", "unexpected": "failure"}
_TRUE: Final = ("true", "1", "on", "yes")
_VARIABLE: Final = re.compile(r"%\(ENV_(\w+)\)s")
_EXPANSION: Final = re.compile(r"%\((\w+)\)")
_PROGRAM: Final = "program:"
_STOPWAITSECS: Final = 10  # where nothing else is said


def import_supervisord(text: str, source: str = "supervisord.conf") -> Draft:
    """The programs and groups of a `supervisord.conf`; raises `LoadError` for what is none.

    A program that supervisord would give up on goes on to be tried: there is no state in which one
    player has failed for good and the others play on.

    >>> draft = import_supervisord("[program:web]\\ncommand = gunicorn shop:app")
    >>> draft.players["web"]["command"]
    'gunicorn shop:app'
    """
    parser = configparser.RawConfigParser(
        strict=False, inline_comment_prefixes=(";",), comment_prefixes=(";", "#")
    )
    try:
        parser.read_string(text, source)
    except configparser.Error as error:
        raise LoadError(str(error), file=source) from None
    draft = Draft({"stop_when": "never"})
    programs: dict[str, dict[str, Any]] = {}
    levels: dict[str, int] = {}
    sections = sorted(parser.sections(), key=lambda one: _priority(parser[one]))
    for section in sections:
        if section.startswith(_PROGRAM):
            name = section.removeprefix(_PROGRAM).strip()
            programs[name] = _Program(name, dict(parser[section]), draft).player()
            levels[name_from(name)] = _priority(parser[section])
        elif section == "supervisord":
            _own(parser[section], draft)
        elif section.startswith(("eventlistener:", "fcgi-program:")) or section == "include":
            draft.notes.append(f"[{section}]: there is no such thing")
    if not programs:
        raise LoadError("there is no [program:NAME] in it", file=source)
    for section in sections:
        if section.startswith("group:"):
            name = section.removeprefix("group:").strip()
            _group(name, parser[section], programs, levels, draft)
            levels[name_from(name)] = _priority(parser[section])
    draft.players |= {name_from(name): one for name, one in programs.items()}
    draft.give_time(_order(draft.players, levels))
    return draft


def _order(players: dict[str, dict[str, Any]], levels: Mapping[str, int]) -> float:
    """Start those with a lower priority first, and stop them last; the seconds that a stop may take."""
    taken, before = 0.0, list[str]()
    for level in sorted({levels[name] for name in players}):
        here = {name: one for name, one in players.items() if levels[name] == level}
        for player in here.values():
            if before:
                player["after"] = dict.fromkeys(before, "started")
        # One that nobody starts would keep all others waiting.
        before = [name for name, one in here.items() if one.get("autostart", True)] or before
        taken += max(map(_patience, here.values()))
    return taken


def _patience(player: Mapping[str, Any]) -> float:
    if "players" in player:
        return max(map(_patience, player["players"].values()))
    return float(player.get("stop", {}).get("timeout", f"{_STOPWAITSECS}s").removesuffix("s"))


def _priority(section: Mapping[str, str]) -> int:
    value = section.get("priority", "999").strip()
    return int(value) if value.lstrip("-").isdecimal() and len(value) < 10 else 999


def _own(section: Mapping[str, str], draft: Draft) -> None:
    if section.get("logfile"):
        draft.program["log"] = section["logfile"].replace("%(here)s", ".")
    for key in section:
        if key in ("environment", "directory", "umask", "user"):
            draft.notes.append(f"[supervisord] {key}: say it for each program, or in the unit")


def _group(
    name: str,
    section: Mapping[str, str],
    programs: dict[str, dict[str, Any]],
    levels: Mapping[str, int],
    draft: Draft,
) -> None:
    inner: dict[str, dict[str, Any]] = {}
    for one in re.split(r"[,\s]+", section.get("programs", "").strip()):
        if one in programs:
            inner[name_from(one)] = programs.pop(one)
        elif one:
            draft.notes.append(
                f"[group:{name}]: there is no program {one!r}, or it is in two groups"
            )
    if inner:
        made: dict[str, Any] = {"stop_when": "never"}
        taken = _order(inner, levels)
        draft.players[name_from(name)] = made | {"timeout": in_seconds(taken + 1), "players": inner}


class _Program:
    """One `[program:...]`, key by key."""

    def __init__(self, name: str, section: dict[str, str], draft: Draft) -> None:
        self._name, self._section, self._draft = name, section, draft
        self._made: dict[str, Any] = {}

    def player(self) -> dict[str, Any]:
        """What becomes of it."""
        self._command()
        autorestart = self._section.pop("autorestart", "unexpected").strip().lower()
        restart = _AUTORESTART.get(autorestart, "failure")
        if autorestart in _TRUE:
            restart = "always"
        self._made["restart"] = restart
        if restart == "never":
            self._section.pop("exitcodes", None)
            self._made["clean_codes"] = "any"
        else:
            self._made["backoff"] = {"initial": "1s", "max_delay": "30s"}
        for key, value in self._section.items():
            self._take(key, value.strip())
        return self._made

    def _command(self) -> None:
        command = self._expanded("command", self._section.pop("command", "").strip())
        if not command:
            self._note("command", "it has none")
            command = "false"
        if _VARIABLE.search(command):
            self._made |= {"command": _VARIABLE.sub(r"$\1", command), "shell": True}
        else:
            self._made["command"] = command

    def _take(self, key: str, value: str) -> None:
        taken = getattr(self, f"_take_{key}", None)
        if taken is not None and not value:
            self._note(key, "it is empty")
        elif taken is not None:
            taken(value)
        elif key == "startretries":
            self._note(key, "it is tried again for as long as the program plays")
        elif key.startswith(("stdout_", "stderr_")):
            if key.endswith("logfile") and value not in ("NONE", "AUTO", "/dev/null"):
                self._note(key, "all output goes to the log of the program, with the player's path")
        elif key not in _SILENT:
            self._note(key, "there is no such thing")

    def _take_directory(self, value: str) -> None:
        self._made["cwd"] = self._expanded("directory", value)

    def _take_user(self, value: str) -> None:
        self._made["user"] = value

    def _take_umask(self, value: str) -> None:
        if re.fullmatch(r"[0-7]{1,4}", value):
            self._made["umask"] = value
        else:
            self._note("umask", f"{value!r} is none")

    def _take_numprocs(self, value: str) -> None:
        number = self._number("numprocs", value)
        if number is not None and number != 1:
            self._made["copies"] = number

    def _take_autostart(self, value: str) -> None:
        if value.lower() not in _TRUE:
            self._made["autostart"] = False

    def _take_startsecs(self, value: str) -> None:
        number = self._number("startsecs", value)
        if number:
            self._made["ready"] = {"after": f"{number}s"}

    def _take_exitcodes(self, value: str) -> None:
        codes = [one.strip() for one in value.split(",")]
        if all(one.isdecimal() and len(one) < 6 for one in codes):
            self._made["clean_codes"] = [int(one) for one in codes]
        else:
            self._note("exitcodes", f"{value!r} are none")

    def _take_stopsignal(self, value: str) -> None:
        if re.fullmatch(r"(SIG)?(TERM|HUP|INT|QUIT|KILL|USR1|USR2)", value.upper()):
            self._made.setdefault("stop", {})["signal"] = value.upper().removeprefix("SIG")
        else:
            self._note("stopsignal", f"{value!r} is none")

    def _take_stopwaitsecs(self, value: str) -> None:
        number = self._number("stopwaitsecs", value)
        if number is not None:
            self._made.setdefault("stop", {})["timeout"] = f"{number}s"

    def _take_environment(self, value: str) -> None:
        try:
            parts = list(shlex.shlex(value, posix=True, punctuation_chars=","))
        except ValueError as error:
            return self._note("environment", str(error))
        found = _variables(value)
        if found is None or not parts:
            return self._note("environment", f"{value!r} can't be read")
        self._made["env"] = {
            name: self._expanded("environment", one) for name, one in found.items()
        }

    def _number(self, key: str, value: str) -> int | None:
        if value.isdecimal() and value.isascii() and len(value) < 8:
            return int(value)
        self._note(key, f"{value!r} is no number")
        return None

    def _expanded(self, key: str, value: str) -> str:
        value = value.replace("%(program_name)s", self._name).replace("%(here)s", ".")
        left = [one for one in _EXPANSION.findall(value) if not one.startswith("ENV_")]
        if left or (key != "command" and _EXPANSION.search(value)):
            self._note(key, f"{value!r} has an expansion that is not made here")
        return value.replace("%%", "%")

    def _note(self, key: str, text: str) -> None:
        self._draft.notes.append(f"[program:{self._name}] {key}: {text}")


_PAIR: Final = re.compile(r"""\s*(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,"']*)\s*(,|$)""")


def _variables(value: str) -> dict[str, str] | None:
    """`A="1",B=two` as a dict; None if that is not what it is."""
    found, position = {}, 0
    while position < len(value):
        match = _PAIR.match(value, position)
        if match is None:
            return None
        found[match[1]] = match[2].strip().strip("\"'")
        position = match.end()
    return found
