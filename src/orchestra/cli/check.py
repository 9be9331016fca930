"""`orchestra check`."""

from __future__ import annotations

from typing import Any

import click

from .asking import WishCommand, wish_from, wish_options
from .complaints import complaining


@click.command(cls=WishCommand, short_help="Load and validate, and draw the tree.")
@wish_options
@complaining
def check(**given: Any) -> int:
    """Load TARGET and draw its tree: who starts after whom, how long each may take, how it comes back.

    Files are read and code is imported; no player starts. Ends with 0 if all of it can be played, 1 if
    the code raised, and 2 for what can't be played.
    """
    from ..loading.program import find_program
    from .drawing import drawing

    program = find_program(wish_from(given))
    player = program.load()
    click.echo("\n".join(drawing(program, player)))
    return 0
