"""All that is served, as one ASGI application: the API, the page, and what probes ask."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..api.answers import Refusal, error_answer, failure
from ..api.pulse import Pulse
from ..api.routes import Api
from ..console.control import CommandError
from ..console.program import Program
from .door import Door, Rules
from .pages import Pages
from .probed import Probed


def site_of(program: Program, pulse: Pulse, probed: Probed, rules: Rules) -> Door:
    """The application of a program, behind its door."""
    pages = Pages()
    routes = [
        Route("/", pages.index, methods=["GET"]),
        Route("/static/{name:path}", pages.file, methods=["GET"]),
        Route("/livez", probed.livez, methods=["GET"]),
        Route("/readyz", probed.readyz, methods=["GET"]),
        Route("/startupz", probed.startupz, methods=["GET"]),
        Route("/metrics", probed.metrics, methods=["GET"]),
        *Api(program, pulse).routes(),
    ]
    handlers: dict[Any, Any] = {
        Refusal: _on_error,
        CommandError: _on_error,
        HTTPException: _on_http_error,
        Exception: _on_fault,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Door(app, rules)


async def _on_error(request: Request, error: Any) -> Response:
    return error_answer(error)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return failure(404, "unknown", f"there is nothing at {request.url.path!r}", headers)
    allowed = headers.get("Allow", "")
    message = f"{request.method} can't be done here, only {allowed}"
    return failure(error.status_code, "invalid", message, headers)


async def _on_fault(request: Request, error: Exception) -> Response:
    # It is raised again after this, and logged by the server.
    return failure(500, "failed", "this went wrong inside of the program: see its log")
