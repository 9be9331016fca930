"""Real programs as players, with real clients."""

import asyncio
import math
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import redis.asyncio
from command_kit import Playing, needs_root, running, until

from orchestra import CommandPlayer, Conductor, Context
from orchestra.probes import after, command, http, output, tcp

pytestmark = pytest.mark.real_time

POSTGRES = Path("/usr/lib/postgresql")


def needs(program: str) -> pytest.MarkDecorator:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return pytest.mark.skipif(found is None, reason=f"{program} is not installed")


@pytest.fixture
def port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@needs("redis-server")
async def test_redis(port: int, tmp_path: Path) -> None:
    """It serves when it is ready, comes back when it is killed, and ends gracefully, with its data saved."""
    listens = tcp("127.0.0.1", port)
    player = CommandPlayer(
        ["redis-server", "--port", str(port), "--save", "3600 1"],
        cwd=tmp_path,
        ready=listens,
        alive=listens,
        backoff=[0.05] * 5,
    )
    async with Playing(player) as play:
        client = redis.asyncio.Redis(port=port)
        await client.set("key", "value")
        os.kill(play.pid, 9)
        await until(lambda: play.status.restarts == 1 and play.status.ready)
        await client.set("key", "other")
        await client.aclose()
        assert await play.stop() is None
        assert any("ready to exit" in line for line in play.logger.lines)
    assert (tmp_path / "dump.rdb").exists()


@needs("nginx")
async def test_nginx_in_the_foreground(port: int, tmp_path: Path) -> None:
    """A probe over HTTP; SIGQUIT is its graceful stop; no worker is left."""
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 2; pid {tmp_path}/pid; error_log stderr notice;\n"
        "events {}\n"
        "http {\n"
        f"  access_log /dev/stdout; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};\n"
        f"  fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};\n"
        f"  server {{ listen 127.0.0.1:{port}; location / {{ return 200 'hello'; }} }}\n"
        "}\n"
    )
    url = f"http://127.0.0.1:{port}/"
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    player = CommandPlayer(
        [nginx, "-c", config, "-e", "stderr"], ready=http(url), stop_signal="QUIT"
    )
    async with Playing(player) as play:
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).text == "hello"
        await until(lambda: any("GET / HTTP" in line for line in play.logger.out))
        assert await play.stop() is None
    assert not running(str(config))


@pytest.fixture
def readable_tmp_path() -> Iterator[Path]:
    """A directory that other users may enter."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@needs_root
@pytest.mark.skipif(not POSTGRES.exists(), reason="postgres is not installed")
async def test_postgres(port: int, readable_tmp_path: Path) -> None:
    """Made by one command, served by the next as another user, and shut down fast by SIGINT."""
    bin = max(POSTGRES.iterdir()) / "bin"
    data = readable_tmp_path / "data"
    data.mkdir()
    shutil.chown(data, "postgres")
    initdb = CommandPlayer(
        [bin / "initdb", "-A", "trust", "--no-sync", "-D", data],
        user="postgres",
        cwd="/",
        ready=after(math.inf),
    )
    server = CommandPlayer(
        [bin / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", data, "-F"],
        user="postgres",
        cwd="/",
        ready=command([bin / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]),
        stop_signal="INT",
    )
    ctx = Context()
    conductor = Conductor(
        {"initdb": initdb, "server": server}, after={"server": ["initdb"]}, timeout=30
    )
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: task.done() or conductor.status().players["server"].ready)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    connection = await psycopg.AsyncConnection.connect(url)
    cursor = await connection.execute("select current_user")
    assert await cursor.fetchone() == ("postgres",)
    # A client that is still there does not hold up a fast shutdown.
    ctx.cancel()
    await task
    await connection.close()
    assert not running(str(data))
    assert stat.S_ISDIR(data.stat().st_mode)


@needs("redis-server")
async def test_a_program_that_says_when_it_is_ready(port: int, tmp_path: Path) -> None:
    """A line of its output will do."""
    player = CommandPlayer(
        f"redis-server --port {port} --save ''",
        cwd=tmp_path,
        ready=output("[Rr]eady to accept connections"),
    )
    async with Playing(player):
        client = redis.asyncio.Redis(port=port)
        assert await client.ping()
        await client.aclose()
