"""The frame of the farewell cases: from SIGTERM to the end of the process, with idle clients."""

from __future__ import annotations

import time

from harness.case import given_size, report
from harness.serving import idle_client, served


def main(how: str, library: str) -> None:
    """Report the seconds that a server takes to end with so many idle connections."""
    size = given_size(100)
    __import__(library)
    with served(how, library) as program:
        clients = [idle_client(program.port) for _ in range(size)]
        start = time.perf_counter()
        program.process.terminate()
        program.process.wait()
        seconds = time.perf_counter() - start
        for client in clients:
            if client.recv(1):
                raise AssertionError("a client got more than its answer")
            client.close()
    report(seconds)
