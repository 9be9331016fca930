"""How long to wait."""

from __future__ import annotations

import time
from typing import Final

import click

from .failures import NotReady
from .parameters import DURATION

PAUSE: Final = 0.1
"""Seconds between two looks."""


class Deadline:
    """When waiting ends, if ever."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left; None if there is no end."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def late(self, failure: str) -> NotReady:
        """What to raise with this text when the time is over."""
        return NotReady(f"after {self._seconds:g} s, {failure}")

    def pause(self, failure: str) -> None:
        """Sleep a little; when the time is over, raises `NotReady` with this text."""
        if self.left() == 0:
            raise self.late(failure)
        time.sleep(PAUSE)


timeout_option = click.option(
    "--timeout",
    type=DURATION,
    help="Wait so long at most, as in 30 or '1m 30s'; ends with 3 when it is over.",
)
