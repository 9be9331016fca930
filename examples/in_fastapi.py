"""A conductor inside of a FastAPI application, whose process belongs to uvicorn.

    pip install orchestra-players fastapi uvicorn
    uvicorn --app-dir examples in_fastapi:app

    curl -X POST localhost:8000/jobs/letter
    curl localhost:8000/                       # what the worker has done
    curl localhost:8000/readyz                 # whether all that plays is ready
    curl -X POST 'localhost:8000/jobs/poison?times=3'    # fails for good: the server stops

On SIGTERM uvicorn finishes the requests, and then the worker is stopped.
"""

import asyncio

from fastapi import FastAPI, Request, Response

from orchestra import Conductor, ConstantBackoff, Context, Performance, lifespan, restarting

jobs: asyncio.Queue[str] = asyncio.Queue()
done: list[str] = []


async def worker(ctx: Context) -> None:
    """Works through the jobs; one that has begun is finished."""
    async with ctx.interrupt():
        while True:
            job = await jobs.get()
            if job == "poison":
                raise ValueError("this job can't be done")
            done.append(job)


conductor = Conductor(
    {"worker": restarting(worker, ConstantBackoff(0.1, max_restarts=2))}, timeout=5
)
app = FastAPI(lifespan=lifespan(conductor))


@app.get("/")
async def what_is_done() -> list[str]:
    """All that the worker has done."""
    return done


@app.post("/jobs/{job}", status_code=202)
async def add(job: str, times: int = 1) -> None:
    """Give it a job, or the same several times."""
    for _ in range(times):
        await jobs.put(job)


@app.get("/readyz")
async def readyz(request: Request) -> Response:
    """For whoever sends requests here."""
    performance: Performance = request.app.state.performance
    return Response(status_code=200 if performance.status().ready else 503)
