"""An aiohttp application, and a worker that does what its requests have asked for, in one program.

    pip install 'orchestra-players[aiohttp]'
    PORT=8080 python examples/aiohttp_app.py
    curl -X POST -d 'hello' http://127.0.0.1:8080/letters

On SIGTERM the server stops first, then the worker finishes what is left in the queue.
"""

import asyncio
import functools
import logging
import os
from collections.abc import AsyncIterator

from aiohttp import web

from orchestra import Conductor, Context, ServerPlayer, run


def make_app(queue: asyncio.Queue[str]) -> web.Application:
    """The application: its requests put something into the queue."""

    async def post_letter(request: web.Request) -> web.Response:
        await queue.put(await request.text())
        return web.json_response({"waiting": queue.qsize()}, status=202)

    app = web.Application()
    app.router.add_post("/letters", post_letter)
    return app


async def letters(queue: asyncio.Queue[str]) -> AsyncIterator[str]:
    """Each letter as it comes."""
    while True:
        yield await queue.get()


async def mail(queue: asyncio.Queue[str], ctx: Context) -> None:
    """Deliver letters until told to stop, and then those that are left."""
    async for letter in ctx.until_done(letters(queue)):
        print(f"delivered: {letter}", flush=True)
    while not queue.empty():
        print(f"delivered: {queue.get_nowait()}", flush=True)


def main() -> None:
    """Play both; the server needs the worker, so it starts after it and stops before it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    queue: asyncio.Queue[str] = asyncio.Queue()
    api = ServerPlayer(make_app(queue), port=int(os.environ.get("PORT", "8080")))
    worker = functools.partial(mail, queue)
    run(Conductor({"worker": worker, "api": api}, after={"api": ["worker"]}))


if __name__ == "__main__":
    main()
