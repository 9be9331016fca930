"""What is particular to client-connected callbacks, on asyncio's own server."""

import asyncio
import logging
import ssl
from typing import Any

import pytest
import trustme
from server_kit import (
    SOON,
    Play,
    connected,
    host_and_port,
    refuses,
    serving,
    taking_less_than,
    until,
)

pytestmark = pytest.mark.real_time

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Echo:
    """A handler that gives lines back, and notes what becomes of it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while line := await reader.readline():
            if line == b"slow\n":
                self.entered.set()
                await self.gate.wait()
            if line == b"fail\n":
                raise RuntimeError("the handler failed")
            self.log.append(line.decode().strip())
            writer.write(line)
            await writer.drain()
        writer.write(b"bye\n")
        writer.close()
        await writer.wait_closed()
        self.log.append("over")


async def test_handlers_that_wait_hear_the_end_of_the_stream() -> None:
    """On a stop a handler that waits for an idle client ends as if that had gone, with its goodbye."""
    echo = Echo()
    async with Play(echo) as play, connected(play.url) as (reader, writer):
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        with taking_less_than(SOON):
            await play.stop()
        assert await reader.read() == b"bye\n"
    assert echo.log == ["hello", "over"]


async def test_a_handler_at_work_finishes_what_it_has_received() -> None:
    """What was received before the stop is still read, and then comes the end."""
    echo = Echo()
    async with Play(echo) as play, connected(play.url) as (reader, writer):
        writer.write(b"slow\none\ntwo\n")
        await echo.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        assert not play.task.done()
        await asyncio.sleep(0.6)
        echo.gate.set()
        assert await reader.read() == b"slow\none\ntwo\nbye\n"


async def test_a_client_that_keeps_sending_is_listened_to() -> None:
    """The end is not said while a client sends, so that an upload is not cut short."""
    received = bytearray()

    async def upload(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(100):
            received.extend(data)
        writer.close()

    patient = Play(upload, timeout=60, shutdown_timeout=50)
    async with patient as play, connected(play.url) as (_, writer):
        writer.write(b"x")
        await until(lambda: received)
        play.ctx.cancel()
        for _ in range(10):
            await asyncio.sleep(0.12)  # less than the silence that is suffered, more in the sum
            writer.write(b"x")
        writer.write_eof()
        await play.task
    assert len(received) == 11


async def test_a_client_that_never_pauses_does_not_hold_the_stop() -> None:
    """After half of the time its handler hears the end of the stream all the same."""
    echo, stopped = Echo(), asyncio.Event()

    async def chatter(writer: Writer) -> None:
        while not stopped.is_set():
            writer.write(b"again\n")
            await asyncio.sleep(0.01)

    async with Play(echo, shutdown_timeout=2) as play, connected(play.url) as (reader, writer):
        chattering = asyncio.create_task(chatter(writer))
        await reader.readline()
        with taking_less_than(SOON):
            await play.stop()
        stopped.set()
        await chattering
    assert echo.log[-1] == "over"


async def test_half_a_message_is_no_fault_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that ends because the stop has cut a message short is not logged as a failure."""

    async def exactly(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(10)

    async with Play(exactly) as play, connected(play.url) as (reader, writer):
        writer.write(b"half")
        await asyncio.sleep(0.05)
        with taking_less_than(SOON):
            await play.stop()
        assert await reader.read() == b""
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_a_handler_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Its connection is closed, the log of orchestra has the traceback, and the server goes on."""
    async with serving(Echo()) as url:
        async with connected(url) as (reader, writer):
            writer.write(b"fail\n")
            assert await reader.read() == b""
        async with connected(url) as (reader, writer):
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.name == "orchestra"
    assert record.exc_info is not None
    assert "the handler failed" in str(record.exc_info[1])


async def test_work_after_the_connection_is_waited_for() -> None:
    """What a handler does when it has closed its connection is done when the stop is over."""
    entered, gate, done = asyncio.Event(), asyncio.Event(), []

    async def handler(reader: Reader, writer: Writer) -> None:
        writer.close()
        entered.set()
        await gate.wait()
        done.append(True)

    async with Play(handler) as play, connected(play.url):
        await entered.wait()
        asyncio.get_running_loop().call_later(0.2, gate.set)
        await play.stop()
    assert done


async def test_a_plain_callback() -> None:
    """It may leave its connection to others; on a stop they hear the end, then it is closed."""
    tasks, heard = [], []

    def callback(reader: Reader, writer: Writer) -> None:
        async def listen() -> None:
            heard.append(await reader.read())

        writer.write(b"welcome")
        tasks.append((asyncio.create_task(listen()), writer))

    async with Play(callback) as play, connected(play.url) as (reader, writer):
        assert await reader.readexactly(7) == b"welcome"
        writer.write(b"thanks")
        await asyncio.sleep(0.05)
        with taking_less_than(SOON):
            await play.stop()
        assert await reader.read() == b""
    assert heard == [b"thanks"]
    await asyncio.gather(*(task for task, _ in tasks))


async def test_a_plain_callback_may_give_something_to_await() -> None:
    """Whatever it gives that can be awaited is its handler."""
    echo = Echo()

    def callback(reader: Reader, writer: Writer) -> Any:
        return asyncio.ensure_future(echo(reader, writer))

    async with Play(callback) as play, connected(play.url) as (reader, writer):
        writer.write(b"slow\n")
        await echo.entered.wait()
        play.ctx.cancel()
        await until(lambda: refuses(play.url))
        echo.gate.set()
        assert await reader.read() == b"slow\nbye\n"


async def test_an_answer_that_its_client_does_not_take_is_cut_off() -> None:
    """It is not called served."""
    entered = asyncio.Event()

    async def handler(reader: Reader, writer: Writer) -> None:
        writer.write(b"x" * 50_000_000)
        writer.close()
        entered.set()

    async with Play(handler, shutdown_timeout=0.3) as play, connected(play.url):
        await entered.wait()
        error = await play.fails_to_stop()
    assert error.stuck["api"].startswith("1 request was cut off")


def test_on_uvloop() -> None:
    """It serves and stops the same way on uvloop; a late TLS handshake is served nothing."""
    uvloop = pytest.importorskip("uvloop")
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)

    async def main() -> None:
        echo = Echo()
        async with Play(echo, tls=server) as play:
            host, port = host_and_port(play.url)
            reader, writer = await asyncio.open_connection(host, port, ssl=client)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            silent = await asyncio.open_connection(host, port)
            await asyncio.sleep(0.05)
            with taking_less_than(SOON):
                await play.stop()
            assert await reader.read() == b"bye\n"
        writer.close()
        silent[1].close()
        assert echo.log == ["hello", "over"]
        async with Play(Echo(), shutdown_timeout=0.1) as play, connected(play.url) as (_, writer):
            writer.write(b"slow\n")
            await asyncio.sleep(0.05)
            error = await play.fails_to_stop()
            assert error.stuck["api"].startswith("1 request was cut off")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
