"""Where the sockets of programs lie."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from orchestra.web import directory as module
from orchestra.web.directory import LONGEST, directory, socket_path, sockets


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_in_the_runtime_directory(runtime):
    """The sockets lie in `orchestra` in the user's runtime directory, which nobody else can enter."""
    assert directory() == runtime / "orchestra"
    assert directory().stat().st_mode & 0o777 == 0o700


def test_it_is_of_the_user_where_there_is_no_runtime_directory(temporary):
    """Without a runtime directory it is one for this user in that for temporary files."""
    assert directory() == temporary / f"orchestra-{os.geteuid()}"
    assert directory().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", ["relative", "/nonexistent/runtime", "/dev/null", ""])
def test_what_is_no_runtime_directory_is_passed_over(temporary, monkeypatch, given):
    """A variable that leads nowhere counts as if it were not set."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    assert directory().parent == temporary


def test_the_runtime_directory_of_another_user_is_passed_over(temporary, monkeypatch):
    """A runtime directory that belongs to somebody else, as after `su`, is not used."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(temporary))
    monkeypatch.setattr(module, "_uid", lambda: os.geteuid() + 1)
    assert directory() == temporary / f"orchestra-{os.geteuid() + 1}"


def test_one_that_others_may_enter_is_refused(runtime):
    """A folder that others could write to is not used, and the error says what it should be."""
    (runtime / "orchestra").mkdir(mode=0o755)
    with pytest.raises(PermissionError, match=r"mode 0700.*mode 0755"):
        directory()
    with pytest.raises(PermissionError, match="mode 0700"):
        sockets()


def test_a_link_is_refused(runtime, tmp_path):
    """A link is not followed, since it may lead to a folder of somebody else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (runtime / "orchestra").symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="is no directory"):
        directory()


def test_that_of_another_user_is_refused(temporary, monkeypatch):
    """A folder that somebody else has made under our name is not used."""
    monkeypatch.setattr(module, "_uid", lambda: 4_000_000)
    (temporary / "orchestra-4000000").mkdir(mode=0o700)
    with pytest.raises(PermissionError, match="the user 4000000 alone"):
        directory()


def test_a_socket_is_named_after_its_program(runtime):
    """The name of a socket has the name of the program in it, and its process id."""
    assert socket_path("shop", 4711) == runtime / "orchestra" / "shop-4711.sock"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("my shop/now", "my-shop-now-1.sock"),
        ("../../etc/passwd", "-..-etc-passwd-1.sock"),
        ("..", "x-1.sock"),
        ("", "x-1.sock"),
        ("über", "-ber-1.sock"),
    ],
)
def test_a_name_is_made_fit_for_a_file(runtime, name, file):
    """What a file should not have in its name is left out."""
    assert socket_path(name, 1) == runtime / "orchestra" / file


def test_a_long_name_is_shortened(runtime):
    """A path that would be too long for a Unix socket is shortened, and can be bound."""
    path = socket_path("n" * 500, 4711)
    assert path.name.endswith("n-4711.sock")
    assert len(os.fsencode(path)) == LONGEST
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def test_there_may_be_no_room_at_all(tmp_path, monkeypatch):
    """Where the folder alone is too long, the error says what to do."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(OSError, match="set XDG_RUNTIME_DIR to a shorter path"):
        socket_path("shop", 1)


def test_sockets_are_found_newest_first(runtime):
    """All sockets in the folder are found, the newest first, and nothing else."""
    for age, name in enumerate(["new", "middle", "old"]):
        path = socket_path(name, 1)
        path.touch()
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (directory() / "notes.txt").touch()
    assert [path.name for path in sockets()] == ["new-1.sock", "middle-1.sock", "old-1.sock"]


def test_there_may_be_none(runtime):
    """Where nothing has ever played there are no sockets, and no folder is made by looking."""
    assert sockets() == []
    assert not (runtime / "orchestra").exists()


def test_a_socket_may_go_while_others_look(runtime, monkeypatch):
    """A program that ends in that moment is passed over."""
    socket_path("shop", 1).touch()
    found = list(directory().glob("*.sock"))
    found[0].unlink()
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(found))
    assert sockets() == []


def test_without_users_there_is_one_folder(monkeypatch):
    """On a system that has no numbers for users the folder has a fixed name."""
    monkeypatch.delattr(os, "geteuid")
    assert module._uid() == 0
