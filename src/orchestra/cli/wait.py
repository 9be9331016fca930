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
from .following import following
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
    help="stopped: it plays no more, however it ended; done: it has ended by itself, and well.",
)
@timeout_option
def wait(paths: tuple[str, ...], program: str | None, goal: Goal, timeout: float | None) -> None:
    """Wait until players are ready, stopped or done; without a PATH, the whole program.

    With a --timeout, a program that does not play yet is waited for as well. Ends with 3 when the time is
    over, or it can't happen any more. One that was stopped by hand is not done: somebody may start it again.
    """
    deadline = Deadline(timeout)
    found = _find(program, deadline, patient=timeout is not None)
    if goal == "stopped" and not paths:
        until_gone(found, deadline)
    else:
        _wait(found, paths, goal, deadline)
    which = ", ".join(paths) or str(found)
    words.echo(f"{which}: {words.state(goal)}")


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
    late = f"not {goal}"
    overview: Mapping[str, Any] = {"players": []}
    try:
        for overview in following(program, deadline):
            try:
                missing = missing_for(goal, overview, paths)
            except Unknown as failure:
                if not is_starting(overview):
                    raise
                late = str(failure)
                continue
            if not missing:
                return
            late = f"not {goal}: {', '.join(missing)}"
    except TimeoutError:
        raise deadline.late(late) from None
    except UnreachableError as error:
        if error.code != "gone":
            raise NotReady(str(error)) from None
    # It has ended, and that was how its players were at last.
    if goal == "stopped" or (goal == "done" and not paths and all_done(overview)):
        return
    raise NotReady(f"{program} has ended, {late}")


def missing_for(goal: Goal, overview: Mapping[str, Any], patterns: Sequence[str]) -> list[str]:
    """Those that are not there yet; raises `NotReady` for one that will never be done."""
    rows = {row["path"]: row for row in overview["players"]}
    meant = chosen(patterns, list(rows))
    if goal == "ready":
        missing = unready(overview, meant)
    elif goal == "stopped":
        missing = [path for path in meant or rows if rows[path]["state"] not in AT_REST]
    else:
        # A whole program is done when its root is, whatever that has asked to stop.
        asked = meant or [path for path, row in rows.items() if row["parent"] is None]
        missing = [path for path in asked if not rows[path]["done"]]
        for path in meant or rows:
            if rows[path]["state"] in FAILED_STATES:
                raise NotReady(f"{path or 'the whole'}: {rows[path]['state']}")
    return [f"{path or 'the whole'} ({_how(rows[path], goal)})" for path in missing]


def is_starting(overview: Mapping[str, Any]) -> bool:
    """Whether there may be players that are not known yet, as those of a process that starts."""
    return any(row["state"] == "starting" for row in overview["players"])


def _how(row: Mapping[str, Any], goal: Goal) -> str:
    return "stopped, not by itself" if goal == "done" and row["state"] in AT_REST else row["state"]


def all_done(overview: Mapping[str, Any]) -> bool:
    """Whether all have ended well, but for the groups around, and the player that tells of it."""
    rows = overview["players"]
    above = {row["parent"] for row in rows}
    ends = [row for row in rows if row["path"] not in above and row["kind"] != "status"]
    return bool(ends) and all(row["done"] for row in ends)
