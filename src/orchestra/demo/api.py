"""The API: takes jobs over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .desk import Desk
from .rows import Rows

LONGEST = 10_000
"""Characters that a job may have."""

ABOUT = """\
A small service, played by Orchestra.

POST /jobs       takes a text as a job:  curl -d 'hello' {url}jobs
GET  /jobs       the latest jobs
GET  /jobs/{{id}}  one job
GET  /           this page: {accepted} accepted, {waiting} of them not written yet

{players}
"""


class Json(JSONResponse):
    """JSON with an end of line, for those who read it in a terminal."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return super().render(content) + b"\n"


class Api:
    """The requests that are answered; `describe` says who plays."""

    def __init__(self, desk: Desk, rows: Rows, describe: Callable[[], object]) -> None:
        self.desk = desk
        self.rows = rows
        self.describe = describe

    def app(self) -> Starlette:
        """All of it as an ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.about),
                Route("/jobs", self.accept, methods=["POST"]),
                Route("/jobs", self.latest),
                Route("/jobs/{id:int}", self.show),
            ]
        )

    async def accept(self, request: Request) -> Response:
        """202 is a promise: this job will be done, or at least written, whatever stops."""
        text = (await request.body()).decode(errors="replace")
        if not 0 < len(text) <= LONGEST:
            return Json({"error": f"a job is a text of 1 to {LONGEST} characters"}, 400)
        job = self.desk.accept(text)
        if job is None:
            busy = {"error": "too many jobs wait, try again"}
            return Json(busy, 503, headers={"Retry-After": "1"})
        return Json({"id": job.id}, 202, headers={"Location": f"/jobs/{job.id}"})

    async def latest(self, request: Request) -> Response:
        """How many wait, and the last ones that are written."""
        rows = await asyncio.to_thread(self.rows.latest)
        return Json({"waiting": self.desk.waiting(), "latest": rows})

    async def show(self, request: Request) -> Response:
        """One job, whether it waits or is written."""
        number = request.path_params["id"]
        job = self.desk.find(number)
        found = await asyncio.to_thread(self.rows.find, number) if job is None else asdict(job)
        if found is None:
            return Json({"error": f"there is no job {number}"}, 404)
        return Json(found)

    async def about(self, request: Request) -> Response:
        """What there is, and how the players are."""
        return PlainTextResponse(
            ABOUT.format(
                url=request.base_url,
                accepted=self.desk.accepted,
                waiting=self.desk.waiting(),
                players=self.describe(),
            )
        )
