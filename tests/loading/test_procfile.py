"""Procfiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.loading.errors import LoadError
from orchestra.loading.procfile import needs_shell, parse_procfile


def test_processes_in_order() -> None:
    """Names and commands come in the order of the file, comments and empty lines are left out."""
    text = "# a\nweb:  python -m http.server\n\n  clock : python clock.py\r\nworker:x: y\n"
    assert list(parse_procfile(text).items()) == [
        ("web", "python -m http.server"),
        ("clock", "python clock.py"),
        ("worker", "x: y"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web: a\nweb: b", "Procfile:2: there is a process 'web' already"),
        ("web", "Procfile:1: 'web' is no line of a Procfile"),
        ("web:", "Procfile:1: 'web' has no command"),
        ("", "Procfile: there is no process in it"),
    ],
)
def test_what_is_no_procfile(text: str, said: str) -> None:
    """What is wrong is told with its line."""
    with pytest.raises(LoadError) as caught:
        parse_procfile(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        ("python clock.py --every 5", False),
        ("python 'a b.py'", False),
        ("gunicorn --bind 0.0.0.0:$PORT", True),
        ("PORT=1 python app.py", True),
        ("a && b", True),
        ("a > log", True),
    ],
)
def test_who_needs_a_shell(command: str, shell: bool) -> None:
    """A command gets a shell only if it has something in it that a shell would do."""
    assert needs_shell(command) is shell


@given(st.text() | st.lists(st.sampled_from(["web", ":", " ", "\n", "x", "#"])).map("".join))
def test_any_text(text: str) -> None:
    """No text raises anything but a line for its user."""
    try:
        found = parse_procfile(text)
    except LoadError:
        return
    assert found
    assert all(command.strip() for command in found.values())
