"""What is around a program that plays: its control and page, reloading, and players that are watched."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from play_kit import Play, orchestra

from orchestra.cli import web
from orchestra.cli.address import Address
from orchestra.cli.program import orchestra as cli
from orchestra.cli.watching import base_of, in_words, matches

INT, TERM = signal.SIGINT, signal.SIGTERM


class OverSocket(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def ask(folder: Path, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Ask the one program that plays in this folder."""
    (sock,) = (folder / "run" / "orchestra").glob("*.sock")
    connection = OverSocket(sock)
    try:
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


# Control and page


def test_the_control(folder: Path) -> None:
    """A program is seen and steered over its socket, which has its name and goes with it."""
    (folder / "orchestra.toml").write_text(
        "[orchestra]\nname='shop'\n[players.a]\ncommand='sleep 60'"
    )
    with Play(folder, control=True) as play:
        play.until("shop ✓ ready")
        (sock,) = (folder / "run" / "orchestra").iterdir()
        assert re.fullmatch(r"shop-\d+\.sock", sock.name)
        _, about = ask(folder, "/api/program")
        assert (about["name"], about["file"]) == ("shop", str(Path("orchestra.toml")))
        assert ask(folder, "/api/players/a/restart", {})[0] == 200
        play.until("a ↻ started again")
        assert play.end(TERM) == 0
        assert "1 restart, exit code 0" in play.lines[-1]
    assert list((folder / "run" / "orchestra").iterdir()) == []


def test_a_file_that_is_read_again(folder: Path) -> None:
    """`POST /api/reload` does what has changed in the file; one that is wrong is told, and changes nothing."""
    file = folder / "orchestra.toml"
    file.write_text("[players.a]\ncommand='sleep 60'")
    with Play(folder, control=True) as play:
        play.until("a ✓ ready")
        file.write_text("[players.a]\ncommand='sleep 60'\n[players.b]\ncommand='sleep 60'")
        status, found = ask(folder, "/api/reload", {"dry_run": True})
        assert (status, found["changes"], found["applied"]) == (200, ["+ b"], False)
        assert ask(folder, "/api/reload", {})[1]["applied"]
        play.until("b ✓ ready")
        file.write_text("[players.a]\ncommad='sleep 60'")
        status, found = ask(folder, "/api/reload", {})
        assert (status, found["error"]["code"]) == (400, "invalid")
        assert "Did you mean 'command'?" in found["error"]["message"]
        assert play.end(TERM) == 0


def test_code_can_not_be_read_again(folder: Path) -> None:
    """A target in code has no file to read again, and says so."""
    with Play(folder, "shop", control=True) as play:
        play.until("shop ✓ ready")
        assert ask(folder, "/api/reload", {})[0] == 409
        assert play.end(TERM) == 0


def test_the_page(folder: Path) -> None:
    """`--web` serves the page on a free port, and prints its address with the token."""
    with Play(folder, "shop", "--web", control=True) as play:
        url = play.until("live page: ").partition("live page: ")[2]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=\S+", url)
        base, _, token = url.partition("/#token=")
        with urllib.request.urlopen(f"{base}/livez", timeout=30) as answer:
            assert answer.status == 200
        request = urllib.request.Request(f"{base}/api/players")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        assert play.end(TERM) == 0


def test_a_port_that_is_taken(folder: Path) -> None:
    """2, before anything has been started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = orchestra(folder, "play", "shop", f"--web={port}")
    assert found.code == 2
    assert found.err.startswith("orchestra: the page can't be served: ")
    assert "started" not in found.out


def test_the_control_shows_the_end(folder: Path) -> None:
    """The control lives until the whole tree has ended: it shows who is still waited for."""
    with Play(folder, "shop:stuck", control=True) as play:
        play.until("shop ✓ ready")
        play.send(TERM)
        play.until("works ■ stopped")
        _, found = ask(folder, "/api/players/stuck")
        assert found["player"]["state"] == "stopping"
        assert play.end(TERM) == 3


def test_without_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra there is no control, which one line tells; asked for the page, it is refused."""
    monkeypatch.setattr(web, "find_spec", lambda name: None)
    monkeypatch.chdir(folder)
    (folder / "Procfile").write_text("a: true")
    assert cli(["play"]) == 0
    hint = "no control and no page without an extra: pip install 'orchestra-players[web]'"
    assert hint in capsys.readouterr().out
    assert cli(["play", "--no-control"]) == 0
    assert "without an extra" not in capsys.readouterr().out
    assert cli(["play", "--web"]) == 2
    assert capsys.readouterr().err == (
        "orchestra: --web needs what is not installed: pip install 'orchestra-players[web]'\n"
    )


