"""A supervisord.conf of ten programs is imported and played, and each program keeps its behaviour."""

import json
import sys
import time
from pathlib import Path

import pytest
from steering_kit import PATIENCE, PROGRAMS, Place, Played

TEN = """\
[unix_http_server]
file=/tmp/supervisor.sock

[supervisord]
logfile=%(here)s/ten.log

[program:db]
command={tell} db stay
priority=1
stopsignal=QUIT

[program:always]
command={tell} always 0
autorestart=true

[program:unexpected]
command={tell} unexpected 3
startsecs=0

[program:expected]
command={tell} expected 0

[program:codes]
command={tell} codes 3
exitcodes=0,3

[program:never]
command={tell} never killed
autorestart=false

[program:surroundings]
command={tell} %(program_name)s stay
directory=inner
umask=027
environment=GREETING="hello, world",WHO=%(program_name)s
stopsignal=INT

[program:idle]
command={tell} idle stay
autostart=false

[program:worker]
command={tell} worker stay
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=2

[program:deaf]
command={tell} deaf deaf
stopwaitsecs=1
priority=2

[group:jobs]
programs=worker
"""


class Ten(Place):
    """The folder that they are played in, and what they have told."""

    def told(self, name: str, event: str | None = None) -> list[dict]:
        log = self.folder / f"{name}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if event in (None, one["event"])]

    def wait_for(self, name: str, event: str, count: int = 1) -> None:
        end = time.monotonic() + PATIENCE
        while len(self.told(name, event)) < count:
            assert time.monotonic() < end, (name, event, self.told(name))
            time.sleep(0.02)

    def end(self, name: str) -> None:
        """Have a program end as its command says."""
        before = len(self.told(name, "ends"))
        (self.folder / f"{name}.end").touch()
        self.wait_for(name, "ends", before + 1)

    def state(self, path: str) -> str:
        return self.orchestra("status", path, "--json").data["players"][0]["state"]


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    place = Ten(tmp_path_factory.mktemp("p"))
    (place.folder / "inner").mkdir()
    place.env["PLACE"] = str(place.folder)
    tell = f"{sys.executable} {PROGRAMS / 'tell.py'}"
    (place.folder / "supervisord.conf").write_text(TEN.format(tell=tell))
    made = place.orchestra("import", "supervisord.conf")
    assert (made.code, made.err) == (0, "")
    (place.folder / "orchestra.toml").write_text(made.out)
    return place


@pytest.fixture(scope="module")
def played(ten):
    with Played(ten, sys.executable, "-m", "orchestra", "play", "--log-level", "debug") as program:
        for name in ("db", "always", "unexpected", "expected", "codes", "never", "surroundings"):
            ten.wait_for(name, "started")
        yield program


def test_they_are_valid(ten):
    """What was imported passes `orchestra check`."""
    said = ten.orchestra("check")
    assert said.code == 0, said.err


def test_autorestart(ten, played):
    """With `true` a program comes back however it has ended; unexpected codes bring back the others."""
    for name in ("always", "unexpected"):
        ten.end(name)
        ten.wait_for(name, "started", 2)


def test_what_stays_down(ten, played):
    """A code among `exitcodes` is an end, and without autorestart even a SIGKILL; the others play on."""
    for name in ("expected", "codes", "never"):
        ten.end(name)
        assert ten.orchestra("wait", name, "--for", "done", "--timeout", "40").code == 0
        assert ten.state(name) == "stopped"
        assert len(ten.told(name, "started")) == 1
    assert ten.state("db") == "ready"


def test_surroundings(ten, played):
    """The folder, the umask and the environment are those of the file."""
    (told,) = ten.told("surroundings", "started")
    assert told["cwd"] == str(ten.folder / "inner")
    assert told["umask"] == 0o027
    assert told["env"] == {"GREETING": "hello, world", "WHO": "surroundings"}


def test_autostart(ten, played):
    """What is not started by itself is started by hand."""
    assert ten.told("idle") == []
    assert ten.orchestra("start", "idle").code == 0
    ten.wait_for("idle", "started")


def test_numprocs(ten, played):
    """So many copies play, in their group, and are ready once they have stayed for `startsecs`."""
    assert ten.orchestra("wait", "jobs", "--timeout", "40").code == 0
    rows = ten.orchestra("status", "jobs", "--json").data["players"]
    copies = [row["path"] for row in rows if row["kind"] == "command"]
    assert copies == ["jobs.worker.0", "jobs.worker.1"]
    told = ten.orchestra("logs", copies[0], "--json", "--grep", ": (started|ready)").lines
    started, ready = (json.loads(line)["time"] for line in told)
    assert ready > started + 1.9


def test_the_log(ten, played):
    """All that they print is in the log file that supervisord would have had."""
    ten.wait_for("db", "started")
    assert "db" in ten.orchestra("logs", "db", "--grep", "db is here").out
    end = time.monotonic() + PATIENCE
    while "db is here" not in (ten.folder / "ten.log").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_end(ten, played):
    """They start in the order of their priority and stop in the other; each with its signal and time."""
    lines = map(json.loads, ten.orchestra("logs", "--json", "--grep", ": started$").lines)
    begun = [line["path"] for line in lines if line["text"] == f"{line['path']}: started"]
    order = [one for one in begun if one in ("db", "deaf", "surroundings")]
    assert order == ["db", "deaf", "surroundings"]
    assert ten.orchestra("stop", "--timeout", "40").code == 0
    assert played.process.wait() in (0, 3)  # 3, since one had to be killed
    assert ten.told("surroundings", "SIGINT")
    (late,), (first,) = ten.told("deaf", "SIGTERM"), ten.told("db", "SIGQUIT")
    assert ten.told("always", "SIGTERM")[0]["time"] < late["time"]
    assert first["time"] > late["time"] + 1.0  # of `stopwaitsecs`
    for log in ten.folder.glob("*.log"):
        if log.name != "ten.log":
            for told in ten.told(log.stem, "started"):
                assert not Path(f"/proc/{told['pid']}").exists()
