"""The desk: where accepted jobs lie until they are written."""

from __future__ import annotations

import asyncio
import itertools
import queue
from dataclasses import dataclass

MOST_WAITING = 50
"""Jobs that may wait for the worker: so many it can do while it stops."""


@dataclass
class Job:
    """A text, and what became of it; None while it is not done."""

    id: int
    text: str
    result: str | None = None


class Desk:
    """Takes jobs in for the worker, and what it has done out to the store.

    What is accepted is kept until it is written. More than can be done in time is not accepted.
    """

    def __init__(self, first: int = 1) -> None:
        self.first = first
        self.accepted = 0
        self.inbox: asyncio.Queue[Job] = asyncio.Queue(MOST_WAITING)
        self.outbox: queue.SimpleQueue[Job] = queue.SimpleQueue()  # read by another thread
        self._numbers = itertools.count(first)
        self._open: dict[int, Job] = {}

    def accept(self, text: str) -> Job | None:
        """A new job; None when too many wait."""
        if self.inbox.full():
            return None
        job = Job(next(self._numbers), text)
        self._open[job.id] = job
        self.inbox.put_nowait(job)
        self.accepted += 1
        return job

    def find(self, number: int) -> Job | None:
        """The job with this number, if it is not written yet."""
        return self._open.get(number)

    def waiting(self) -> int:
        """How many are accepted and not written yet."""
        return len(self._open)

    def done(self) -> list[Job]:
        """All that can be written now, taken out; in the store's thread."""
        jobs = []
        while not self.outbox.empty():
            jobs.append(self.outbox.get())
        return jobs

    def written(self, jobs: list[Job]) -> None:
        """These are safe."""
        for job in jobs:
            del self._open[job.id]

    def numbers(self) -> range:
        """The numbers of all jobs that have been accepted."""
        return range(self.first, self.first + self.accepted)
