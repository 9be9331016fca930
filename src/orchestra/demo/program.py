"""The program: from the environment to the exit code."""

from __future__ import annotations

import os
import sqlite3
import sys

from orchestra import ConductorError, StatusPlayer, run

from .account import account_of
from .desk import Desk
from .ending import Ending
from .explanation import FAILED, USAGE, code_for, explain
from .rows import Rows
from .screen import BOLD, Screen
from .service import conductor_of
from .settings import Settings
from .visitors import Visitors
from .welcome import Welcome


def main() -> int:
    """Play the demo as the environment says; returns the exit code."""
    try:
        settings = Settings.from_environment(os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        return USAGE
    with settings.database() as file:
        rows = Rows(file)
        try:
            desk = Desk(first=rows.create())
        except sqlite3.Error as error:
            print(f"{file} can't hold the rows: {error}", file=sys.stderr)
            return USAGE
        return play(settings, desk, rows, Screen(sys.stdout))


def play(settings: Settings, desk: Desk, rows: Rows, screen: Screen) -> int:
    """Play until a signal, then tell how it ended; returns the exit code."""
    visitors = None if settings.seconds is None else Visitors(settings.seconds)
    # With many visitors, a line for each job is too much.
    screen.show_log("orchestra", *(["demo"] if visitors is None else []))

    ending, failure = Ending(), None
    status = StatusPlayer(port=0, name="demo")
    try:
        service = conductor_of(settings, desk, rows, status, visitors)
        run(service, observers=[Welcome(settings, rows, screen, status), ending])
    except ConductorError as error:
        failure = error

    screen.print("", screen.paint(f"Stopped in {ending.seconds:.3f} s", BOLD), *ending.lines())
    account = account_of(desk, rows, visitors, restarts=ending.restarts["jobs.flaky"])
    screen.print("", *account.lines(screen))
    if failure is not None:
        screen.print("", *explain(failure, screen))
    return FAILED if account.lost else code_for(failure)
