"""Every server with certificates."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from script import Script
from server_kit import Play
from subject import Subject

pytestmark = pytest.mark.real_time

authority = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path, authority)


def write(folder: Path, by: trustme.CA) -> tuple[Path, Path]:
    issued = by.issue_cert("127.0.0.1", "localhost")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def trusting(by: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    by.configure_trust(context)
    return context


def play(subject: Subject, script: Script, **kwargs: Any) -> Play:
    return Play(subject.app(script), **subject.kwargs, **kwargs)


async def says_hello(subject: Subject, address: str, by: trustme.CA) -> None:
    async with subject.talk(address, trusting(by)) as ask:
        assert await ask("hello") == "hello"


@pytest.mark.keeps("tls files")
async def test_files_of_a_certificate_and_its_key(
    subject: Subject, files: tuple[Path, Path]
) -> None:
    """With (certfile, keyfile) it serves over TLS."""
    async with play(subject, Script(), tls=files) as playing:
        await says_hello(subject, playing.url, authority)


@pytest.mark.keeps("tls files")
async def test_a_renewed_certificate_counts_from_the_next_run(
    subject: Subject, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """The files are read at each start."""
    async with play(subject, Script(), tls=files) as playing:
        successor = trustme.CA()
        write(tmp_path, successor)
        await playing.conductor.restart("api")
        await says_hello(subject, playing.url, successor)


@pytest.mark.keeps("tls context")
async def test_a_context_of_ones_own(subject: Subject, files: tuple[Path, Path]) -> None:
    """With an SSLContext, that is what it serves with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    async with play(subject, Script(), tls=context) as playing:
        await says_hello(subject, playing.url, authority)


@pytest.mark.keeps("reload_tls")
async def test_a_renewed_certificate_without_a_restart(
    subject: Subject, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """After reload_tls new connections get the new certificate, and the old ones go on."""
    async with play(subject, Script(), tls=files) as playing:
        async with subject.talk(playing.url, trusting(authority)) as ask:
            assert await ask("hello") == "hello"
            successor = trustme.CA()
            write(tmp_path, successor)
            playing.player.reload_tls()
            await says_hello(subject, playing.url, successor)
            assert await ask("hello") == "hello"
    assert playing.conductor.status().players["api"].restarts == 0


@pytest.mark.keeps("reload_tls")
async def test_a_bad_renewed_certificate_changes_nothing(
    subject: Subject, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """If the new pair does not fit or can't be read, that is an error, and the old stays in use."""
    async with play(subject, Script(), tls=files) as playing:
        other = tmp_path / "other"
        other.mkdir()
        files[0].write_bytes(write(other, trustme.CA())[0].read_bytes())
        with pytest.raises(OSError, match=r"cert\.pem"):
            playing.player.reload_tls()
        await says_hello(subject, playing.url, authority)
        files[1].unlink()
        with pytest.raises(FileNotFoundError):
            playing.player.reload_tls()
        await says_hello(subject, playing.url, authority)
