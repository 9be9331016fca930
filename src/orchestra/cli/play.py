"""`orchestra play`."""

from __future__ import annotations

from typing import Any

import click

from .asking import WishCommand, look_from, reach_from, wish_from, wish_options
from .complaints import complaining


@click.command(cls=WishCommand, short_help="Play a program until the end or Ctrl-C.")
@wish_options
@click.option("--reload", is_flag=True, help="Play anew when a *.py file changes.")
@click.option(
    "--reload-dir",
    "reload_dirs",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Where to look for changes, instead of the folder.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least that is shown; what commands print always is.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or JSON for what collects them.",
)
@click.option("--timestamps", is_flag=True, help="Begin each line with the time of day.")
@click.option("--no-prefix", is_flag=True, help="Show what commands print as it is.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto heeds NO_COLOR.",
)
@click.option(
    "--web", metavar="[HOST:PORT]", help="Serve the live page; without a port, on a free one."
)
@click.option("--no-control", is_flag=True, help="No socket for `orchestra status` and the others.")
@click.option("--uvloop", is_flag=True, help="Run on uvloop.")
@complaining
def play(**given: Any) -> int:
    """Play TARGET until its end, or until Ctrl-C.

    TARGET is a player in code (package.module:attribute, package.module:make(), app.py), an
    orchestra.toml, or a Procfile. Without one, what lies in this folder is played.

    Ends with 0 after a clean stop, 1 if a player failed, 2 if TARGET can't be played, 3 if only the
    time to stop was over, and 128 + the signal's number if it had to be ended by force.
    """
    from .playing import play_program

    return play_program(wish_from(given), look_from(given), reach_from(given))
