"""The store: writes what is done, in a thread of its own, since SQLite blocks."""

from __future__ import annotations

from orchestra import Context, ThreadPlayer

from .desk import Desk
from .rows import Rows

SECONDS_BETWEEN_WRITES = 0.1


class Store(ThreadPlayer):
    """Writes the jobs that are done, all of them in one transaction every tenth of a second."""

    signals_ready = True

    def __init__(self, desk: Desk, rows: Rows) -> None:
        super().__init__(self.write)
        self.desk = desk
        self.rows = rows

    def write(self, ctx: Context) -> None:
        """Write until `ctx` is done, and then once more: the worker has ended by then."""
        with self.rows.connection() as db:
            ctx.ready(file=str(self.rows.file))
            done = False
            while not done:
                done = ctx.wait_sync(SECONDS_BETWEEN_WRITES)
                jobs = self.desk.done()
                if jobs:
                    self.rows.add(db, jobs)
                    self.desk.written(jobs)
