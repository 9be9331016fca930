"""Procfiles: a line a process, as in `web: gunicorn shop:app`."""

from __future__ import annotations

import re
from typing import Final

from .errors import LoadError
from .spec import PlayerSpec, ProgramSpec

PORT: Final = 5000
"""The port of the first process of a Procfile, where nothing else is said."""

PORTS_APART: Final = 100
"""From the ports of one process to those of the next."""

_LINE: Final = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.*)").fullmatch
_SHELL: Final = re.compile(r"[$`|&;<>()*?~\n]|^\s*\w+=")


def parse_procfile(text: str, file: str = "Procfile") -> dict[str, str]:
    """The commands of a Procfile by name, in order; raises `LoadError` with the line.

    >>> parse_procfile("web: gunicorn shop:app  # comment\\n\\n# none\\nclock: python clock.py")
    {'web': 'gunicorn shop:app  # comment', 'clock': 'python clock.py'}
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE(stripped)
        if match is None:
            raise LoadError(
                f"{stripped[:60]!r} is no line of a Procfile: write 'name: command'",
                file=file,
                line=number,
            )
        name, command = match[1], match[2].strip()
        if not command:
            raise LoadError(f"{name!r} has no command", file=file, line=number)
        if name in found:
            raise LoadError(f"there is a process {name!r} already", file=file, line=number)
        found[name] = command
    if not found:
        raise LoadError("there is no process in it: write 'name: command'", file=file)
    return found


def needs_shell(command: str) -> bool:
    """Whether a command has anything in it that only a shell understands.

    >>> needs_shell("gunicorn shop:app --bind 0.0.0.0:$PORT"), needs_shell("python clock.py")
    (True, False)
    """
    return _SHELL.search(command) is not None


def procfile_spec(text: str, file: str = "Procfile", *, port: int = PORT) -> ProgramSpec:
    """A Procfile as a program: it ends when the first of its processes does, as they always have.

    The first process has `port` as its `PORT`, and each other one 100 more; each copy has one more
    than the one before it. A command goes to a shell only if it has something in it that is for one.

    >>> procfile_spec("web: gunicorn shop:app\\nclock: python clock.py").players["clock"].port
    5100
    """
    players = {}
    for number, (name, command) in enumerate(parse_procfile(text, file).items()):
        shell = needs_shell(command)
        players[name] = PlayerSpec(command, shell=shell, port=port + number * PORTS_APART)
    return ProgramSpec(players=players, stop_when="any")
