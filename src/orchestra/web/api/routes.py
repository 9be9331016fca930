"""The routes of the API: what there is to see, and what can be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..console.control import CommandError, Done
from ..console.program import Program
from ..console.settings import settings_of
from . import asked
from .answers import Refusal, answer
from .asked import body_of, is_over_unix, query_of
from .openapi import DOCUMENT
from .pulse import Pulse
from .stream import MOST, EventStream, Wanted

Handler = Callable[[Any], Awaitable[Response]]

WAITING: Final = {"wait": asked.truth, "timeout": asked.time_limit}
PART: Final = {"path": asked.text, "since": asked.number, "limit": asked.number}
NEWEST: Final = {"limit": 1000}
COMMANDS: Final = ("start", "stop", "restart", "scale")


class Api:
    """The routes under /api, about this program."""

    def __init__(self, program: Program, pulse: Pulse) -> None:
        self._program, self._console, self._pulse = program, program.console, pulse
        self._streams = 0

    def routes(self) -> list[Route]:
        """All of them."""
        get = {
            "/api/openapi.json": self.openapi,
            "/api/program": self.program,
            "/api/players": self.players,
            "/api/players/{path:path}": self.player,
            "/api/lines": self.lines,
            "/api/events": self.events,
            "/api/stack": self.stack,
            "/api/settings": self.settings,
            "/api/stream": self.stream,
        }
        post = {
            "/api/players/{path:path}/start": self.start,
            "/api/players/{path:path}/stop": self.stop,
            "/api/players/{path:path}/restart": self.restart,
            "/api/players/{path:path}/scale": self.scale,
            "/api/stop": self.stop_all,
            "/api/reload": self.reload,
        }
        return _routes("POST", post) + _routes("GET", get)

    # What there is to see

    async def openapi(self, request: Request) -> Response:
        """What this is a description of."""
        query_of(request, {})
        return answer(DOCUMENT)

    async def program(self, request: Request) -> Response:
        """The program itself."""
        query_of(request, {})
        return answer(self._program.about(with_url=is_over_unix(request.scope)))

    async def players(self, request: Request) -> Response:
        """All players."""
        query_of(request, {})
        return answer(self._program.overview())

    async def player(self, request: Request) -> Response:
        """One of them."""
        query_of(request, {})
        path = request.path_params["path"]
        if path.rpartition("/")[2] in COMMANDS and "/" in path:
            raise HTTPException(405, headers={"Allow": "POST"})
        return answer(self._program.player(path))

    async def lines(self, request: Request) -> Response:
        """What was logged."""
        checks = {**PART, "runs": asked.one_of("both", "current", "previous")}
        return answer(self._console.lines(**{**NEWEST, **query_of(request, checks)}))

    async def events(self, request: Request) -> Response:
        """What has happened."""
        return answer(self._console.events(**{**NEWEST, **query_of(request, PART)}))

    async def stack(self, request: Request) -> Response:
        """Where everything is right now."""
        return answer(await self._console.stack(**query_of(request, {"path": asked.text})))

    async def settings(self, request: Request) -> Response:
        """What a player was made with."""
        path = query_of(request, {"path": asked.text}).get("path", "")
        try:
            settings, variables = settings_of(self._program.performance, path)
        except KeyError:
            raise self._console.unknown(path) from None
        return answer({"settings": settings, "variables": variables})

    async def stream(self, request: Request) -> Response:
        """What happens, as it happens."""
        checks = {
            "path": asked.text,
            "resume": asked.text,
            "players": asked.flag,
            "entries": asked.flag,
        }
        wanted = Wanted(**query_of(request, checks))
        wanted.resume = request.headers.get("last-event-id") or wanted.resume
        if wanted.path:
            self._console.player(wanted.path)
        if self._streams >= MOST or self._pulse.closed:
            why = "the program stops" if self._pulse.closed else "there are too many streams"
            raise Refusal("busy", why, retry_after="5")
        self._streams += 1
        return EventStream(self._console, self._pulse, wanted, self._on_stream_end)

    def _on_stream_end(self) -> None:
        self._streams -= 1

    # What can be done

    async def start(self, request: Request) -> Response:
        """Start a player."""
        return await self._do(request, self._console.control.start)

    async def stop(self, request: Request) -> Response:
        """Stop a player."""
        return await self._do(request, self._console.control.stop)

    async def restart(self, request: Request) -> Response:
        """Restart a player."""
        return await self._do(request, self._console.control.restart)

    async def scale(self, request: Request) -> Response:
        """Have so many copies."""
        asked_for = await self._asked(request, {**WAITING, "count": asked.count})
        if "count" not in asked_for:
            raise Refusal("invalid", 'the number of copies is missing, as in {"count": 3}')
        path = request.path_params["path"]
        return self._done(await self._console.control.scale(path, **asked_for))

    async def stop_all(self, request: Request) -> Response:
        """Ask the whole program to stop."""
        await self._asked(request, {})
        return self._done(self._console.control.stop_all())

    async def reload(self, request: Request) -> Response:
        """Read the file again that is played, and apply what has changed."""
        dry_run = (await self._asked(request, {"dry_run": asked.truth})).get("dry_run", False)
        if self._program.reloader is None:
            raise CommandError("refused", "this program plays no file that could be read again")
        return answer(await self._program.reloader(dry_run))

    async def _do(self, request: Request, command: Callable[..., Awaitable[Done]]) -> Response:
        waiting = await self._asked(request, WAITING)
        return self._done(await command(request.path_params["path"], **waiting))

    async def _asked(self, request: Request, checks: dict[str, Any]) -> dict[str, Any]:
        query_of(request, {})
        return await body_of(request, checks)

    def _done(self, done: Done) -> Response:
        return answer({**asdict(done), "player": self._program.row(done.path)})


def _routes(method: str, handlers: Mapping[str, Handler]) -> list[Route]:
    return [Route(path, handler, methods=[method]) for path, handler in handlers.items()]
