"""What is particular to gRPC; what it has in common with the others is in the suite of promises."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from server_kit import SOON, Play, refuses, served, taking_less_than, until

from orchestra import Context
from orchestra.servers.shared_port import hold, listen_together, listens
from orchestra.servers.turned_away import ACK, GOAWAY, PING, SETTINGS, TurnedAway, frame

pytestmark = pytest.mark.real_time

# What is opened once and kept while any object of gRPC's lives is opened before the first test.
grpc.aio.init_grpc_aio()

Options = list[tuple[str, Any]]


def builder(
    answer: Any = None, options: Options | None = None, pool: ThreadPoolExecutor | None = None
) -> Callable[[], grpc.aio.Server]:
    """A function that builds a server, which answers to /Test/Ask."""

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    def build() -> grpc.aio.Server:
        server = grpc.aio.server(pool, options=options)
        method = grpc.unary_unary_rpc_method_handler(answer or echo)
        handlers = grpc.method_handlers_generic_handler("Test", {"Ask": method})
        server.add_generic_rpc_handlers((handlers,))
        return server

    return build


@asynccontextmanager
async def channel_to(url: str) -> AsyncIterator[grpc.aio.Channel]:
    # One of its own: those to the same address would share a connection.
    options: Options = [("grpc.use_local_subchannel_pool", 1)]
    target = url.removeprefix("grpc://")
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield channel


async def ask(url: str, what: bytes = b"hello", **kwargs: Any) -> bytes:
    async with channel_to(url) as channel:
        return bytes(await channel.unary_unary("/Test/Ask")(what, timeout=20, **kwargs))


async def fails(app: Any) -> Exception:
    """What comes of playing it, which has to fail."""
    with pytest.raises(Exception) as caught:
        await served(app, server="grpc").play(Context())
    return caught.value


async def test_a_builder_that_shares_no_port() -> None:
    """With grpc.so_reuseport off, as many have it, it serves as well, and comes back at its port."""
    async with Play(builder(options=[("grpc.so_reuseport", 0)])) as play:
        for _ in range(3):
            assert await ask(play.url, wait_for_ready=True) == b"hello"
            await play.conductor.restart("api")
        assert await ask(play.url) == b"hello"
    assert refuses(play.url)


async def test_a_builder_may_take_the_address_and_wait() -> None:
    """It may be async, and is given host and port if it takes something."""
    given: list[str] = []

    async def build(address: str) -> grpc.aio.Server:
        given.append(address)
        await asyncio.sleep(0)
        return builder()()

    async with Play(build) as play:
        assert await ask(play.url) == b"hello"
    assert given == [play.url.removeprefix("grpc://")]


async def test_ports_of_the_builders_own_are_served_as_well() -> None:
    """What it has bound by itself is opened and closed with the rest."""
    ports: list[int] = []

    def build() -> grpc.aio.Server:
        server = builder()()
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        return server

    async with Play(build) as play:
        assert await ask(play.url) == b"hello"
        assert await ask(f"grpc://127.0.0.1:{ports[0]}") == b"hello"
    assert refuses(f"grpc://127.0.0.1:{ports[0]}")


async def test_ports_of_a_server_that_never_started_are_given_back() -> None:
    """A failure between its binding and its start leaves no port behind."""
    ports: list[int] = []

    def build() -> grpc.aio.Server:
        server = builder()()
        ports.append(server.add_insecure_port("127.0.0.1:0"))

        def add_insecure_port(address: str) -> int:
            raise RuntimeError("no more ports")

        server.add_insecure_port = add_insecure_port  # type: ignore[method-assign]
        return server

    assert isinstance(await fails(build), OSError)
    assert refuses(f"grpc://127.0.0.1:{ports[0]}")


async def test_a_server_that_played_before_is_refused() -> None:
    """gRPC would end the process with a fault in its memory; this is an error that says what to do."""
    server = builder()()
    player = served(lambda: server, server="grpc")
    ctx = Context()
    ctx.cancel()
    task = asyncio.create_task(player.play(first := Context()))
    await asyncio.sleep(0.1)
    first.cancel()
    await task
    with pytest.raises(TypeError, match="each run needs a new one"):
        await player.play(Context())


@pytest.mark.leaves_files("a server of gRPC's for threads keeps its queue a while")
async def test_what_is_no_asyncio_server_is_refused() -> None:
    """A server of gRPC's for threads, or anything else, is an error that names it."""
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        error = await fails(lambda: server)
        server.stop(None).wait()
        assert isinstance(error, TypeError)
        assert "grpc.aio.server()" in str(error)
    assert "'server'" in str(await fails(lambda: "server"))


