"""Files of other supervisors, and what becomes of them."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestra.loading.errors import LoadError
from orchestra.loading.importing.circus import import_circus
from orchestra.loading.importing.compose import import_compose
from orchestra.loading.importing.draft import Draft
from orchestra.loading.importing.supervisord import import_supervisord
from orchestra.loading.spec import BackoffSpec, ProbeSpec, ProgramSpec
from orchestra.loading.toml import parse_toml

Import = Callable[[str], Draft]


def played(draft: Draft) -> ProgramSpec:
    """What the loader makes of it, which has to be able to."""
    return parse_toml(draft.to_toml("a test"))


SUPERVISORD = """\
; the shop
[unix_http_server]
file=/tmp/supervisor.sock

[supervisord]
logfile=%(here)s/shop.log
user=root

[program:web]
command=gunicorn shop:app --bind 0.0.0.0:%(ENV_PORT)s ; comment
directory=/srv/shop
numprocs=2
process_name=%(program_name)s_%(process_num)02d
autorestart=true
startsecs=5
stopsignal=INT
stopwaitsecs=20
user=www
umask=022
environment=LEVEL="debug",SIZE=3
stdout_logfile=/var/log/web.log

[program:once]
command=python once.py %(program_name)s
autorestart=false
autostart=false
exitcodes=0
startsecs=0

[program:jobs-a]
command=python a.py
exitcodes=0,3
priority=1
startretries=3

[program:jobs-b]
command=python b.py

[group:jobs]
programs=jobs-a,jobs-b,gone

[eventlistener:mail]
command=mail
"""


def test_supervisord() -> None:
    """Programs keep what they do; what has no place is in the notes, each with its section."""
    draft = import_supervisord(SUPERVISORD)
    program = played(draft)
    assert (program.stop_when, program.log and program.log.file) == ("never", "./shop.log")
    web, once, jobs = (program.players[name] for name in ("web", "once", "jobs"))
    assert web.command == "gunicorn shop:app --bind 0.0.0.0:$PORT"
    assert (web.shell, web.cwd, web.copies, web.user, web.umask) == (
        True,
        "/srv/shop",
        2,
        "www",
        0o022,
    )
    assert (web.restart, web.stop_signal, web.stop_timeout) == ("always", "INT", 20.0)
    assert web.ready == ProbeSpec("after", 5.0)
    assert web.env == {"LEVEL": "debug", "SIZE": "3"}
    assert (once.command, once.restart, once.autostart) == ("python once.py once", "never", False)
    assert set(once.clean_codes) >= {-15, -9, 0, 1, 255}
    assert jobs.players is not None
    assert list(jobs.players) == ["jobs-a", "jobs-b"]
    first = jobs.players["jobs-a"]
    assert (first.restart, first.clean_codes) == ("failure", (0, 3))
    assert first.backoff == BackoffSpec(initial=1.0, max_delay=30.0)
    said = "\n".join(draft.notes)
    for part in (
        "[supervisord] user:",
        "[program:web] stdout_logfile: all output goes to the log",
        "[program:jobs-a] startretries:",
        "[eventlistener:mail]: there is no such thing",
        "[group:jobs]: there is no program 'gone'",
    ):
        assert part in said


CIRCUS = """\
[circus]
check_delay = 5

[watcher:web]
cmd = python
args = -m shop
numprocesses = 3
working_dir = /srv
uid = www
stop_signal = SIGINT
graceful_timeout = 10
autostart = no
max_age = 3600
shell = true

[watcher:once]
cmd = migrate
respawn = false

[env:web]
level = debug

[socket:http]
port = 8080
"""


def test_circus() -> None:
    """Watchers become players, with the environment that is theirs."""
    draft = import_circus(CIRCUS)
    web, once = played(draft).players.values()
    assert (web.command, web.shell, web.copies, web.cwd, web.user) == (
        "python -m shop",
        True,
        3,
        "/srv",
        "www",
    )
    assert (web.stop_signal, web.stop_timeout, web.autostart) == ("INT", 10.0, False)
    assert (web.env, web.restart, once.restart) == ({"LEVEL": "debug"}, "always", "never")
    said = "\n".join(draft.notes)
    assert "[circus] check_delay" in said
    assert "[watcher:web] max_age" in said
    assert "[socket:http]" in said


COMPOSE = """\
version: "3"
services:
  web:
    image: shop
    command: gunicorn shop:app
    working_dir: /srv
    user: "www:www"
    environment: {LEVEL: debug, EMPTY: }
    env_file: .env
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
      gone: {}
    restart: on-failure:5
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    deploy: {replicas: 2}
    ports: ["80:80"]
  db:
    entrypoint: [redis-server]
    command: ["--port", "0"]
    restart: "no"
    healthcheck:
      test: ["CMD-SHELL", "redis-cli ping | grep PONG"]
      interval: 5s
      timeout: 3s
      retries: 5
  migrate:
    command: python migrate.py
    environment: ["A=1", "B"]
    depends_on: [db]
    profiles: [tools]
