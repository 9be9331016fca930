"""Every server that speaks HTTP/1.1, and the clients that people use."""

import asyncio
import shutil

import aiohttp
import httpx
import pytest
from script import Script
from server_kit import Play
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
