"""The table in SQLite, a row for each job that is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .desk import Job


class Rows:
    """The rows in a file. Every call has a connection of its own, so any thread may make it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for the thread that asks for it."""
        db = sqlite3.connect(self.file)
        db.row_factory = sqlite3.Row
        try:
            yield db
        finally:
            db.close()

    def create(self) -> int:
        """Make the table if there is none yet; the number that the next job gets."""
        with self.connection() as db:
            db.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, text, result)")
            (last,) = db.execute("SELECT max(id) FROM jobs").fetchone()
        return (last or 0) + 1

    def add(self, db: sqlite3.Connection, jobs: Iterable[Job]) -> None:
        """Write these jobs, all of them or none."""
        with db:
            values = [(job.id, job.text, job.result) for job in jobs]
            db.executemany("INSERT INTO jobs VALUES (?, ?, ?)", values)

    def find(self, number: int) -> dict[str, Any] | None:
        """The job with this number."""
        with self.connection() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
        return None if row is None else dict(row)

    def latest(self, most: int = 10) -> list[dict[str, Any]]:
        """Some jobs, the last one first."""
        with self.connection() as db:
            found = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (most,))
            return [dict(row) for row in found]

    def numbers(self, first: int, *, undone: bool = False) -> set[int]:
        """The numbers of all jobs from this one on, or of those only that are not done."""
        with self.connection() as db:
            query = "SELECT id FROM jobs WHERE id >= ?" + " AND result IS NULL" * undone
            return {number for (number,) in db.execute(query, (first,))}
