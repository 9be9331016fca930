"""`orchestra status`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from .._duration import duration
from ..web.client import Client
from . import words
from .arguments import some_paths, which_program
from .choosing import chosen, is_chosen, unready
from .failures import NotReady, Verb
from .programs import Program, find


@click.command(cls=Verb)
@some_paths
@which_program
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option(
    "--watch", is_flag=True, help="JSON lines: all players first, then those that change."
)
def status(paths: tuple[str, ...], program: str | None, as_json: bool, watch: bool) -> int:
    """Show what plays, and how it is; each PATH with all below it.

    A PATH is that of a player or a group, or a glob such as 'jobs.*'. Ends with 3 if something is not
    ready.
    """
    found = find(program)
    if watch:
        return _watch(found.client, paths)
    overview = found.client.players()
    meant = chosen(paths, [row["path"] for row in overview["players"]])
    rows = [row for row in overview["players"] if is_chosen(row["path"], meant)]
    missing = unready(overview, meant)
    if as_json:
        own = {"ready": not missing, "unready": missing, "players": rows}
        print(json.dumps({**overview, **own}))
    else:
        words.echo(headline(found, missing))
        for line in lines_of(rows):
            words.echo(line)
    return NotReady.exit_code if missing else 0


def _watch(client: Client, paths: Sequence[str]) -> int:
    meant: list[str] = []
    for event in client.stream(players=True, entries=False):
        if event.name != "players":
            continue
        data = event.data
        if data["all"]:
            meant = chosen(paths, [row["path"] for row in data["players"]])
        data["players"] = [row for row in data["players"] if is_chosen(row["path"], meant)]
        data["gone"] = [path for path in data["gone"] if is_chosen(path, meant)]
        if data["players"] or data["gone"] or data["all"]:
            click.echo(json.dumps(data))
    return 0


def headline(program: Program, missing: Sequence[str]) -> str:
    """Which program, and whether all of it is ready."""
    if not missing:
        return f"{program}: {words.state('ready')}"
    named = ", ".join(path or "the whole" for path in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return f"{program}: {words.bad('not ready')}: {named}{more}"


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table of players."""
    # The root is the program, which has a line of its own.
    shown = [row for row in rows if row["path"] or len(rows) == 1]
    busy = any(row.get("cpu") is not None or row.get("memory") is not None for row in shown)
    heads = ["PLAYER", "KIND", "STATE", "UP", "RESTARTS", *(["CPU", "MEMORY"] if busy else [])]
    return words.table([*heads, "LAST LINE"], [_cells(row, busy=busy) for row in shown])


def _cells(row: Mapping[str, Any], *, busy: bool) -> list[str]:
    state = words.state("done" if row.get("done") else row["state"])
    if row["next_restart_in"] is not None:
        state += f", {duration(row['next_restart_in'])}"
    up = "-" if row["uptime"] is None else duration(row["uptime"])
    cells = [row["path"] or "(root)", row["kind"], state, up, str(row["restarts"] or "-")]
    if busy:
        cpu, memory = row.get("cpu"), row.get("memory")
        cells.append("-" if cpu is None else f"{cpu:.0%}")
        cells.append("-" if memory is None else _size(memory))
    fine = row["state"] in ("ready", "stopped", "skipped")
    last = row["last_line"] if fine else row["error"] or row["last_line"]
    return [*cells, words.in_a_line(last or "").removeprefix(f"{row['path']}: ")]


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"
