"""`orchestra start`, `stop`, `restart`, `scale` and `reload`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

import click

from .._duration import duration
from ..web.client import Client, ClientError
from . import words
from .arguments import paths as some_path
from .arguments import some_paths, which_program
from .choosing import chosen
from .deadline import Deadline, timeout_option
from .failures import Verb, failure_of
from .parameters import COPIES
from .programs import find, until_gone

_DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "scale": "scaled"}

_whether_to_wait = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until it is done."
)


@click.command(cls=Verb)
@some_path
@which_program
@_whether_to_wait
@timeout_option
def start(paths: tuple[str, ...], program: str | None, wait: bool, timeout: float | None) -> int:
    """Start players that do not play: those that are idle, were stopped, or have ended.

    Done when they are ready.
    """
    return _steer("start", find(program).client, paths, wait, timeout)


@click.command(cls=Verb)
@some_paths
@which_program
@_whether_to_wait
@timeout_option
def stop(paths: tuple[str, ...], program: str | None, wait: bool, timeout: float | None) -> int:
    """Stop players gracefully; without a PATH, the whole program.

    What was stopped stays in the program, until it is started again. Done when they have ended.
    """
    found = find(program)
    if paths:
        return _steer("stop", found.client, paths, wait, timeout)
    begun = time.monotonic()
    found.client.stop_all()
    if not wait:
        words.echo(f"{found}: {words.state('stopping')}")
        return 0
    until_gone(found, Deadline(timeout))
    words.echo(f"{found}: {words.state('stopped')}{_took(begun)}")
    return 0


@click.command(cls=Verb)
@some_path
@which_program
@_whether_to_wait
@timeout_option
def restart(paths: tuple[str, ...], program: str | None, wait: bool, timeout: float | None) -> int:
    """Stop players gracefully and start them again.

    Done when they are ready again.
    """
    return _steer("restart", find(program).client, paths, wait, timeout)


@click.command(cls=Verb)
@click.argument("copies", metavar="PATH=N...", nargs=-1, required=True, type=COPIES)
@which_program
@_whether_to_wait
@timeout_option
def scale(
    copies: tuple[tuple[str, int], ...], program: str | None, wait: bool, timeout: float | None
) -> int:
    """Have so many copies of a player, as in 'web=3'.

    Done when all of them are ready, and those too many have ended.
    """
    client = find(program).client
    known = _paths_of(client)
    meant = {path: count for one, count in copies for path in chosen([one], known)}

    def act(path: str) -> dict[str, Any]:
        return client.command("scale", path, count=meant[path], wait=wait, timeout=timeout)

    return _all(list(meant), act, "scale", suffix=lambda path: f" to {meant[path]}")


@click.command(cls=Verb)
@which_program
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def reload(program: str | None, dry_run: bool) -> None:
    """Read the file again that is played, show what changed, and apply it."""
    answer = find(program).client.reload(dry_run=dry_run)
    for change in answer["changes"]:
        words.echo(change)
    if not answer["changes"]:
        words.echo("nothing has changed")
    elif not answer["applied"]:
        words.echo("nothing was applied: this was a dry run" if dry_run else "nothing was applied")


def _steer(
    verb: str, client: Client, patterns: Sequence[str], wait: bool, timeout: float | None
) -> int:
    def act(path: str) -> dict[str, Any]:
        return client.command(verb, path, wait=wait, timeout=timeout)

    return _all(chosen(patterns, _paths_of(client)), act, verb)


def _paths_of(client: Client) -> list[str]:
    return [row["path"] for row in client.players()["players"]]


def _all(
    paths: Sequence[str],
    act: Callable[[str], dict[str, Any]],
    verb: str,
    *,
    suffix: Callable[[str], str] = lambda path: "",
) -> int:
    """Do it to all of them at the same time, since one may wait for another; the exit code."""
    begun, codes = time.monotonic(), [0]
    outcomes: SimpleQueue[tuple[str, dict[str, Any] | ClientError]] = SimpleQueue()

    def ask(path: str) -> None:
        try:
            outcomes.put((path, act(path)))
        except ClientError as error:
            outcomes.put((path, error))

    for path in paths:
        # Daemons, since after Ctrl-C nobody waits for the answers.
        Thread(target=ask, args=[path], daemon=True).start()
    for _ in paths:
        path, outcome = outcomes.get()
        if isinstance(outcome, ClientError):
            words.echo(f"{words.bad(words.named(path))}: {outcome}", err=True)
            codes.append(failure_of(outcome).exit_code)
        else:
            words.echo(_told(outcome, path, f"{_DONE[verb]}{suffix(path)}", begun))
    return max(codes)


def _told(answer: dict[str, Any], path: str, done: str, begun: float) -> str:
    if not answer["finished"]:
        return f"{words.named(path)}: asked, and not waited for"
    row = answer["player"]
    now = "" if row is None else f", {words.state(row['state'])}"
    return f"{words.named(path)}: {done}{_took(begun)}{now}"


def _took(begun: float) -> str:
    return f" in {duration(time.monotonic() - begun)}"
