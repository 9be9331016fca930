"""What a file says about a program, as frozen values: what is compared when it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Restart = Literal["never", "failure", "always"]


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A probe: its kind, what it looks at, and how it asks."""

    kind: Literal["tcp", "http", "output", "after", "command"]
    what: Any
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BackoffSpec:
    """When a player comes back: delays in seconds, or how they grow, and when it gives up."""

    delays: tuple[float, ...] | None = None
    initial: float = 0.5
    multiplier: float = 1.5
    max_delay: float = 60.0
    jitter: float = 0.5
    max_restarts: int | None = None
    per: float | None = None


@dataclass(frozen=True, slots=True)
class PlayerSpec:
    """One player of a file: a command, a target in code, or a group of players."""

    command: str | tuple[str, ...] | None = None
    target: str | None = None
    players: Mapping[str, PlayerSpec] | None = None
    args: tuple[Any, ...] = ()
    shell: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    inherit_env: bool = True
    cwd: str | None = None
    user: str | None = None
    group: str | None = None
    umask: int | None = None
    clean_codes: tuple[int, ...] = (0,)
    copies: int | None = None
    once: bool = False
    autostart: bool = True
    after: Mapping[str, str] = field(default_factory=dict)
    ready: ProbeSpec | None = None
    alive: ProbeSpec | None = None
    start_timeout: float | None = None
    restart: Restart = "never"
    backoff: BackoffSpec | None = None
    stop_signal: str = "TERM"
    stop_timeout: float | None = None
    watch: tuple[str, ...] = ()
    # Of a process in a Procfile: the first of its ports, one for each copy.
    port: int | None = None
    # Of a group.
    ordered: bool = False
    stop_when: Literal["all", "any", "never"] = "all"
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class LogSpec:
    """A file that the log goes to, and when a new one is begun."""

    file: str
    max_bytes: int = 10_000_000
    keep: int = 5


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A whole program, as a file says it."""

    name: str = ""
    players: Mapping[str, PlayerSpec] = field(default_factory=dict)
    env_files: tuple[str, ...] = ()
    log: LogSpec | None = None
    timeout: float | None = None
    drain_delay: float = 0.0
    ordered: bool = False
    stop_when: Literal["all", "any", "never"] = "all"
