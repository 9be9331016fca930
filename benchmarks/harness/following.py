"""The frame of the cases that follow a tree: players that change, and clients in other processes."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.case import given_size, report
from orchestra import Conductor, Context, StatusPlayer, playing

SECONDS = 4.0
"""For so long it is watched how much CPU the program uses."""

READER = (
    "import socket, sys\n"
    "sock = socket.socket(socket.AF_UNIX)\n"
    "sock.connect(sys.argv[1])\n"
    "sock.sendall(b'GET /api/stream HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n')\n"
    "while sock.recv(1 << 20): pass\n"
)


changes = 0


async def _changing(ctx: Context) -> None:
    global changes
    while await ctx.sleep(0.1):
        changes += 1
        ctx.ready(number=changes)


def follow(streams: int | None) -> None:
    """Report the CPU seconds a change, with so many streams; None: it is not served at all."""
    size = given_size(1000)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(_followed(size, streams, str(Path(folder) / "s.sock"))))


async def _followed(size: int, streams: int | None, path: str) -> float:
    players: dict[str, object] = {str(number): _changing for number in range(size)}
    if streams is not None:
        players["status"] = StatusPlayer(uds=path)
    async with playing(Conductor(players)):  # type: ignore[arg-type]
        argv = [sys.executable, "-S", "-c", READER, path]
        readers = [subprocess.Popen(argv) for _ in range(streams or 0)]
        await asyncio.sleep(1)
        before, used = changes, time.process_time()
        await asyncio.sleep(SECONDS)
        # A machine that is busy with something else makes fewer changes, not cheaper ones.
        cost = (time.process_time() - used) / (changes - before)
    for reader in readers:
        reader.wait()
    return cost
