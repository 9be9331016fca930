"""What the tests of servers share: an application that does what it is told, and ways to talk to it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Self

import httpx
import pytest

from orchestra import Conductor, ConductorError, Context, Performance, StopTimeoutError, playing
from orchestra.servers import ServerPlayer


class App:
    """An ASGI application whose start, requests and end the test decides."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered = asyncio.Event()  # a request that waits is in its handler
        self.gate = asyncio.Event()  # lets those go on that wait
        self.on_start: Callable[[], Any] | None = None
        self.on_end: Callable[[], Any] | None = None
        self.broken = asyncio.Event()  # makes the application fail while it serves
        self.error: Exception = ConnectionError("broken")
        self.cancelled = 0
        self.served = 0
        self.close_code: int | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.talk(receive, send)
        else:
            handler = getattr(self, scope["path"].strip("/") or "hello")
            await handler(scope, receive, send)

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.log.append("starting")
        if self.on_start is not None:
            await self.on_start()
        scope["state"]["greeting"] = "hello"
        await send({"type": "lifespan.startup.complete"})
        self.log.append("started")
        await self.rest(receive)
        self.log.append("ending")
        if self.on_end is not None:
            await self.on_end()
        await send({"type": "lifespan.shutdown.complete"})
        self.log.append("ended")

    async def rest(self, receive: Any) -> None:
        breaking = asyncio.create_task(self.broken.wait())
        ending = asyncio.create_task(receive())
        try:
            await asyncio.wait({breaking, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            breaking.cancel()
            ending.cancel()
        if self.broken.is_set():
            self.broken.clear()
            raise self.error

    @property
    def starts(self) -> int:
        """How often it has been started."""
        return self.log.count("starting")

    async def hello(self, scope: Any, receive: Any, send: Any) -> None:
        await self.answer(send, scope["state"]["greeting"])

    async def slow(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await self.answer(send, "slow")

    async def stubborn(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        while not self.gate.is_set():
            with suppress(asyncio.CancelledError):
                await self.gate.wait()

    async def body(self, scope: Any, receive: Any, send: Any) -> None:
        length, more = 0, True
        self.entered.set()
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.log.append("disconnected")
                return
            length += len(message["body"])
            more = message["more_body"]
        await self.answer(send, str(length))

    async def large(self, scope: Any, receive: Any, send: Any) -> None:
        await self.answer(send, "x" * 20_000_000)
        self.entered.set()

    async def fail(self, scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("the handler failed")

    async def answer(self, send: Any, text: str) -> None:
        self.served += 1
        length = str(len(text)).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    async def talk(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.close_code = message["code"]
                return
            await send({"type": "websocket.send", "text": message["text"]})


def served(app: Any, **kwargs: Any) -> ServerPlayer:
    """A server player on a port that is free."""
    if not kwargs.keys() & {"port", "uds", "sockets"}:
        kwargs["port"] = 0
    return ServerPlayer(app, **kwargs)


@asynccontextmanager
async def serving(app: Any, **kwargs: Any) -> AsyncIterator[str]:
    """Play an application while the body runs, which gets its address."""
    async with playing(served(app, **kwargs)) as performance:
        yield address(performance)


def address(performance: Performance, path: str = "") -> str:
    """Where the one server of a performance serves, or the one at a path."""
    status = performance.status()
    for name in path.split(".") if path else ():
        status = status.players[name]
    (url,) = status.details["addresses"]
    return str(url)


async def get(url: str, path: str = "/", **kwargs: Any) -> str:
    """A request of its own connection; the text of the answer."""
    # To load the certificates of the world takes longer than all the rest.
    async with httpx.AsyncClient(timeout=20, **{"verify": False, **kwargs}) as client:
        response = await client.get(url + path)
        response.raise_for_status()
        return response.text


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection."""
    host, port = host_and_port(url)
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def host_and_port(url: str) -> tuple[str, int]:
    host, _, port = url.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until something holds, and give what it was."""
    async with asyncio.timeout(20):
        while not (found := condition()):
            await asyncio.sleep(0.001)
        return found


def where(url: str) -> tuple[str, int] | str:
    """A host and a port, or the path of a Unix socket."""
    return url.removeprefix("unix:") if url.startswith("unix:") else host_and_port(url)


def refuses(url: str) -> bool:
    """Whether nobody listens there."""
    place = where(url)
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    if ":" in place[0]:
        family = socket.AF_INET6
    with socket.socket(family) as sock:
        sock.settimeout(5)
        return sock.connect_ex(place) != 0


@contextmanager
def taking_less_than(seconds: float) -> Iterator[None]:
    """Much less than a bound that would be hit if something hung."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


@contextmanager
def bound_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


SOON = 6
"""Far above what a stop takes that waits for nobody, and far below the time that it has."""


class Play:
    """A server that plays in a conductor, which the test asks to stop."""

    def __init__(self, app: Any, timeout: float = 20, **kwargs: Any) -> None:
        self.player = served(app, **kwargs)
        self.conductor = Conductor({"api": self.player}, timeout=timeout)
        self.ctx = Context()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.conductor.play(self.ctx))
        await until(lambda: self.task.done() or self.conductor.status().players["api"].ready)
        self.url = str(self.conductor.status().players["api"].details["addresses"][0])  # type: ignore[index]
        return self

    async def __aexit__(self, *args: object) -> None:
        self.ctx.cancel()
        await asyncio.wait([self.task])
        if args[0] is None:
            await self.task

    async def stop(self) -> None:
        self.ctx.cancel()
        await self.task

    async def fails_to_stop(self) -> StopTimeoutError:
        self.ctx.cancel()
        with pytest.raises(ConductorError) as caught:
            await self.task
        self.task = asyncio.create_task(asyncio.sleep(0))
        (error,) = caught.value.exceptions
        assert isinstance(error, StopTimeoutError)
        assert error.left == ("api",)
        return error
