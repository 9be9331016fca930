"""A Procfile, as the `orchestra.toml` that plays the same."""

from __future__ import annotations

from typing import Any

from ..procfile import needs_shell, parse_procfile
from .draft import Draft


def import_procfile(text: str, source: str = "Procfile") -> Draft:
    """The processes of a Procfile; raises `LoadError` for what is none.

    As with the tools that Procfiles are made for, all end when one has.

    >>> import_procfile("web: gunicorn shop:app --bind :$PORT").players
    {'web': {'command': 'gunicorn shop:app --bind :$PORT', 'shell': True}}
    """
    draft = Draft({"stop_when": "any"})
    for name, command in parse_procfile(text, source).items():
        player: dict[str, Any] = {"command": command}
        draft.players[name] = player | ({"shell": True} if needs_shell(command) else {})
    return draft
