"""`orchestra wait`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from ..web.client import UnreachableError
from . import words
from .arguments import some_paths, which_program
from .choosing import AT_REST, FAILED_STATES, chosen, unready
from .deadline import Deadline, timeout_option
from .failures import NotReady, Unknown, Verb
from .programs import Program, find, until_gone

Goal = Literal["ready", "stopped", "done"]


@click.command(cls=Verb)
@some_paths
@which_program
@click.option(
    "--for",
    "goal",
    type=click.Choice(["ready", "stopped", "done"]),
    default="ready",
    show_default=True,
    help="stopped: it plays no more, however it ended; done: it ended, and well.",
)
@timeout_option
def wait(paths: tuple[str, ...], program: str | None, goal: Goal, timeout: float | None) -> None:
    """Wait until players are ready, stopped or done; without a PATH, the whole program.

    With a --timeout, a program that does not play yet is waited for as well. Ends with 3 when the time is
    over, or it can't happen any more.
    """
    deadline = Deadline(timeout)
    found = _find(program, deadline, patient=timeout is not None)
    if goal == "stopped" and not paths:
        until_gone(found, deadline)
    else:
        _wait(found, paths, goal, deadline)
    which = ", ".join(paths) or str(found)
    words.echo(f"{which}: {words.state('ready' if goal == 'ready' else 'stopped')}")


def _find(given: str | None, deadline: Deadline, *, patient: bool) -> Program:
    while True:
        try:
            return find(given)
        except Unknown as failure:
            if not patient:
                raise
            try:
                deadline.pause("")
            except NotReady:
                raise failure from None


def _wait(program: Program, paths: Sequence[str], goal: Goal, deadline: Deadline) -> None:
    while True:
        try:
            overview = program.client.players()
        except UnreachableError as error:
            if error.code == "gone" and goal != "ready":
                return
            text = f"{program} has ended" if error.code == "gone" else str(error)
            raise NotReady(text) from None
        missing = missing_for(goal, overview, paths)
        if not missing:
            return
        deadline.pause(f"not {goal}: {', '.join(missing)}")


def missing_for(goal: Goal, overview: Mapping[str, Any], patterns: Sequence[str]) -> list[str]:
    """Those that are not there yet; raises `NotReady` for one that will never be done."""
    states = {row["path"]: row["state"] for row in overview["players"]}
    meant = chosen(patterns, list(states))
    if goal == "ready":
        missing = unready(overview, meant)
    else:
        missing = [path for path in meant or states if states[path] not in AT_REST]
    if goal == "done":
        for path in meant or states:
            if states[path] in FAILED_STATES:
                raise NotReady(f"{path or 'the whole'}: {states[path]}")
    return [f"{path or 'the whole'} ({states.get(path)})" for path in missing]