async def test_a_handler_in_a_thread_ends_no_program() -> None:
    """A SystemExit in gRPC's thread pool is an error for the client."""

    def leave(request: bytes, context: Any) -> bytes:
        raise SystemExit(1)

    with ThreadPoolExecutor(1) as pool:
        async with Play(builder(leave, pool=pool)) as play:
            await leaves(play)


async def leaves(play: Play) -> None:
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError, match="SystemExit"):
            await ask(play.url)


async def test_streams_that_exit_end_no_program() -> None:
    """Nor does one in a handler that streams, of either kind; whatever came before arrives."""

    async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"one"
        raise SystemExit(1)

    def stream_in_thread(request: bytes, context: Any) -> Any:
        yield b"one"
        raise SystemExit(1)

    pool = ThreadPoolExecutor(1)

    def build() -> grpc.aio.Server:
        server = grpc.aio.server(pool)
        methods = {
            "Stream": grpc.unary_stream_rpc_method_handler(stream),
            "InThread": grpc.unary_stream_rpc_method_handler(stream_in_thread),
        }
        server.add_registered_method_handlers("Test", methods)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Test", methods),))
        return server

    with pool:
        async with Play(build) as play, channel_to(play.url) as channel:
            await streams(channel)


async def streams(channel: grpc.aio.Channel) -> None:
    for name in ("Stream", "InThread", "Unknown"):
        call = channel.unary_stream(f"/Test/{name}")(b"", timeout=20)
        seen: list[bytes] = []
        with pytest.raises(grpc.aio.AioRpcError):
            async for one in call:
                seen.append(one)
        assert seen == ([] if name == "Unknown" else [b"one"])


async def test_a_stop_waits_for_a_stream_that_ends() -> None:
    """A call that streams is a request in flight."""
    gate, entered = asyncio.Event(), asyncio.Event()

    async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"one"
        entered.set()
        await gate.wait()
        yield b"two"

    def build() -> grpc.aio.Server:
        server = grpc.aio.server()
        method = grpc.unary_stream_rpc_method_handler(stream)
        handlers = grpc.method_handlers_generic_handler("Test", {"Stream": method})
        server.add_generic_rpc_handlers((handlers,))
        return server

    async with Play(build) as play, channel_to(play.url) as channel:
        call = channel.unary_stream("/Test/Stream")(b"", timeout=20)
        assert await call.read() == b"one"
        await entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        gate.set()
        assert await call.read() == b"two"
        assert await call.code() is grpc.StatusCode.OK
        with taking_less_than(SOON):
            await play.task


async def test_a_port_that_another_grpc_server_shares_is_in_use() -> None:
    """gRPC itself would join it without a word, and take half of its requests."""
    other = builder()()
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    try:
        with pytest.raises(OSError, match="in use"):
            await served(builder(), port=port).play(Context())
    finally:
        await other.stop(None)


async def test_every_address_is_ipv4_and_ipv6() -> None:
    """gRPC makes no difference between `0.0.0.0` and `::`, and the status says so."""
    async with Play(builder(), host="0.0.0.0") as play:
        assert play.url.startswith("grpc://[::]:")
        assert await ask(play.url.replace("[::]", "127.0.0.1")) == b"hello"


def test_a_port_is_held_and_not_listened_on() -> None:
    """For several processes on one port, ours only keeps it, and refuses one that is in use."""
    with hold(socket.AF_INET, ("127.0.0.1", 0), False) as held:
        port = held.getsockname()[1]
        assert not listens(held)
        with hold(socket.AF_INET, ("127.0.0.1", port), True) as second:
            assert second.getsockname()[1] == port
    with listen_together(socket.AF_INET, ("127.0.0.1", 0), False) as sock:
        assert listens(sock)
        with pytest.raises(OSError, match="in use"):
            hold(socket.AF_INET, ("127.0.0.1", sock.getsockname()[1]), False)


class Transport:
    """What has been written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


async def test_who_is_turned_away_hears_the_right_words() -> None:
    """No streams from the beginning; settings and pings are answered; then the goodbye."""
    those: set[asyncio.Transport] = set()
    transport: Any = Transport()
    protocol = TurnedAway(those)
    protocol.connection_made(transport)
    assert transport.written.pop() == bytes.fromhex("000006040000000000000300000000")
    assert those == {transport}
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    sent = preface + frame(SETTINGS) + frame(PING, payload=b"12345678") + frame(SETTINGS, ACK)
    for byte in sent:
        protocol.data_received(bytes([byte]))
    assert transport.written == [frame(SETTINGS, ACK), frame(PING, ACK, b"12345678")]
    await until(lambda: len(transport.written) == 3)
    assert transport.written[-1] == frame(GOAWAY, payload=bytes(8))
    protocol.connection_lost(None)
    assert those == set()
    assert not transport.aborted
