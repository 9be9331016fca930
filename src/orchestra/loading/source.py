"""What a user wants played: a target in code, a TOML file, a Procfile, or what lies in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import LoadError
from .target import Target
from .toml import parse_pyproject

TOML, PYPROJECT, PROCFILE = "orchestra.toml", "pyproject.toml", "Procfile"

_TO_IMPORT: Final = (".conf", ".ini", ".cfg", ".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a program comes from: a target in code, or else a file; as a `name` that a user knows."""

    target: Target | None = None
    file: Path | None = None

    @property
    def is_procfile(self) -> bool:
        """Whether it is a file of lines such as `web: gunicorn shop:app`."""
        return self.file is not None and self.file.suffix != ".toml"

    def __str__(self) -> str:
        return str(self.target or self.file)


def find_source(text: str | None, folder: Path = Path()) -> Source:
    """What is meant by a text, or with none, by a folder; raises `LoadError` for what means nothing.

    >>> find_source("shop.main:conductor")
    Source(target=Target(module='shop.main', file=None, attribute='conductor', called=False), file=None)
    """
    if text is None:
        return Source(file=_in_folder(folder))
    path = folder / text
    try:
        if path.is_dir() and not _is_package(path, text):
            return Source(file=_in_folder(path))
        is_file = path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        is_file = False
    if is_file and path.suffix != ".py":
        if path.suffix in _TO_IMPORT:
            raise LoadError(f"{text} is a file of another program: orchestra import {text}")
        return Source(file=path)
    if text.endswith(".toml") or Path(text).name.startswith(PROCFILE):
        raise LoadError(f"there is no file {text!r}{_instead(folder)}")
    return Source(target=Target.parse(text))


def _is_package(path: Path, text: str) -> bool:
    return text.isidentifier() and (path / "__init__.py").exists()


def _in_folder(folder: Path) -> Path:
    for name in (TOML, PYPROJECT, PROCFILE):
        file = folder / name
        if file.is_file() and (name != PYPROJECT or _has_program(file)):
            return file
    raise LoadError(
        f"there is nothing to play in {folder.resolve()}: no {TOML}, no [tool.orchestra] in a "
        f"{PYPROJECT}, no {PROCFILE}. Name what to play, as in `orchestra play app.py`"
    )


def _has_program(file: Path) -> bool:
    return parse_pyproject(read_text(file), str(file)) is not None


def _instead(folder: Path) -> str:
    found = [name for name in (TOML, PROCFILE) if (folder / name).is_file()]
    return f". There are: {', '.join(found)}." if found else ""


def read_text(file: Path) -> str:
    """The text of a file, or the `LoadError` that says why it can't be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise LoadError(f"it can't be read: {why}", file=str(file)) from None
