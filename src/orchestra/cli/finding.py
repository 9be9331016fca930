"""`orchestra list` and `orchestra open`."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import click

from .._duration import duration
from ..web.client import Client, ClientError
from . import words
from .arguments import which_program
from .failures import Failure, Verb
from .programs import Program, find, running

PATIENCE = 2.0


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def list_(as_json: bool) -> None:
    """Show the programs of this user that can be seen and steered, the newest first."""
    found = [_entry(program) for program in running()]
    if as_json:
        click.echo(json.dumps({"version": 1, "programs": found}))
    elif not found:
        words.echo("no program plays")
    else:
        heads = ["PROGRAM", "PID", "STATE", "UP", "FILE"]
        for line in words.table(heads, [_cells(entry) for entry in found]):
            words.echo(line)


def _entry(program: Program) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": program.name,
        "pid": program.pid,
        "socket": str(program.socket),
        "answers": True,
    }
    client = Client(program.socket, timeout=PATIENCE)
    try:
        told, overview = client.program(), client.players()
    except ClientError as error:
        return {**entry, "answers": False, "error": str(error)}
    known = {name: told[name] for name in ("started", "file", "url")}
    return {**entry, **known, "ready": overview["ready"], "unready": overview["unready"]}


def _cells(entry: dict[str, Any]) -> list[str]:
    first = [entry["name"], "-" if entry["pid"] is None else str(entry["pid"])]
    if not entry["answers"]:
        return [*first, words.bad(entry["error"]), "-", "-"]
    state = words.state("ready") if entry["ready"] else words.bad("not ready")
    up = duration(max(0.0, time.time() - entry["started"]))
    return [*first, state, up, _from_here(entry["file"] or "-")]


def _from_here(file: str) -> str:
    here = os.getcwd() + os.sep
    return file.removeprefix(here)


@click.command(cls=Verb)
@which_program
@click.option("--print", "only_print", is_flag=True, help="Only print where it is.")
def open_(program: str | None, only_print: bool) -> None:
    """Open the live page of a program; prints where it is, with the token that opens it."""
    found = find(program)
    url = found.client.program()["url"]
    if url is None:
        raise Failure(
            f"{found} has no page: `orchestra play --web` serves one, or StatusPlayer(port=...)"
        )
    click.echo(url)
    if not only_print:
        import webbrowser

        webbrowser.open(url)
