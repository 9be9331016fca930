"""What several verbs take: which program, which players."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..web.client import Client, ClientError
from .failures import Failure
from .programs import find, running

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        program = find(ctx.params.get("program"))
        rows = Client(program.socket, timeout=1.0).players()["players"]
    except (Failure, ClientError):
        return []
    found = [row for row in rows if row["path"].startswith(incomplete) and row["path"]]
    return [CompletionItem(row["path"], help=row["state"]) for row in found]


def _complete_program(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        return [CompletionItem(one.name) for one in running() if one.name.startswith(incomplete)]
    except Failure:
        return []


which_program = click.option(
    "--program",
    "-p",
    metavar="NAME|PID",
    help="Which program, if several play; also the path of its socket.",
    shell_complete=_complete_program,
)
some_paths = click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=_complete_path)
paths = click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, shell_complete=_complete_path
)
one_path = click.argument("path", shell_complete=_complete_path)
