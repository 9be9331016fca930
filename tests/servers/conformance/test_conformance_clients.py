"""Every server that speaks HTTP/1.1, and the clients that people use."""

import asyncio
import shutil

import aiohttp
import httpx
import pytest
from script import Script
from server_kit import Play, connected, refuses, until
from subject import Subject

pytestmark = pytest.mark.real_time


@pytest.mark.keeps("clients")
async def test_a_connection_is_kept(subject: Subject) -> None:
    """Requests of one client come over one connection, and each gets its own answer."""
    async with Play(subject.app(Script()), **subject.kwargs) as playing:
        assert await by_httpx(playing.url) == ["hello", "again"]
        assert await by_aiohttp(playing.url) == ["hello", "again"]
        if shutil.which("curl"):
            assert await by_curl(playing.url) == "hello 1\nagain 0\n"


GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.keeps("clients")
async def test_who_asks_during_a_stop_is_told_to_use_another_connection(subject: Subject) -> None:
    """Or it would ask once more over a connection that is closed by then."""
    async with Play(subject.app(Script()), **subject.kwargs) as playing:
        async with connected(playing.url) as (reader, writer):
            await asyncio.sleep(0.1)  # to be accepted
            playing.ctx.cancel()
            await asyncio.sleep(0.05)
            writer.write(GET)
            answer = await reader.read()
    assert b" 200 " in answer
    assert answer.lower().count(b"\r\nconnection: close") == 1


@pytest.mark.keeps("clients")
async def test_a_request_that_is_on_its_way_when_a_stop_begins_is_answered(
    subject: Subject,
) -> None:
    """An idle connection is closed in a moment, and not in the face of a client that keeps asking."""
    for _ in range(5):  # in case the moment is over before this test has its turn
        if await asks_once_more(subject):
            return
    pytest.fail("each time the connection was closed")


async def asks_once_more(subject: Subject) -> bool:
    async with Play(subject.app(Script()), **subject.kwargs) as playing:
        async with connected(playing.url) as (reader, writer):
            writer.write(GET)
            assert b" 200 " in await reader.readuntil(b"hello")
            playing.ctx.cancel()
            await until(lambda: refuses(playing.url) or playing.task.done())
            writer.write(GET)
            try:
                answer = await reader.read()
            except ConnectionError:
                return False
    return answer.lower().count(b"\r\nconnection: close") == 1


async def by_httpx(url: str) -> list[str]:
    async with httpx.AsyncClient(verify=False, timeout=30) as client:
        return [(await client.get(f"{url}/{what}")).text for what in ("hello", "again")]


async def by_aiohttp(url: str) -> list[str]:
    one = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=one) as client:
        answers = []
        for what in ("hello", "again"):
            async with client.get(f"{url}/{what}") as response:
                assert response.status == 200
                answers.append(await response.text())
        return answers


async def by_curl(url: str) -> str:
    """What it got, and how many connections each request took."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--max-time", "30", "--write-out", " %{num_connects}\\n"),
        *(f"{url}/hello", f"{url}/again"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return output.decode()
