"""FastAPI with background workers in one program.

    pip install 'orchestra-players[uvicorn]' fastapi
    python examples/fastapi_workers.py

    curl -d '{"to": "ada", "text": "hello"}' -H 'content-type: application/json' localhost:8000/letters

The workers start before the API and stop after it, so what a request has put into the queue before the
stop is still delivered.
"""

import asyncio
import logging
import os

from fastapi import FastAPI
from pydantic import BaseModel

from orchestra import Conductor, Context, ServerPlayer, run


class Letter(BaseModel):
    to: str
    text: str


letters: asyncio.Queue[Letter] = asyncio.Queue()
delivered: list[Letter] = []
app = FastAPI()


@app.post("/letters", status_code=202)
async def write(letter: Letter) -> None:
    await letters.put(letter)


async def postman(ctx: Context) -> None:
    async with ctx.interrupt():
        while True:
            delivered.append(await letters.get())
    while not letters.empty():
        delivered.append(letters.get_nowait())


conductor = Conductor(
    {
        "postman-1": postman,
        "postman-2": postman,
        "api": ServerPlayer(app, port=int(os.environ.get("PORT", "8000"))),
    },
    after={"api": ["postman-1", "postman-2"]},
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run(conductor)
    print(f"{len(delivered)} letters delivered, {letters.qsize()} lost")
