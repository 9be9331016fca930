import asyncio
import socket

import pytest


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """Have what granian opens once and keeps for good opened before the first test, not in one of them.

    Its runtime keeps one pair of sockets for the signals, which it does not listen to.
    """
    try:
        import granian  # noqa: F401
    except ImportError:
        return
    from orchestra.servers.adapter import Options
    from orchestra.servers.granian_adapter import GranianAdapter

    async def no_application(scope: object, receive: object, send: object) -> None:
        raise NotImplementedError

    async def once() -> None:
        adapter = GranianAdapter(no_application, Options())
        await adapter.start([socket.create_server(("127.0.0.1", 0))])
        await adapter.abort(5)

    asyncio.run(once())
