"""`orchestra import`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, TextIO

import click

from . import words
from .failures import Misused

if TYPE_CHECKING:
    from ..loading.importing.draft import Draft


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
def import_(file: TextIO) -> None:
    """Turn a file of another tool into an orchestra.toml, which goes to standard output.

    FILE is a Procfile, a supervisord.conf, a circus.ini, or a YAML file with services as that of compose;
    '-' is standard input. What did not map is listed on standard error, and in the file.
    """
    from ..loading.errors import LoadError

    try:
        text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{file.name}: {error}") from None
    source = PurePath(file.name).name
    try:
        draft = importer_for(source, text)(text, source)
    except LoadError as error:
        raise Misused(str(error)) from None
    click.echo(draft.to_toml(source), nl=False)
    if draft.notes:
        words.echo(f"orchestra: what did not map of {source}:", err=True)
        for note in draft.notes:
            words.echo(f"- {words.in_a_line(note)}", err=True)


def importer_for(name: str, text: str) -> Callable[[str, str], Draft]:
    """What reads a file of this name, or, where the name does not tell, with this text.

    >>> importer_for("compose.prod.yaml", "").__name__
    'import_compose'
    """
    kind = _kind_by_name(name) or _kind_by_text(text)
    if kind == "supervisord":
        from ..loading.importing.supervisord import import_supervisord

        return import_supervisord
    if kind == "circus":
        from ..loading.importing.circus import import_circus

        return import_circus
    if kind == "compose":
        from ..loading.importing.compose import import_compose

        return import_compose
    from ..loading.importing.procfile import import_procfile

    return import_procfile


def _kind_by_name(name: str) -> str | None:
    name = name.lower()
    if name.endswith((".yaml", ".yml")):
        return "compose"
    if name.startswith("procfile"):
        return "procfile"
    return None


def _kind_by_text(text: str) -> str:
    if re.search(r"^\[(watcher|env|socket|circus)\b", text, re.M):
        return "circus"
    if re.search(r"^\s*\[", text, re.M):
        return "supervisord"
    if re.search(r"^services\s*:", text, re.M):
        return "compose"
    return "procfile"
