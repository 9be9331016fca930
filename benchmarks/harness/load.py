"""Load for a server, from another process: `wrk` where it is installed, a client of our own elsewhere.

    python -P -m harness.load 127.0.0.1 8000 0.5

prints how many requests a second our own got answered.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time
from typing import Any

CONNECTIONS = 32
REQUEST = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"


def requests_a_second(host: str, port: int, seconds: float) -> float:
    """Ask over so many connections that are kept, for that long; fails if not all was answered."""
    if shutil.which("wrk"):
        return _by_wrk(f"http://{host}:{port}/", seconds)
    command = [sys.executable, "-P", "-m", "harness.load", host, str(port), str(seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _by_wrk(url: str, seconds: float) -> float:
    # It knows whole seconds only, and goes on for as many requests as it has sent.
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(f"not all was answered: {said}")
    return float(found[1])


class _Client(asyncio.Protocol):
    """One connection, that asks again when it has its answer."""

    def __init__(self) -> None:
        self.answers = 0
        self._got = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"hello"):
            if not self._got.startswith(b"HTTP/1.1 200 "):
                raise AssertionError(f"not answered: {self._got!r}")
            self.answers += 1
            self._got = b""
            self._transport.write(REQUEST)


async def _by_ourselves(host: str, port: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(_Client, host, port) for _ in range(CONNECTIONS)]
    start, before = time.perf_counter(), sum(client.answers for _, client in pairs)
    await asyncio.sleep(seconds)
    answers = sum(client.answers for _, client in pairs) - before
    took = time.perf_counter() - start
    for transport, _ in pairs:
        transport.abort()
    return answers / took


if __name__ == "__main__":
    print(asyncio.run(_by_ourselves(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
