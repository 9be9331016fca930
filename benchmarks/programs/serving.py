"""The programs that the cases about servers load: one hello application, by ServerPlayer or bare.

    python -P -m programs.serving orchestra uvicorn 8000

All else is the same on both sides: the library, its parser, the loop, and that no requests are logged.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"
BODY = b"hello"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without a framework, which would only blur the difference."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": f"{message['type']}.complete"})
        return
    await send(START)
    await send({"type": "http.response.body", "body": BODY})


def aiohttp_hello() -> Any:
    """The same for aiohttp."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/", answer)
    return app


def bare_uvicorn(port: int, loop: str = "asyncio") -> None:
    """Uvicorn by itself."""
    import uvicorn

    uvicorn.run(hello, host=HOST, port=port, loop=loop, access_log=False, log_config=None)


def bare_aiohttp(port: int) -> None:
    """Aiohttp by itself."""
    from aiohttp import web

    web.run_app(aiohttp_hello(), host=HOST, port=port, access_log=None, print=None)


def bare_granian(port: int) -> None:
    """Granian by itself, with one worker, which is a process."""
    from granian.constants import Interfaces, Loops
    from granian.server import Server

    Server(
        "programs.serving:hello",
        HOST,
        port,
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        log_enabled=False,
    ).serve()


def bare(library: str, port: int) -> None:
    """Serve by the library alone."""
    if library == "aiohttp":
        bare_aiohttp(port)
    elif library == "granian":
        bare_granian(port)
    else:
        bare_uvicorn(port, loop="uvloop" if library == "uvicorn_fast" else "asyncio")


def orchestra(library: str, port: int) -> None:
    """Serve by the same library under `ServerPlayer`."""
    from orchestra import ServerPlayer, run

    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if library == "uvicorn_fast":
        import uvloop

        loop_factory = uvloop.new_event_loop
    app = aiohttp_hello() if library == "aiohttp" else hello
    server = "granian" if library == "granian" else None
    player = ServerPlayer(app, host=HOST, port=port, access_log=False, server=server)
    run(player, loop_factory=loop_factory)


def main() -> None:
    """Serve until a SIGTERM."""
    how, library, port = sys.argv[1:]
    if library == "uvicorn":
        # What a plain `pip install uvicorn` brings. It takes the C parser wherever there is one.
        sys.modules["httptools"] = None  # type: ignore[assignment]
    {"bare": bare, "orchestra": orchestra}[how](library, int(port))


if __name__ == "__main__":
    main()
