"""Files of environment variables, such as `.env`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .errors import LoadError


def read_env_files(files: Iterable[Path]) -> dict[str, str]:
    """The variables in some files, where a later file counts more than those before it.

    A value may name variables as `${NAME}`. Raises `LoadError` for a file that can't be read, and if
    python-dotenv is missing.
    """
    found: dict[str, str] = {}
    for file in files:
        found |= _read(file)
    return found


def _read(file: Path) -> dict[str, str]:
    try:
        from dotenv import dotenv_values
    except ModuleNotFoundError:
        raise LoadError(
            f"{file} is read by python-dotenv, which is not there: "
            "pip install 'orchestra-players[cli]'"
        ) from None
    try:
        with file.open(encoding="utf-8") as stream:
            values = dotenv_values(stream=stream)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LoadError(f"environment variables can't be read: {why}", file=str(file)) from None
    found = {name: value for name, value in values.items() if value is not None}
    for name, value in found.items():
        if not name or "=" in name or "\0" in name + value:
            raise LoadError(f"{name!r} is no variable that a process can have", file=str(file))
    return found
