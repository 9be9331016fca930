"""The verbs start as fast as click allows."""

import os
import sys

import pytest
from steering_kit import Place, shop

MOST = 1.6
FEWEST, MANY = 5, 60


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("p"))
    # As for users, whose modules are compiled already.
    place.env.pop("PYTHONDONTWRITEBYTECODE", None)
    place.env["PYTHONPYCACHEPREFIX"] = str(place.folder / "compiled")
    for name in [name for name in place.env if name.startswith("COV")]:
        del place.env[name]  # measuring takes time
    return place


def work_of(place: Place, *args: str) -> float:
    """Seconds of a processor that a Python with these arguments takes."""
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawn(sys.executable, [sys.executable, *args], place.env, file_actions=nowhere)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


def ratio(place: Place, *args: str) -> float:
    """The least work of it, to the least of importing click; as soon as that is little enough."""
    least = {"click": 99.0, "ours": 99.0}
    for turn in range(MANY):
        least["click"] = min(least["click"], work_of(place, "-c", "import click"))
        least["ours"] = min(least["ours"], work_of(place, "-m", "orchestra", *args))
        if turn >= FEWEST and least["ours"] <= MOST * least["click"]:
            break
    return least["ours"] / least["click"]


def test_help(place):
    """`orchestra --help` takes at most 1.6 times the work of `import click`."""
    assert ratio(place, "--help") <= MOST


def test_status(place):
    """So does `orchestra status`, with all of a table."""
    with shop(place):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        assert ratio(place, "status") <= MOST


def test_what_is_loaded(place):
    """`orchestra status` loads no event loop, no conductor, nothing of others but click."""
    with shop(place):
        assert place.orchestra("wait", "--timeout", "40").code == 0
        code = (
            "import sys; before = set(sys.modules); from orchestra.cli.program import orchestra; "
            "code = orchestra(['status']); loaded = set(sys.modules) - before; "
            "print({one.partition('.')[0] for one in loaded} - sys.stdlib_module_names); "
            "print(sorted(loaded & {'asyncio', 'ssl', 'email', 'http', 'orchestra.conductor'}))"
        )
        import subprocess

        done = subprocess.run(
            [sys.executable, "-c", code], env=place.env, capture_output=True, text=True, check=True
        )
    *_, others, heavy = done.stdout.splitlines()
    assert eval(others) == {"click", "orchestra"}
    assert heavy == "[]"
