"""Servers with certificates."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from server_kit import (
    SOON,
    App,
    address,
    get,
    host_and_port,
    refuses,
    served,
    serving,
    taking_less_than,
)

from orchestra import Conductor, Context, OrchestraError, playing

pytestmark = pytest.mark.real_time

authority = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    return write(tmp_path, authority)


def write(folder: Path, by: trustme.CA) -> tuple[str, str]:
    issued = by.issue_cert("127.0.0.1")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return str(certificate), str(key)


def client_context(by: trustme.CA = authority) -> ssl.SSLContext:
    context = ssl.create_default_context()
    by.configure_trust(context)
    return context


async def get_securely(url: str, path: str = "/", by: trustme.CA = authority) -> str:
    return await get(url, path, verify=client_context(by))


async def test_files_of_a_certificate_and_its_key(files: tuple[str, str]) -> None:
    """With (certfile, keyfile) it serves https, and its address says so."""
    async with serving(App(), tls=files) as url:
        assert url.startswith("https://127.0.0.1:")
        assert await get_securely(url) == "hello"


async def test_a_context_of_ones_own(files: tuple[str, str]) -> None:
    """With an SSLContext, that is what it serves with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    async with serving(App(), tls=context) as url:
        assert await get_securely(url) == "hello"


@pytest.mark.parametrize("fault", ["missing", "no certificate", "another's key", "encrypted key"])
async def test_a_bad_certificate_is_an_error_at_once(
    files: tuple[str, str], tmp_path: Path, fault: str
) -> None:
    """The error is one of the system, with the address and the files in it, and nobody listens."""
    certificate, key = files
    if fault == "missing":
        certificate = str(tmp_path / "missing.pem")
    elif fault == "no certificate":
        Path(certificate).write_text("nonsense")
    elif fault == "another's key":
        other = tmp_path / "other"
        other.mkdir()
        key = write(other, authority)[1]
    else:
        Path(key).write_bytes(encrypted(Path(key).read_bytes()))
    script = App()
    with pytest.raises(OSError) as caught:
        await served(script, tls=(certificate, key)).play(Context())
    assert isinstance(caught.value, FileNotFoundError if fault == "missing" else ssl.SSLError)
    assert script.log == []
    assert certificate in str(caught.value)
    address = str(caught.value).partition("can't serve ")[2].partition(" ")[0]
    assert refuses(address)


def encrypted(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


async def test_a_renewed_certificate_counts_from_the_next_start(
    files: tuple[str, str], tmp_path: Path
) -> None:
    """The files are read at each start, so a restart serves with what is in them then."""
    conductor = Conductor({"api": served(App(), tls=files)})
    async with playing(conductor) as performance:
        url = address(performance, "api")
        successor = trustme.CA()
        write(tmp_path, successor)
        assert await get_securely(url) == "hello"
        await conductor.restart("api")
        assert await get_securely(url, by=successor) == "hello"


@contextlib.asynccontextmanager
async def stopping(script: App, files: tuple[str, str]) -> AsyncIterator[str]:
    """A server that has to stop soon after the body, though it has much time for it."""
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(script, tls=files))
        yield url
        with taking_less_than(SOON):
            await stack.aclose()


async def test_idle_clients_that_say_no_goodbye_do_not_hold_the_stop(
    files: tuple[str, str],
) -> None:
    """Clients that keep a connection and do not look at it are let go, in spite of TLS."""
    client = httpx.AsyncClient(verify=client_context())
    async with client, stopping(App(), files) as url:
        assert (await client.get(url)).text == "hello"


async def test_a_half_done_handshake_does_not_hold_the_stop(files: tuple[str, str]) -> None:
    """A client that connects and never begins with TLS is let go, and gets nothing afterwards."""
    script = App()
    with socket.socket() as sock:
        async with stopping(script, files) as url:
            sock.connect(host_and_port(url))
            await asyncio.sleep(0.05)
        sock.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""


async def test_a_request_in_flight_finishes_over_tls(files: tuple[str, str]) -> None:
    """A request in its handler when the stop comes is answered in full."""
    script = App()
    async with serving(script, tls=files) as url:
        request = asyncio.create_task(get_securely(url, "/slow"))
        await script.entered.wait()
        asyncio.get_running_loop().call_later(0.3, script.gate.set)
    assert await request == "slow"


async def test_a_large_answer_is_sent_to_its_end_over_tls(files: tuple[str, str]) -> None:
    """An answer that its client takes slowly is complete when the stop is over."""
    script = App()
    async with serving(script, tls=files) as url:
        request = asyncio.create_task(read_slowly(url))
        await script.entered.wait()
    assert await request > 20_000_000


async def read_slowly(url: str) -> int:
    reader, writer = await asyncio.open_connection(*host_and_port(url), ssl=client_context())
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(1)
    length = len(await reader.read())
    writer.close()
    return length


def test_what_cannot_be_reloaded(files: tuple[str, str]) -> None:
    """Without files there is nothing to read again, and the error says what to do instead."""
    with pytest.raises(ValueError, match="no tls here"):
        served(App()).reload_tls()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ValueError, match="load_cert_chain"):
        served(App(), tls=context).reload_tls()
    with pytest.raises(OrchestraError, match="granian reads its certificate when it starts"):
        served(App(), tls=files, server="granian").reload_tls()


def test_files_are_checked_also_while_it_does_not_play(files: tuple[str, str]) -> None:
    """Before it plays, a reload tells whether the files could be used."""
    player = served(App(), tls=files)
    player.reload_tls()
    Path(files[0]).write_text("nonsense")
    with pytest.raises(ssl.SSLError, match=r"cert\.pem"):
        player.reload_tls()


async def test_a_renewed_certificate_is_shown_whatever_the_client_asks_for(
    files: tuple[str, str], tmp_path: Path
) -> None:
    """Clients that name no server get it as well, and the protocols on offer stay the same."""
    player = served(App(), tls=files)
    async with playing(player) as performance:
        place = host_and_port(address(performance))
        write(tmp_path, trustme.CA())
        player.reload_tls()
        renewed = ssl.PEM_cert_to_DER_cert(Path(files[0]).read_text().partition("\n\n")[0])
        for name in (None, "localhost"):
            shown, protocol = await asyncio.to_thread(hand_shake, place, name)
            assert shown == renewed
            assert protocol == "http/1.1"


def hand_shake(place: tuple[str, int], name: str | None) -> tuple[bytes | None, str | None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    with (
        socket.create_connection(place, timeout=20) as sock,
        context.wrap_socket(sock, server_hostname=name) as secure,
    ):
        return secure.getpeercert(binary_form=True), secure.selected_alpn_protocol()
