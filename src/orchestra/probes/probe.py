"""What a probe is: a way to find out whether a program serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Protocol

from .._clock import seconds

Check = Callable[[], Awaitable[object]]
"""Looks once: returns if all is well, raises an exception that says what is wrong."""


class Program(Protocol):
    """The program that a probe looks at, as it runs right now."""

    def watch(self, on_line: Callable[[str], None]) -> object:
        """Call `on_line` with each line that it prints from now on."""

    async def run(self, argv: str | Sequence[str | PathLike[str]]) -> tuple[int, str]:
        """Run another command, as the same user in the same place: its exit code, its last line."""
        ...


class Probe(Protocol):
    """Finds out whether a program serves: those of `orchestra.probes`, or one of your own.

    A probe is a value without a state, and may serve several players. Each run asks it for a check of
    its own.

    >>> class FileExists:
    ...     interval, timeout, address = 0.5, 1.0, None
    ...     def __init__(self, path):
    ...         self.path = path
    ...     def on(self, program):
    ...         async def check():
    ...             if not self.path.exists():
    ...                 raise FileNotFoundError(self.path)
    ...         return check
    """

    @property
    def interval(self) -> float:
        """Seconds from one look that failed to the next, while the program is not ready yet."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that one look may take; `math.inf` where it waits for the thing itself."""
        ...

    @property
    def address(self) -> str | None:
        """Where the program serves, as a URL, if that is what the probe looks at."""

    def on(self, program: Program) -> Check:
        """What looks at this run of the program; called before it has printed anything."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often a probe looks, and how long it may take."""

    interval: float = 0.1
    timeout: float = 1.0

    def __post_init__(self) -> None:
        seconds("interval", self.interval)
        seconds("timeout", self.timeout, infinite=True)

    @property
    def address(self) -> str | None:
        """Where the program serves, as a URL, if that is what the probe looks at."""
        return None


def check_probe(what: str, probe: Any) -> Any:
    """The probe, or a `TypeError` that says what is one."""
    if callable(getattr(probe, "on", None)) and not isinstance(probe, type):
        return probe
    raise TypeError(
        f"{what} must be a probe, such as orchestra.probes.tcp('127.0.0.1', 6379), not {probe!r}"
    )
