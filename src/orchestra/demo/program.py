"""The program: from the environment to the exit code."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from traceback import format_exception

from orchestra import ConductorError, Event, Ready, StopTimeoutError, run

from .desk import Desk
from .ending import Ending
from .rows import Rows
from .screen import BOLD, CYAN, DIM, GREEN, RED, Screen
from .service import conductor_of
from .settings import Settings
from .visitors import Visitors

FAILED, USAGE, STUCK = 1, 2, 3
"""The exit codes that the command line of Orchestra has as well."""


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
        return Demo(settings, desk, rows, Screen(sys.stdout)).play()


class Demo:
    """One performance of the service, with words before and after it."""

    def __init__(self, settings: Settings, desk: Desk, rows: Rows, screen: Screen) -> None:
        self.settings = settings
        self.desk = desk
        self.rows = rows
        self.screen = screen
        self.ending = Ending()
        self.visitors = None if settings.seconds is None else Visitors(settings.seconds)

    def play(self) -> int:
        """Play until a signal, then tell how it ended; returns the exit code."""
        self.screen.show_log("orchestra", *(["demo"] if self.visitors is None else []))
        service = conductor_of(self.settings, self.desk, self.rows, self.visitors)
        failure = None
        try:
            run(service, observers=[self.welcome, self.ending])
        except ConductorError as error:
            failure = error
        self.tell_of_the_stop()
        lost = self.tell_of_the_jobs()
        code = 0 if failure is None else self.explain(failure)
        return FAILED if lost else code

    # Before

    def welcome(self, event: Event) -> None:
        """Say where the service is, once it serves. This is an observer."""
        match event:
            case Ready(path="web", details={"addresses": [address, *_]}):
                self.screen.print("", *self.invitation(str(address)), "")

    def invitation(self, address: str) -> list[str]:
        """What to do now."""
        file = f"{self.rows.file}"
        if self.settings.file is None:
            file += self.screen.paint("  (removed at the end; DEMO_DB=file keeps it)", DIM)
        lines = [f"  serving at  {self.screen.paint(address, BOLD)}", f"  rows go to  {file}"]
        if self.visitors is not None:
            return [*lines, f"  visitors come for {self.visitors.seconds:g} s, then SIGTERM"]
        return [
            *lines,
            f"  try         {self.screen.paint(f'curl -d hello {address}/jobs', CYAN)}",
            f"              {self.screen.paint(f'curl {address}', CYAN)}",
            "  stop it     Ctrl-C: gracefully; once more: at once",
        ]

    # After

    def tell_of_the_stop(self) -> None:
        """Who stopped when."""
        head = f"Stopped in {self.ending.seconds:.2f} s"
        self.screen.print("", self.screen.paint(head, BOLD))
        self.screen.print(*(f"  {line}" for line in self.ending.lines()))

    def tell_of_the_jobs(self) -> list[int]:
        """What became of all that was accepted; returns those that are lost."""
        accepted = set(self.desk.numbers())
        if self.visitors is not None:
            accepted |= set(self.visitors.receipts)
        written = self.rows.numbers(self.desk.first)
        undone = self.rows.numbers(self.desk.first, undone=True)
        lost = sorted(accepted - written)
        facts = [
            f"{len(accepted)} jobs accepted",
            f"{len(written)} rows written" + (f" ({len(undone)} undone)" if undone else ""),
            f"{self.ending.restarts['jobs.flaky']} restarts of flaky",
        ]
        if self.visitors is not None:
            facts.append(f"{self.visitors.under_way_at_stop} requests under way at SIGTERM")
            facts.append(f"{self.visitors.turned_away} turned away")
        self.screen.print("", ", ".join(facts))
        if lost:
            self.screen.print(self.screen.paint(f"{len(lost)} accepted jobs are lost: {lost}", RED))
        else:
            self.screen.print(self.screen.paint("Nothing that was accepted is lost.", GREEN))
        return lost

    def explain(self, error: ConductorError) -> int:
        """What went wrong, in words; returns the exit code."""
        code = 0
        for failure in error.exceptions:
            if isinstance(failure, StopTimeoutError):
                self.screen.print("", *self.about_stuck(failure))
                code = code or STUCK
        for path, failure in error.failures.items():
            self.screen.print("", *self.about_failed(path, failure))
            code = FAILED
        return code

    def about_stuck(self, error: StopTimeoutError) -> list[str]:
        """Who had to be cut off, and at which line."""
        lines = [self.screen.paint("Cut off before it had stopped:", RED)]
        for path in error.left:
            where = error.stuck[path].splitlines() or ["before its first line"]
            lines.append(f"  {self.screen.paint(path, BOLD)} {where[-1]}")
        for path in error.abandoned:
            lines.append(
                f"{path} may even go on: nothing ends a thread but the end of the program."
            )
        return lines

    def about_failed(self, path: str, error: Exception) -> list[str]:
        """Who failed, and why."""
        if not isinstance(error, OSError):
            return [f"{path} failed:", *"".join(format_exception(error)).splitlines()]
        lines = [self.screen.paint(f"{path} failed: {error}", RED)]
        if error.errno == errno.EADDRINUSE:
            lines.append("Choose another DEMO_PORT, or none: then any that is free is taken.")
        return lines
