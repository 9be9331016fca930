"""What a server does not touch, and how it gets on with others."""

import asyncio
import logging
import signal
import sys
from typing import Any

import pytest
from server_kit import (
    App,
    address,
    get,
    host_and_port,
    refuses,
    served,
    serving,
)

from orchestra import Conductor, playing

pytestmark = pytest.mark.real_time


async def test_signals_and_logging_are_left_alone() -> None:
    """While it plays, signal handlers, log handlers and log levels are what they were."""

    def state() -> list[Any]:
        loggers = [logging.getLogger(f"uvicorn{name}") for name in ("", ".error", ".access")]
        return [
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
            logging.getLogger().handlers[:],
            asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None,
        ]

    before = state()
    async with serving(App()) as url:
        await get(url)
        assert state() == before
    assert state() == before


async def test_the_access_log_goes_through_the_standard_loggers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each request is a record of the logger uvicorn.access."""
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        async with serving(App()) as url:
            await get(url, "/")
    (record,) = [one for one in caplog.records if one.name == "uvicorn.access"]
    assert '"GET / HTTP/1.1" 200' in record.getMessage()


async def test_two_servers_in_one_conductor() -> None:
    """A public server and one for the operators play side by side, and stop together."""
    servers = {"public": served(App()), "admin": served(App())}
    async with playing(Conductor(servers, after={"public": ["admin"]})) as performance:
        for name in servers:
            assert await get(address(performance, name)) == "hello"
        urls = [address(performance, name) for name in servers]
    assert all(refuses(url) for url in urls)
    assert host_and_port(urls[0]) != host_and_port(urls[1])
