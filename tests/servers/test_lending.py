"""Copies of a server that play in other processes, on the sockets of the one they are copies of."""

import asyncio
import contextlib
import pickle
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from server_kit import get, host_and_port, refuses

from orchestra import Conductor, Context, ServerPlayer, playing

pytestmark = pytest.mark.real_time


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def build() -> Any: ...


def sent(copy: ServerPlayer, sockets: list[socket.socket]) -> ServerPlayer:
    """The copy as it comes out in another process, with the sockets that come with it."""
    received: ServerPlayer = pickle.loads(pickle.dumps(copy))
    received.borrow([sock.dup() for sock in sockets])
    return received


def close(player: ServerPlayer) -> None:
    """What the end of the other process does."""
    for sock in player._place.sockets:
        assert isinstance(sock, socket.socket)
        sock.close()


async def test_copies_serve_one_port() -> None:
    """Two copies, pickled and played, serve the port that was opened once, by turns or alone."""
    player = ServerPlayer(app, port=0)
    copies = [sent(*await player.lend()) for _ in range(2)]
    async with playing(Conductor({"one": copies[0], "two": copies[1]})) as performance:
        players = performance.status().players
        urls = {str(players[name].details["addresses"][0]) for name in ("one", "two")}  # type: ignore[index]
        (url,) = urls
        for _ in range(4):
            assert await get(url) == "hello"
    for one in copies:
        close(one)
        player.give_back()
    assert refuses(url)


async def test_clients_wait_between_two_copies() -> None:
    """What is lent stays open until all have given it back, so a client waits for the next copy."""
    player = ServerPlayer(app, port=0)
    first = sent(*await player.lend())
    async with playing(first) as performance:
        (url,) = performance.status().details["addresses"]  # type: ignore[misc]
    close(first)
    request = asyncio.create_task(get(url))
    await asyncio.sleep(0.05)
    assert not request.done()
    second = sent(*await player.lend())
    player.give_back()
    async with playing(second):
        assert await request == "hello"
    close(second)
    assert not refuses(url)
    player.give_back()
    assert refuses(url)


async def test_it_is_opened_once_by_many_at_once() -> None:
    """Those who borrow at the same time get the same sockets, also while a name is looked up."""
    player = ServerPlayer(app, host="localhost", port=0)
    lent = await asyncio.gather(*(player.lend() for _ in range(5)))
    ports = {sock.getsockname()[1] for _, sockets in lent for sock in sockets}
    assert len(ports) == 1
    for _ in lent:
        player.give_back()
    player.give_back()  # one too many does nothing


async def test_a_unix_socket_is_removed_when_all_is_given_back(tmp_path: Path) -> None:
    """The copy leaves the file alone, and it goes with what was lent."""
    path = tmp_path / "server.sock"
    player = ServerPlayer(app, uds=path)
    copy = sent(*await player.lend())
    async with playing(copy):
        assert path.exists()
    close(copy)
    assert path.exists()
    player.give_back()
    assert not path.exists()


async def test_sockets_handed_in_can_be_lent() -> None:
    """What the caller has bound goes to the copy, and stays the caller's."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        player = ServerPlayer(app, sockets=[sock])
        copy = sent(*await player.lend())
        async with playing(copy) as performance:
            (url,) = performance.status().details["addresses"]  # type: ignore[misc]
            assert host_and_port(url) == sock.getsockname()
        close(copy)
        player.give_back()
        assert sock.fileno() != -1


async def test_a_library_that_binds_by_itself_shares_a_port() -> None:
    """Its copies get a port that is held here, and no sockets."""
    player = ServerPlayer(build, port=0, server="grpc")
    copy, sockets = await player.lend()
    assert sockets == []
    assert copy._place.port > 0
    assert copy._place.reuse_port
    copy.borrow(sockets)
    listener = await copy._place.open(only_hold=True)
    listener.close()
    player.give_back()


async def test_a_port_in_use_is_told_where_it_is_opened() -> None:
    """Whoever borrows first gets the error with the address in it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await ServerPlayer(app, port=port).lend()


async def test_what_cannot_go_to_another_process() -> None:
    """A TypeError says what stands in the way, and what to give instead."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(TypeError, match="certfile, keyfile"):
        await ServerPlayer(app, tls=context).lend()
    with pytest.raises(TypeError, match="certfile, keyfile"):
        pickle.dumps(ServerPlayer(app, tls=context))
    with pytest.raises(TypeError, match="server='grpc'"):
        await ServerPlayer(build).lend()
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(TypeError, match="sockets"):
        pickle.dumps(ServerPlayer(app, sockets=[sock]))


async def test_a_player_that_has_played_can_be_pickled() -> None:
    """What belongs to its runs stays here."""
    player = ServerPlayer(app, port=0, backoff=[1])
    task = asyncio.create_task(player.play(ctx := Context()))
    await asyncio.sleep(0.05)
    copy = pickle.loads(pickle.dumps(player))
    ctx.cancel()
    await task
    async with playing(copy) as performance:
        (url,) = performance.status().details["addresses"]  # type: ignore[misc]
        assert await get(url) == "hello"
    with contextlib.suppress(OSError):
        close(copy)
