"""The client of the control API: what it asks, what it makes of the answers."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub_program import StubProgram

from orchestra.errors import OrchestraError
from orchestra.web.client import AnsweredError, Client, ServerEvent, UnreachableError, parse_events


@pytest.fixture
def place(tmp_path):
    return tmp_path / "stub.sock"


def test_questions(place):
    """A question goes as a path and a query, with whatever is in them quoted."""
    with StubProgram(place, lambda *asked: (200, {"lines": []})) as stub:
        Client(place).lines("a b&c", limit=3, runs="both")
    assert stub.asked == [("GET", "/api/lines?path=a%20b%26c&limit=3&runs=both", None)]


def test_commands(place):
    """A command goes with whether and how long it is to be waited for."""
    with StubProgram(place, lambda *asked: (200, {})) as stub:
        client = Client(place)
        client.command("scale", "jobs.web", count=3, timeout=2.5)
        client.stop_all()
        client.reload(dry_run=True)
    assert stub.asked == [
        ("POST", "/api/players/jobs.web/scale", {"wait": True, "timeout": 2.5, "count": 3}),
        ("POST", "/api/stop", {}),
        ("POST", "/api/reload", {"dry_run": True}),
    ]


def test_errors_of_the_program(place):
    """An error in the answer is raised with its code and its text."""
    error = {"version": 1, "error": {"code": "refused", "message": "it is stopping"}}
    refusing = StubProgram(place, lambda *asked: (409, error))
    with refusing, pytest.raises(AnsweredError, match=r"^it is stopping$") as caught:
        Client(place).players()
    assert caught.value.code == "refused"
    assert isinstance(caught.value, OrchestraError)


def test_nobody(place):
    """Where nobody listens, or there is no socket, the program is gone."""
    with pytest.raises(UnreachableError, match="nobody answers") as caught:
        Client(place).players()
    assert caught.value.code == "gone"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(place))
    with pytest.raises(UnreachableError) as caught:
        Client(place).players()
    assert caught.value.code == "gone"


def test_one_that_does_not_answer(place):
    """A program that takes the question and says nothing is given up after the timeout."""
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(place))
        frozen.listen()
        with pytest.raises(UnreachableError, match=r"no answer in 0\.05 seconds") as caught:
            Client(place, timeout=0.05).players()
        assert caught.value.code == "silent"
        with pytest.raises(UnreachableError, match=r"no answer in 0\.15 seconds"):
            Client(place, timeout=0.05).command("stop", "web", timeout=0.1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\nno JSON",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 500 Oh\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    ],
)
def test_what_is_no_answer(place, answer):
    """Whoever else listens there, and however an answer breaks off: it is an error of ours."""
    odd = StubProgram(place, lambda *asked: (200, answer))
    with odd, pytest.raises(UnreachableError) as caught:
        Client(place).players()
    assert caught.value.code in ("silent", "gone")


def test_streams(place):
    """Events come one by one, whatever the pieces are that they come in; comments are none."""
    sent = [b': alive\n\nevent: entries\nid: i-7\ndata: {"a"', b": 1}\r\n\r", b"\ndata: {}\n\n"]
    with StubProgram(place, lambda *asked: (200, sent)) as stub:
        found = list(Client(place).stream("jobs", players=False, entries=True, resume="i-3"))
    assert found == [ServerEvent("entries", "i-7", {"a": 1}), ServerEvent("message", None, {})]
    assert stub.asked[0][1] == "/api/stream?path=jobs&players=false&entries=true&resume=i-3"


def test_streams_that_break_off(place):
    """A stream whose program is killed has ended; what is no JSON is an error."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = b"b\r\ndata: {}\n\n\n\r\n"
    with StubProgram(place, lambda *asked: (200, head + whole + b"a\r\nbro")):
        assert len(list(Client(place).stream())) == 1
    other = place.with_name("2")
    odd = StubProgram(other, lambda *asked: (200, [b"data: nonsense\n\n"]))
    with odd, pytest.raises(UnreachableError):
        list(Client(other).stream())


def test_streams_that_are_refused(place):
    """A stream that is not given is the error that the program says."""
    error = {"error": {"code": "busy", "message": "too many"}}
    busy = StubProgram(place, lambda *asked: (503, error))
    with busy, pytest.raises(AnsweredError, match="too many"):
        next(iter(Client(place).stream()))


@given(st.lists(st.dictionaries(st.text(), st.text())), st.integers(1, 9))
def test_any_events(sent, size):
    """Whatever is sent comes out, in pieces of any size."""
    import json

    data = b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in sent)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [event.data for event in parse_events(pieces)] == sent