@pytest.mark.parametrize(
    ("args", "module", "said"),
    [
        (["--reload"], "watchfiles", "--reload needs what is not installed: pip install "),
        (["--uvloop"], "uvloop", "--uvloop needs what is not installed: pip install "),
        (
            ["--env-file", "vars"],
            "dotenv",
            "vars is read by python-dotenv, which is not there: pip ",
        ),
        ([], "watchfiles", "`watch` needs what is not installed: pip install "),
    ],
)
def test_other_extras_that_are_missing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    module: str,
    said: str,
) -> None:
    """What needs a library that is not there is refused, with the line that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(folder)
    (folder / "vars").write_text("A=1")
    (folder / "orchestra.toml").write_text("[players.a]\ncommand='true'\nwatch='*.py'")
    assert cli(["play", *args]) == 2
    assert said in capsys.readouterr().err


def test_without_click(folder: Path) -> None:
    """Without click, `orchestra` says which line installs it, and ends with 2."""
    code = (
        "import sys; sys.modules['click'] = None; from orchestra.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == 2
    assert done.stderr == (
        "orchestra: the command line needs an extra: pip install 'orchestra-players[cli]'\n"
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", Address("127.0.0.1", 0)),
        ("8080", Address("127.0.0.1", 8080)),
        (":8080", Address("127.0.0.1", 8080)),
        ("localhost:80", Address("localhost", 80)),
        ("localhost", Address("localhost", 0)),
        ("[::1]:80", Address("::1", 80)),
        ("[::1]", Address("::1", 0)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """A port, a host, or both."""
    assert Address.parse(text) == address


@pytest.mark.parametrize("text", ["a:b", "x:70000", "http://x", "a b:1", "x:-1"])
def test_no_addresses(text: str) -> None:
    """What is neither is refused."""
    with pytest.raises(ValueError, match="is no address"):
        Address.parse(text)


# Files that change

LIVE = """\
from orchestra import Conductor

async def hello(ctx):
    print("hello {}", flush=True)
    await ctx.wait()

conductor = Conductor({{"hello": hello}})
"""


def test_reload(folder: Path) -> None:
    """With `--reload` a program plays anew when its code changes; the control stays up."""
    file = folder / "live.py"
    file.write_text(LIVE.format(1))
    with Play(folder, "live", "--reload", control=True) as play:
        play.until("hello 1")
        play.until("live ✓ ready")
        _, before = ask(folder, "/api/program")
        file.write_text(LIVE.format(2))
        play.until("live ↻ live.py changed, playing anew")
        play.until("hello ■ stopped")
        play.until("hello 2")
        _, after = ask(folder, "/api/program")
        assert after["pid"] == before["pid"]
        # What it prints may be here before what it tells.
        while all(row["path"] != "hello" for row in ask(folder, "/api/players")[1]["players"]):
            time.sleep(0.02)
        assert play.end(TERM) == 0


STEERED = """\
from orchestra import Conductor, replicate

async def works(ctx):
    await ctx.wait()

