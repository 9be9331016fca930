"""`circus.ini`."""

from __future__ import annotations

import configparser
import re
from typing import Any, Final

from ..errors import LoadError
from .draft import Draft, name_from

_WATCHER: Final = "watcher:"
_TRUE: Final = ("true", "1", "on", "yes")
_SIGNAL: Final = re.compile(r"(?:SIG)?(TERM|HUP|INT|QUIT|KILL|USR1|USR2)").fullmatch
_NUMBER: Final = re.compile(r"\d{1,7}(\.\d{1,6})?").fullmatch
_SILENT: Final = frozenset(
    ["name", "priority", "copy_env", "copy_path", "stop_children", "send_hup"]
)


def import_circus(text: str, source: str = "circus.ini") -> Draft:
    """The watchers of a `circus.ini`; raises `LoadError` for what is none.

    >>> import_circus("[watcher:web]\\ncmd = gunicorn\\nargs = shop:app").players["web"]["command"]
    'gunicorn shop:app'
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text, source)
    except configparser.Error as error:
        raise LoadError(str(error), file=source) from None
    draft = Draft({"stop_when": "never"})
    for section in parser.sections():
        if section.startswith(_WATCHER):
            name = section.removeprefix(_WATCHER).strip()
            draft.players[name_from(name)] = _watcher(name, dict(parser[section]), draft)
        elif section.startswith("env:"):
            continue
        elif section == "circus":
            for key in parser[section]:
                draft.notes.append(f"[circus] {key}: there is no such thing")
        else:
            draft.notes.append(f"[{section}]: there is no such thing")
    if not draft.players:
        raise LoadError("there is no [watcher:NAME] in it", file=source)
    _environments(parser, draft)
    stops = [player.get("stop", {}) for player in draft.players.values()]
    draft.give_time(max(float(one.get("timeout", "30s").removesuffix("s")) for one in stops))
    return draft


def _environments(parser: configparser.RawConfigParser, draft: Draft) -> None:
    for section in parser.sections():
        if section.startswith("env:"):
            for name in section.removeprefix("env:").split(","):
                player = draft.players.get(name_from(name.strip()))
                if player is None:
                    draft.notes.append(f"[{section}]: there is no watcher {name.strip()!r}")
                else:
                    variables = {key.upper(): value for key, value in parser[section].items()}
                    player["env"] = {**player.get("env", {}), **variables}


def _watcher(name: str, section: dict[str, str], draft: Draft) -> dict[str, Any]:
    made: dict[str, Any] = {}

    def note(key: str, text: str) -> None:
        draft.notes.append(f"[{_WATCHER}{name}] {key}: {text}")

    words = [section.pop("cmd", "").strip(), section.pop("args", "").strip()]
    command = " ".join(one for one in words if one)
    if not command:
        note("cmd", "it has none")
    made["command"] = command or "false"
    if "$(" in command or "((" in command:
        note("cmd", "it has an expansion that is not made here")
    if section.pop("respawn", "true").strip().lower() in _TRUE:
        made |= {"restart": "always", "backoff": {"initial": "1s", "max_delay": "30s"}}
    for key, given in section.items():
        value = given.strip()
        number = value if _NUMBER(value) else None
        if key in ("working_dir", "virtualenv", "uid", "gid") and value and key != "virtualenv":
            made[{"working_dir": "cwd", "uid": "user", "gid": "group"}[key]] = value
        elif key == "shell":
            made |= {"shell": True} if value.lower() in _TRUE else {}
        elif key == "numprocesses" and number and "." not in number:
            made |= {"copies": int(number)} if int(number) != 1 else {}
        elif key == "autostart":
            made |= {} if value.lower() in _TRUE else {"autostart": False}
        elif key == "stop_signal" and (match := _SIGNAL(value.upper())):
            made.setdefault("stop", {})["signal"] = match[1]
        elif key == "graceful_timeout" and number:
            made.setdefault("stop", {})["timeout"] = f"{number}s"
        elif key == "warmup_delay" and number == "0":
            pass
        elif key not in _SILENT:
            note(key, "there is no such thing, or it can't be read")
    return made
