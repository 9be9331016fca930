"""How the peers that keep processes are told what to keep: each by a file of its own kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.supervising import installed


def honcho(folder: Path, child: str, size: int) -> Sequence[str]:
    """A Procfile."""
    lines = [f"child{number}: {child}" for number in range(size)]
    (folder / "Procfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*installed("honcho"), "-f", str(folder / "Procfile"), "start"]


def circus(folder: Path, child: str, size: int) -> Sequence[str]:
    """Watchers with a process each."""
    sections = [
        f"[circus]\nendpoint = ipc://{folder}/control\npubsub_endpoint = ipc://{folder}/events",
        *(f"[watcher:child{number}]\ncmd = {child}" for number in range(size)),
    ]
    (folder / "circus.ini").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return [*installed("circus.circusd"), str(folder / "circus.ini")]


def supervisor(folder: Path, child: str, size: int) -> Sequence[str]:
    """Programs in the foreground, without its server."""
    sections = [
        f"[supervisord]\nnodaemon = true\nlogfile = {folder}/log\npidfile = {folder}/pid\n"
        f"childlogdir = {folder}",
        *(f"[program:child{number}]\ncommand = {child}" for number in range(size)),
    ]
    (folder / "supervisord.conf").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return [*installed("supervisor.supervisord"), "-c", str(folder / "supervisord.conf")]
