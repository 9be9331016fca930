"""Aiohttp, with an application of its own kind."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from script import Script
from subject import closing_asyncio_servers
from subject_http import HttpSubject


class Aiohttp(HttpSubject):
    name = "aiohttp"
    access_logger = "aiohttp.access"

    def app(self, script: Script) -> Any:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=await script.answer(request.match_info["what"]))

        async def stream(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            async for event in script.events():
                await response.write(event.encode())
            return response

        async def echo(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data)
            script.gone.set()
            return socket

        async def live(app: web.Application) -> AsyncIterator[None]:
            await script.start()
            yield
            script.end()

        app = web.Application()
        app.cleanup_ctx.append(live)
        app.router.add_get("/", echo)
        app.router.add_get("/events", stream)
        app.router.add_get("/{what}", answer)
        return app

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        return closing_asyncio_servers(monkeypatch)
