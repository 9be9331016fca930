"""Kinds of values that are given on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # which is not generic in all versions


class Duration(_Type):
    """A duration such as `20s`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The duration in seconds."""
        from ..loading.durations import parse_duration

        try:
            # On a command line all is text, a number of seconds as well.
            return parse_duration(float(value) if _is_number(value) else value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Copies(_Type):
    """A path and a number of copies, as in `web=3`."""

    name = "path=n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both of them."""
        path, _, number = value.rpartition("=")
        if not path or not (number.isascii() and number.isdecimal() and len(number) < 6):
            self.fail(f"{value!r} says no number of copies: write web=3", param, ctx)
        return path, int(number)


DURATION: Final = Duration()
COPIES: Final = Copies()