api = Conductor({"worker": works, "copies": replicate(works, 1)})
conductor = Conductor({"api": api, "idle": works}, idle={"idle"})
"""


def seen(folder: Path) -> list[tuple[str, str, str]]:
    """Path, kind and state of each player."""
    rows = json.loads(orchestra(folder, "status", "--json").out)["players"]
    return [(row["path"], row["kind"], row["state"]) for row in rows]


def test_steering_with_reload(folder: Path) -> None:
    """With `--reload` each player is seen and steered by its path as it is without, also after a change."""
    file = folder / "live.py"
    file.write_text(STEERED)
    with Play(folder, "live", control=True) as play:
        play.until("live ✓ ready")
        without = seen(folder)
        assert play.end(TERM) == 0
    with Play(folder, "live", "--reload", control=True) as play:
        play.until("live ✓ ready")
        assert seen(folder) == without
        said = orchestra(folder, "restart", "api.worker")
        assert (said.code, said.err) == (0, "")
        play.until("api.worker ↻ started again")
        assert orchestra(folder, "stop", "api.*").code == 0
        assert orchestra(folder, "start", "idle", "api.copies").code == 0
        assert orchestra(folder, "scale", "api.copies=2").code == 0
        play.until("api.copies.1 ▸ started")
        said = orchestra(folder, "scale", "idle=2")
        assert (said.code, said.out) == (1, "")
        assert "'idle' is no group of copies" in said.err
        assert "in works: await ctx.wait()" in orchestra(folder, "stack", "idle").out
        said = orchestra(folder, "restart", "api.wroker")
        assert (said.code, said.err) == (
            4,
            "orchestra: no player 'api.wroker'. Did you mean 'api.worker'?\n",
        )
        file.write_text(f"{STEERED}# changed\n")
        play.until("api.worker ▸ started")
        assert orchestra(folder, "wait", "api.worker", "--timeout", "40").code == 0
        assert orchestra(folder, "restart", "api.worker").code == 0
        file.write_text("(")
        play.until("waiting for a change")
        said = orchestra(folder, "restart", "api.worker")
        assert (said.code, said.out) == (4, "")
        assert said.err == "orchestra: no player 'api.worker'. There are none.\n"
        assert play.end(TERM) == 0


def test_reload_waits_out_what_is_wrong(folder: Path) -> None:
    """An error in the code, and a player that fails, are shown, and the next change is waited for."""
    file = folder / "live.py"
    file.write_text(LIVE.format(1) + "def (\n")
    with Play(folder, "live", "--reload") as play:
        play.until("SyntaxError: invalid syntax, waiting for a change")
        play.until("def (")
        file.write_text(LIVE.format(2).replace("await ctx.wait()", "raise OSError('no disk')"))
        play.until("hello ✗ failed: OSError: no disk")
        play.until("waiting for a change")
        file.write_text(LIVE.format(3).replace("conductor", "other"))
        play.until("hello 3")
        file.unlink()
        play.until("waiting for a change")
        file.write_text(LIVE.format(4))
        play.until("hello 4")
        assert play.end(INT) == 0


def test_reload_dirs(folder: Path) -> None:
    """`--reload-dir` says where to look instead; what plays may also be a single player, or a file."""
    (folder / "lib").mkdir()
    (folder / "live.py").write_text(
        "async def main(ctx):\n    print('plays', flush=True)\n    await ctx.wait()"
    )
    with Play(folder, "live", "--reload", "--reload-dir", "lib") as play:
        play.until("plays")
        (folder / "lib" / "new.py").write_text("x = 1")
        play.until("lib/new.py changed, playing anew")
        play.until("plays")
        assert play.end(TERM) == 0


def test_reload_of_a_file(folder: Path) -> None:
    """Of a TOML file, a change of itself counts, and of what its players watch."""
    file = folder / "orchestra.toml"
    file.write_text("[players.a]\ncommand='echo one'\nwatch='*.txt'")
    with Play(folder, "--reload") as play:
        assert play.end() == 0  # it has ended by itself
    file.write_text("[players.a]\ncommand='sh -c \"echo one; sleep 60\"'\nwatch='*.txt'")
    with Play(folder, "--reload") as play:
        play.until("a │ one")
        (folder / "x.txt").write_text("y")
        play.until("x.txt changed, playing anew")
        play.until("a │ one")
        assert play.end(TERM) == 0


def test_watch(folder: Path) -> None:
    """A player with `watch` is restarted when one of its files changes, and the others go on."""
    (folder / "conf").mkdir()
    (folder / "orchestra.toml").write_text(
        "[players.a]\ncommand='sleep 60'\nwatch=['conf/*.yaml', '**/b.txt']\n"
        "[players.b]\ncommand='sleep 60'"
    )
    with Play(folder) as play:
        play.until(f"{folder.name} ✓ ready")
        (folder / "conf" / "x.yaml").write_text("y")
        play.until("a · conf/x.yaml changed")
        play.until("a ↻ started again")
        assert play.end(TERM) == 0
        assert "b ↻" not in play.text


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("*.py", "/srv/app.py", True),
        ("*.py", "/srv/shop/app.py", False),
        ("**/*.py", "/srv/shop/app.py", True),
        ("**/*.py", "/srv/app.py", True),
        ("shop", "/srv/shop/a/b.txt", True),
        ("shop/a.txt", "/srv/shop/a.txt", True),
        ("shop/**/x", "/srv/shop/a/b/x", True),
        ("/etc/*.conf", "/etc/a.conf", True),
        ("*.py", "/other/app.py", False),
    ],
)
def test_patterns(pattern: str, path: str, matched: bool) -> None:
    """Patterns are seen from the file's folder; `**` stands for any folders, a folder for all in it."""
    assert matches(Path(path), [pattern], Path("/srv")) is matched


def test_where_to_look(tmp_path: Path) -> None:
    """The deepest folder in which all that a pattern stands for must be."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert base_of("a/b/*.py", tmp_path) == tmp_path / "a" / "b"
    assert base_of("a/c/*.py", tmp_path) == tmp_path / "a"
    assert base_of("*.py", tmp_path) == tmp_path


def test_files_in_words() -> None:
    """One by its name from the folder on, more by their number."""
    base = Path("/srv")
    assert in_words([base / "a" / "b.py"], base) == "a/b.py"
    assert in_words([Path("/x.py"), base / "y", base / "z"], base) == "/x.py and 2 more"
