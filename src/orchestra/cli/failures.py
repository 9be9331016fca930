"""What goes wrong with a verb, as a line for the user and an exit code."""

from __future__ import annotations

import io
import sys
from typing import IO, Any, Final

import click

from ..web.client import ClientError


class Failure(click.ClickException):
    """A verb that was not done, as a line: refused, failed, or not answered."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line to standard error."""
        click.echo(f"orchestra: {self.format_message()}", file=file, err=file is None)


class Misused(Failure):
    """What was given makes no sense."""

    exit_code = 2


class NotReady(Failure):
    """Players are not ready, or not what was waited for, in the time that there was."""

    exit_code = 3


class Unknown(Failure):
    """There is no such player or program."""

    exit_code = 4


# By the code of an error of the API.
_KINDS: Final = {"invalid": Misused, "late": NotReady, "unknown": Unknown, "gone": Unknown}


def failure_of(error: ClientError) -> Failure:
    """What a program has said, or not said, as a failure."""
    return _KINDS.get(error.code, Failure)(str(error))


INTERRUPTED: Final = 130


class Verb(click.Command):
    """A verb that asks a program: what the program says against it becomes a `Failure`.

    Ctrl-C ends it, and nothing else; what the program was asked for goes on.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Do it."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every terminal has every sign
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return INTERRUPTED
        except ClientError as error:
            raise failure_of(error) from None
