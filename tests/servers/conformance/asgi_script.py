"""An ASGI application without a framework, that goes by a script."""

from __future__ import annotations

import asyncio
from typing import Any

from script import Script


def asgi_app(script: Script) -> Any:
    """An ASGI application without a framework."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(script, receive, send)
        elif scope["type"] == "websocket":
            await _echo(script, receive, send)
        elif scope["path"] == "/events":
            await _stream(script, send)
        else:
            text = await script.answer(scope["path"].strip("/"))
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": text.encode()})

    return app


async def _live(script: Script, receive: Any, send: Any) -> None:
    await receive()
    await script.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    script.end()
    await send({"type": "lifespan.shutdown.complete"})


async def _echo(script: Script, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    script.close_code = message["code"]
    script.gone.set()


async def _stream(script: Script, send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for event in script.events():
        message = {"type": "http.response.body", "body": event.encode(), "more_body": True}
        await send(message)
        await asyncio.sleep(0)
