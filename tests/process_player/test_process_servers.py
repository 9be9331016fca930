"""Several processes that serve one port, and are replaced one by one."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from process_kit import shown, until
from process_served import app

from orchestra import Conductor, ProcessPlayer, ServerPlayer, replicate

pytestmark = pytest.mark.real_time

METHODS = ["spawn", "forkserver"]


async def get(port: int) -> int:
    """One request on a connection of its own: which process has answered it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        # uvicorn sends what has no length in chunks.
        return int(body.split(b"\r\n")[1])
    finally:
        writer.close()


class Load:
    """Clients that ask one after the other, until they are told to end."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.pids: list[int] = []
        self._port, self._goes_on = port, True
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(clients)]

    async def _ask(self) -> None:
        while self._goes_on:
            self.pids.append(await get(self._port))

    async def end(self) -> None:
        """Wait for the last answers; raises what went wrong with any."""
        self._goes_on = False
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def serving(number: int, **terms: Any) -> Any:
    """A group of so many processes, its performance, and the port that they serve."""
    group = replicate(ProcessPlayer(ServerPlayer(app, port=0), **terms), number)
    async with shown(group) as performance:
        first = performance.status().find("group.it.0").details
        port = int(str(first["addresses"][0]).rpartition(":")[2].strip("/"))
        yield group, performance, port


def pids_of(performance: Any) -> set[int]:
    return {one.details["pid"] for one in performance.status().find("group.it").players}


@pytest.mark.parametrize("start_method", METHODS)
async def test_a_rolling_restart_loses_no_request(start_method: Any, fork_server: None) -> None:
    """Under load each process is replaced, and each request is answered."""
    async with serving(2, start_method=start_method) as (group, performance, port):
        before = pids_of(performance)
        load = Load(port)
        await until(lambda: len(load.pids) > 20)
        await group.rolling_restart()
        after = pids_of(performance)
        count = len(load.pids)
        await until(lambda: len(load.pids) > count + 20)
        await load.end()
        assert not before & after
        assert set(load.pids) <= before | after
        assert set(load.pids[count + 10 :]) <= after


async def test_requests_wait_while_the_only_process_restarts() -> None:
    """The port stays open here, so that who connects in between is served by the next."""
    async with serving(1) as (group, performance, port):
        (before,) = pids_of(performance)
        load = Load(port, clients=2)
        await until(lambda: load.pids)
        await group.restart("0")
        (after,) = pids_of(performance)
        await until(lambda: after in load.pids)
        await load.end()
        assert set(load.pids) == {before, after}
    assert isinstance(group, Conductor)
