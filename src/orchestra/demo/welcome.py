"""The welcome: where the service is, and what to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestra import Event, Ready

from .rows import Rows
from .screen import BOLD, CYAN, DIM, Screen
from .settings import Settings


class Welcome:
    """Prints it as soon as the API serves. It is an observer, as in `run(..., observers=[...])`."""

    def __init__(self, settings: Settings, rows: Rows, screen: Screen) -> None:
        self.settings = settings
        self.rows = rows
        self.screen = screen

    def __call__(self, event: Event) -> None:
        """Wait for the one event that says the address."""
        match event:
            case Ready(path="web", details={"addresses": [address, *_]}):
                self.screen.print("", *self.lines(str(address)), "")

    def lines(self, address: str) -> Iterator[str]:
        """The words."""
        paint = self.screen.paint
        yield f"  serving at  {paint(address, BOLD)}"
        if self.settings.file is None:
            note = paint("(removed at the end; DEMO_DB=file keeps it)", DIM)
            yield f"  rows go to  {self.rows.file}  {note}"
        else:
            yield f"  rows go to  {self.rows.file}"
        if self.settings.stuck:
            yield "  stuck       will not stop: see who is named, and at which line"
        if self.settings.seconds is None:
            yield f"  try         {paint(f'curl -d hello {address}/jobs', CYAN)}"
            yield f"              {paint(f'curl {address}', CYAN)}"
            yield "  stop it     Ctrl-C: gracefully; once more: at once"
        else:
            yield f"  visitors    send jobs for {self.settings.seconds:g} s, then SIGTERM"
