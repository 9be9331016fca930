"""The program that is served: what all that answers needs to know of it."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from ...performance import Performance
from .console import Console
from .control import CommandError
from .usage import Usage

Reloader = Callable[[bool], Awaitable[dict[str, Any]]]
"""Called with `dry_run`; gives the `changes`, each as a text, and whether they were `applied`."""


@dataclass
class Program:
    """One program while it is served; `url` has the token in it, and is None without TCP."""

    console: Console
    name: str
    file: str | None = None
    read_only: bool = False
    reloader: Reloader | None = None
    url: str | None = None
    started: float = field(default_factory=time.time)
    usage: Usage = field(default_factory=Usage)

    @property
    def performance(self) -> Performance:
        """Its tree."""
        return self.console.performance

    def overview(self) -> dict[str, Any]:
        """All players, with the CPU and the memory of those that are processes."""
        found = self.console.overview()
        self.usage.forget_all_but(found["players"])
        return {**found, "players": [self.usage.add_to(row) for row in found["players"]]}

    def player(self, path: str) -> dict[str, Any]:
        """One player, likewise."""
        found = self.console.player(path)
        return {**found, "player": self.usage.add_to(found["player"])}

    def row(self, path: str) -> dict[str, Any] | None:
        """The row of one player; None if it has gone."""
        try:
            row: dict[str, Any] = self.player(path)["player"]
        except CommandError:
            return None
        return row

    def about(self, *, with_url: bool) -> dict[str, Any]:
        """What there is to know of it beside its players."""
        cpu, memory = self.usage.of_process(os.getpid())
        return {
            "name": self.name,
            "pid": os.getpid(),
            "instance": self.console.instance,
            "started": self.started,
            "read_only": self.read_only,
            "orchestra": version(),
            "python": platform.python_version(),
            "file": self.file,
            "cpu": cpu,
            "memory": memory,
            "url": self.url if with_url else None,
        }


def version() -> str:
    """That of this library; `unknown` where it was not installed."""
    try:
        return metadata.version("orchestra-players")
    except metadata.PackageNotFoundError:
        return "unknown"


def name_of_program(argv: list[str] = sys.argv) -> str:
    """How a program is called, by how it was started: its file, or its package, without an ending.

    >>> name_of_program(["/srv/shop.py", "--fast"]), name_of_program(["/srv/shop/__main__.py"])
    ('shop', 'shop')
    """
    path = argv[0] if argv else ""
    folder, file = os.path.split(path)
    stem = file.removesuffix(".py")
    if stem == "__main__":
        stem = os.path.basename(folder)
    return stem if stem and stem != "-c" else "python"