volumes: {data: {}}
"""


def test_compose() -> None:
    """Services become commands on this machine, their conditions and probes as they are."""
    draft = import_compose(COMPOSE)
    program = played(draft)
    web, db, migrate = program.players.values()
    assert program.env_files == (".env",)
    assert web.command == ("gunicorn", "shop:app")
    assert web.after == {"db": "ready", "migrate": "done"}
    assert (web.user, web.group, web.copies) == ("www", "www", 2)
    assert (web.stop_signal, web.stop_timeout) == ("INT", 90.0)
    assert web.restart == "failure"
    assert web.backoff is not None
    assert web.backoff.max_restarts == 5
    assert db.command == ("redis-server", "--port", "0")
    assert db.alive == ProbeSpec(
        "command",
        ("sh", "-c", "redis-cli ping | grep PONG"),
        {"every": 5.0, "timeout": 3.0, "failures": 5},
    )
    assert (migrate.env, migrate.after, migrate.autostart) == (
        {"A": "1", "B": ""},
        {"db": "started"},
        False,
    )
    said = "\n".join(draft.notes)
    for part in ("web image", "web ports", "volumes", "no service 'gone'"):
        assert part in said


@pytest.mark.parametrize(
    ("convert", "text", "said"),
    [
        (import_supervisord, "", "supervisord.conf: there is no [program:NAME] in it"),
        (import_supervisord, "nonsense", "supervisord.conf: "),
        (import_circus, "[circus]", "circus.ini: there is no [watcher:NAME] in it"),
        (import_circus, "= x", "circus.ini: "),
        (import_compose, "a: [", "compose.yaml: "),
        (import_compose, "services: {}", "compose.yaml: there are no services in it"),
        (import_compose, "7", "compose.yaml: there are no services in it"),
    ],
)
def test_what_is_none(convert: Import, text: str, said: str) -> None:
    """A file that is of another kind gets one line."""
    with pytest.raises(LoadError) as caught:
        convert(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


lines = st.lists(
    st.sampled_from(
        [
            "[program:a]",
            "[program:b]",
            "[group:g]",
            "[watcher:a]",
            "[env:a]",
            "[supervisord]",
            "[circus]",
        ]
        + [f"{key} = " for key in ("command", "cmd", "args", "environment", "user", "directory")]
        + [f"{key} = 1" for key in ("numprocs", "numprocesses", "priority", "exitcodes", "umask")]
        + [
            "programs = a,b",
            "autorestart = maybe",
            "stopsignal = KIL",
            "environment = A=1,",
            " x",
            "=",
        ]
        + [
            "command = a %(x)s %",
            "environment=A='",
            "stopwaitsecs = ²",
            "numprocs=٣",
            "command=\x7f",
        ]
    )
    | st.text(max_size=12),
    max_size=12,
).map("\n".join)


@given(lines)
@example("[program:a]\nuser=\ndirectory=\nnumprocs=\nenvironment=\n")
def test_any_ini(text: str) -> None:
    """No text raises anything but a line for its user, and what is made can be loaded."""
    for convert in (import_supervisord, import_circus):
        try:
            draft = convert(text)
        except LoadError:
            continue
        played(draft)


scalars = st.none() | st.booleans() | st.integers(-5, 10**7) | st.text(max_size=6)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3)
)
KEYS = [
    "image",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "depends_on",
    "restart",
    "user",
    "healthcheck",
    "stop_signal",
    "stop_grace_period",
    "deploy",
    "scale",
    "profiles",
    "working_dir",
]
services = st.dictionaries(
    st.text(max_size=4),
    st.dictionaries(st.sampled_from(KEYS), values, max_size=5) | values,
    max_size=3,
)


@given(services)
@example({"a": {"command": "x", "environment": {"A=B": "c", "": "d", "E": "f"}}})
@example({"a": {"command": "x", "stop_signal": False, "stop_grace_period": 10**6}})
def test_any_services(content: object) -> None:
    """No service raises anything but a line for its user, and what is made can be loaded."""
    import yaml

    try:
        draft = import_compose(yaml.safe_dump({"services": content}, allow_unicode=True))
    except LoadError:
        return
    played(draft)


def test_without_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML is missing, it is said which line installs it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(LoadError, match=r"pip install 'orchestra-players\[cli\]'"):
        import_compose("services: {}")


@given(st.text())
def test_any_yaml(text: str) -> None:
    """No text raises anything but a line for its user."""
    try:
        import_compose(text)
    except LoadError:
        pass
