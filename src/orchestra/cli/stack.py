"""`orchestra stack`."""

from __future__ import annotations

import click

from . import words
from .arguments import one_path, which_program
from .failures import Verb
from .programs import find


@click.command(cls=Verb)
@one_path
@which_program
def stack(path: str, program: str | None) -> None:
    """Show where a player is right now, and all below it.

    The await chain of each coroutine and the stack of each thread, the innermost last.
    """
    places = find(program).client.stack(path)["places"]
    if not places:
        words.echo(f"{words.named(path)} does not play")
    for number, place in enumerate(places):
        if number:
            words.echo()
        what = "" if place["what"] == "player" else f", {place['what']} {place['name']}"
        words.echo(words.bold(words.in_a_line(f"{words.named(place['path'])}{what}")))
        for line in place["where"].splitlines():
            words.echo(f"  {line}")
