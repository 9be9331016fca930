"""What every server keeps from one run to the next."""

import asyncio
from typing import Any, Self

import pytest
from script import Script
from server_kit import Play, refuses, until
from subject import Subject

from orchestra import Conductor, Context

pytestmark = pytest.mark.real_time


class Restarted(Play):
    """A server that comes back whenever its sibling `fails`."""

    def __init__(self, subject: Subject, script: Script, backoff: Any) -> None:
        super().__init__(subject.app(script), **subject.kwargs)
        self.broken = asyncio.Event()
        group = Conductor({"api": self.player, "sibling": self.sibling}, backoff=backoff)
        self.outer = Conductor({"group": group})
        self.conductor = group

    async def sibling(self, ctx: Context) -> None:
        async with ctx.interrupt():
            await self.broken.wait()
            self.broken.clear()
            raise ConnectionError("broken")

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.outer.play(self.ctx))
        await until(lambda: self.task.done() or self.conductor.status().players["api"].ready)
        details: Any = self.conductor.status().players["api"].details
        self.url = str(details["addresses"][0])
        return self


async def ask_once(subject: Subject, address: str) -> str:
    async with subject.talk(address) as ask:
        return await ask("hello")


@pytest.mark.keeps("restart")
async def test_clients_that_connect_between_two_runs_are_served(subject: Subject) -> None:
    """During a backoff a client can connect and ask, and gets its answer from the next run."""
    async with Restarted(subject, Script(), backoff=[0.5]) as playing:
        url = playing.url
        assert await ask_once(subject, url) == "hello"
        playing.broken.set()
        await until(lambda: playing.outer.status().players["group"].state == "backing off")
        assert await ask_once(subject, url) == "hello"
        await until(lambda: playing.conductor.status().players["api"].ready)
        details: Any = playing.conductor.status().players["api"].details
        assert details["addresses"][0] == url
    assert refuses(url)


@pytest.mark.keeps("load")
async def test_restarts_under_load_lose_no_request(subject: Subject) -> None:
    """Clients that ask all the time are all answered, whatever number of restarts they live through."""
    answers: list[str] = []
    over = asyncio.Event()

    async def ask(url: str) -> None:
        while not over.is_set():
            answers.append(await ask_once(subject, url))

    async with Play(subject.app(Script()), **subject.kwargs) as playing:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(ask(playing.url))
            for _ in range(subject.restarts):
                before = len(answers)
                await playing.conductor.restart("api")
                await until(lambda before=before: len(answers) > before)
            over.set()
    assert set(answers) == {"hello"}
