"""A public server, and one for operators that outlives it, in one program.

    pip install 'orchestra-players[uvicorn]' starlette
    PORT=8080 ADMIN_PORT=9000 python examples/two_servers.py
    curl http://127.0.0.1:8080/ http://127.0.0.1:9000/requests

On SIGTERM the public server stops, its requests in flight finish, and only then the other one stops:
until the end somebody can look at what is going on.
"""

import logging
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from orchestra import Conductor, ServerPlayer, run

served = 0


async def hello(request: Request) -> PlainTextResponse:
    """What the public gets."""
    global served
    served += 1
    return PlainTextResponse("hello\n")


async def requests(request: Request) -> JSONResponse:
    """What operators get."""
    return JSONResponse({"served": served})


public = Starlette(routes=[Route("/", hello)])
admin = Starlette(routes=[Route("/requests", requests)])


def main() -> None:
    """Play both; what comes after another starts when that is ready, and stops before it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    conductor = Conductor(
        {
            "admin": ServerPlayer(admin, port=int(os.environ.get("ADMIN_PORT", "9000"))),
            "public": ServerPlayer(public, port=int(os.environ.get("PORT", "8080"))),
        },
        after={"public": ["admin"]},
    )
    run(conductor)


if __name__ == "__main__":
    main()
