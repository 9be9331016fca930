"""YAML files with services, as those of compose."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from ..durations import parse_duration
from ..errors import LoadError
from ..values import read_signal
from .draft import Draft, name_from

_CONDITIONS: Final = {
    "service_started": "started",
    "service_healthy": "ready",
    "service_completed_successfully": "done",
}
_RESTART: Final = {
    "no": "never",
    "always": "always",
    "on-failure": "failure",
    "unless-stopped": "always",
}


def import_compose(text: str, source: str = "compose.yaml") -> Draft:
    """The services of a YAML file that have a command; raises `LoadError` for what is none.

    Images are not pulled, nor containers made: a service without a `command` is noted, and gets
    `false` in its place. Needs PyYAML, which the extra `cli` brings.

    >>> draft = import_compose("services: {web: {command: gunicorn shop:app, depends_on: [db]},"
    ...                        " db: {command: redis-server}}")
    >>> draft.players["web"]["after"]
    {'db': 'started'}
    """
    try:
        import yaml  # an extra's, and needed for this alone
    except ModuleNotFoundError:
        raise LoadError(
            f"{source} is read by PyYAML, which is not there: pip install 'orchestra-players[cli]'"
        ) from None
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LoadError(str(error) or type(error).__name__, file=source) from None
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict) or not services:
        raise LoadError("there are no services in it", file=source)
    draft = Draft()
    for name, service in services.items():
        player = _Service(str(name), service if isinstance(service, dict) else {}, draft).player()
        draft.players[name_from(str(name))] = player
    for key in content:
        if key not in ("services", "version", "name"):
            draft.notes.append(f"{key}: there is no such thing")
    _drop_missing(draft)
    stops = [player.get("stop", {}) for player in draft.players.values()]
    draft.give_time(max(one.get("timeout", 10.0) for one in stops))
    return draft


def _drop_missing(draft: Draft) -> None:
    for name, player in draft.players.items():
        after = player.get("after", {})
        for other in [one for one in after if one not in draft.players or one == name]:
            del after[other]
            draft.notes.append(f"{name} depends_on: there is no service {other!r}")
        if "after" in player and not after:
            del player["after"]


class _Service:
    """One service, key by key."""

    def __init__(self, name: str, service: Mapping[Any, Any], draft: Draft) -> None:
        self._name, self._service, self._draft = name, dict(service), draft
        self._made: dict[str, Any] = {}

    def player(self) -> dict[str, Any]:
        """What becomes of it."""
        self._command()
        for key, value in self._service.items():
            taken = getattr(self, f"_take_{key}", None)
            if taken is None:
                self._note(key, "there is no such thing")
                continue
            try:
                taken(value)
            except (ValueError, TypeError, AttributeError, OverflowError) as error:
                self._note(key, f"{value!r} can't be read: {error}")
        return self._made

    def _command(self) -> None:
        words: list[str] = []
        for key in ("entrypoint", "command"):
            try:
                words += _words(self._service.pop(key, None))
            except (ValueError, TypeError) as error:
                self._note(key, f"it can't be read: {error}")
        if not words:
            self._note("command", "it has none, and images are not run")
        self._made["command"] = words or "false"

    def _take_image(self, value: Any) -> None:
        self._note("image", f"{value!r} is not run: the command is, on this machine")

    _take_build = _take_image

    def _take_working_dir(self, value: Any) -> None:
        self._made["cwd"] = _text(value)

    def _take_user(self, value: Any) -> None:
        user, _, group = _text(value).partition(":")
        if not user.strip():
            raise ValueError("it names no user")
        self._made |= {"user": user} | ({"group": group} if group.strip() else {})

    def _take_environment(self, value: Any) -> None:
        if isinstance(value, list):
            texts = [_text(one).partition("=") for one in value]
            pairs = {key: one for key, _, one in texts}
        else:
            pairs = {str(key): "" if one is None else str(one) for key, one in value.items()}
        bad = [key for key, one in pairs.items() if not key or "=" in key or "\0" in key + one]
        for key in bad:
            self._note("environment", f"{key!r} is no variable that a process can have")
            del pairs[key]
        self._made["env"] = pairs

    def _take_env_file(self, value: Any) -> None:
        files = [_text(one) for one in ([value] if isinstance(value, str) else value)]
        known = self._draft.program.get("env_file", [])
        if files:
            self._draft.program["env_file"] = list(dict.fromkeys([*known, *files]))

    def _take_depends_on(self, value: Any) -> None:
        if isinstance(value, list):
            self._made["after"] = {name_from(_text(one)): "started" for one in value}
        else:
            self._made["after"] = {
                name_from(str(name)): _CONDITIONS.get(str((one or {}).get("condition")), "started")
                for name, one in value.items()
            }

    def _take_restart(self, value: Any) -> None:
        word, _, times = ("no" if value is False else _text(value)).partition(":")
        if word not in _RESTART:
            raise ValueError("it is no policy")
        self._made["restart"] = _RESTART[word]
        if times.isdecimal() and len(times) < 6:
            self._made["give_up"] = int(times)

    def _take_healthcheck(self, value: Any) -> None:
        test = value.get("test")
        words = [] if test in (None, "NONE", ["NONE"]) else _words(test)
        if words and words[0] in ("CMD", "CMD-SHELL"):
            words = words[1:] if words[0] == "CMD" else ["sh", "-c", *words[1:]]
        elif words and isinstance(test, str):
            words = ["sh", "-c", test]
        if not words:
            return
        how = {"timeout": _seconds(value["timeout"])} if "timeout" in value else {}
        self._made["ready"] = {"command": words, **how}
        self._made["alive"] = {
            "command": words,
            "every": _seconds(value.get("interval", "30s")),
            **how,
        }
        retries = value.get("retries", 3)
        if isinstance(retries, int) and 0 < retries < 10**6:
            self._made["alive"]["failures"] = retries

    def _take_stop_signal(self, value: Any) -> None:
        self._made.setdefault("stop", {})["signal"] = read_signal(value)

    def _take_stop_grace_period(self, value: Any) -> None:
        self._made.setdefault("stop", {})["timeout"] = _seconds(value)

    def _take_deploy(self, value: Any) -> None:
        replicas = value.get("replicas")
        if isinstance(replicas, int) and not isinstance(replicas, bool) and 0 <= replicas < 10**6:
            self._made["copies"] = replicas

    def _take_scale(self, value: Any) -> None:
        self._take_deploy({"replicas": value})

    def _take_profiles(self, value: Any) -> None:
        self._made["autostart"] = False

    def _note(self, key: object, text: str) -> None:
        self._draft.notes.append(f"{self._name} {key}: {text}")


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    words = shlex.split(value) if isinstance(value, str) else [str(one) for one in value]
    return [one for one in words if one.strip() and "\0" not in one]


def _text(value: Any) -> str:
    if not isinstance(value, (str, int)) or not str(value).strip() or "\0" in str(value):
        raise ValueError("it is no text")
    return str(value)


def _seconds(value: Any) -> float:
    # As in `1m30s`, which has no space.
    return parse_duration(value)
