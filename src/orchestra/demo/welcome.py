"""The welcome: where the service is, and what to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestra import Event, Ready, StatusPlayer

from .rows import Rows
from .screen import BOLD, CYAN, DIM, Screen
from .settings import Settings


class Welcome:
    """Prints it as soon as the API and the page serve. An observer, as in `run(..., observers=[...])`."""

    def __init__(
        self, settings: Settings, rows: Rows, screen: Screen, status: StatusPlayer
    ) -> None:
        self.settings = settings
        self.rows = rows
        self.screen = screen
        self.status = status
        self.address: str | None = None
        self.page: str | None = None

    def __call__(self, event: Event) -> None:
        """Wait for the event that says the address, and for the page, whichever comes last."""
        match event:
            case Ready(path="web", details={"addresses": [address, *_]}):
                self.address = str(address)
            case Ready(path="status"):
                self.page = self.status.url
            case _:
                return
        if self.address is not None and self.page is not None:
            self.screen.print("", *self.lines(self.address, self.page), "")

    def lines(self, address: str, page: str) -> Iterator[str]:
        """The words."""
        paint = self.screen.paint
        yield f"  serving at  {paint(address, BOLD)}"
        yield f"  watch it    {paint(page, BOLD)}"
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
