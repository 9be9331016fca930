"""How long to wait."""

from __future__ import annotations

import time
from typing import Final

import click

from .failures import NotReady

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


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    from ..loading.durations import parse_duration

    plain = value.replace(".", "", 1).isdecimal() and value.isascii()
    try:
        return parse_duration(f"{value}s" if plain else value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


timeout_option = click.option(
    "--timeout",
    metavar="DURATION",
    callback=_seconds,
    help="Wait so long at most, as '30' or '1m 30s'; ends with 3 when it is over.",
)
