"""What `ServerPlayer` promises whatever it serves, and the table of who keeps it.

A subject that can't keep a promise says so, with the reason: in `cannot` if the library is at fault, in
`lacks` if there is nothing to keep. The table in docs/how-to/servers.md is made from that by

    python tests/servers/conformance/promises.py

and a test compares the two.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple


class Promise(NamedTuple):
    number: int  # in the issue of all promises
    text: str


PROMISES: Final = {
    "ready": Promise(1, "ready when a client is served, its real address in status and log"),
    "clients": Promise(1, "HTTP/1.1 with keep-alive: httpx, aiohttp, curl"),
    "ipv6": Promise(2, "TCP on IPv4 and IPv6"),
    "unix": Promise(2, "a Unix socket: its mode, removed afterwards, stale replaced, live refused"),
    "sockets": Promise(2, "sockets handed in, also by number"),
    "reuse_port": Promise(2, "`reuse_port`"),
    "early errors": Promise(3, "port, host or certificate is bad: an error before the start"),
    "failing start": Promise(4, "a start that fails raises the application's own exception"),
    "hanging start": Promise(4, "a start that hangs is bounded by `start_timeout`"),
    "in flight": Promise(5, "a stop ends the listening first, requests in flight finish"),
    "idle": Promise(5, "a stop closes idle connections"),
    "half-sent": Promise(5, "half-sent requests do not hold a stop"),
    "websockets": Promise(5, "websockets get a proper close"),
    "event streams": Promise(5, "server-sent events get a proper end"),
    "lifespan": Promise(5, "start and end of the application run once a run"),
    "cut off": Promise(5, "over the limit, requests are cut off and counted"),
    "cancelled": Promise(5, "over the limit, handlers are cancelled"),
    "restart": Promise(6, "a restart listens again, clients that connect meanwhile are served"),
    "load": Promise(6, "restarts under load lose no request"),
    "manners": Promise(7, "no signal handler, logging or loop policy touched"),
    "exit": Promise(7, "a `SystemExit` in the application does not get out"),
    "access log": Promise(7, "the access log goes to a standard logger, and can be switched off"),
    "crash": Promise(8, "a crash of the server's own loop is a failure"),
    "tls files": Promise(9, "TLS with `(certfile, keyfile)`"),
    "tls context": Promise(9, "TLS with an `SSLContext`"),
    "reload_tls": Promise(9, "`reload_tls()` without a connection dropped"),
    "nothing left": Promise(10, "cut off from outside, nothing goes on serving"),
}

PAGE: Final = Path(__file__).parents[3] / "docs" / "how-to" / "servers.md"
BEGIN, END = "<!--- promises: begin --->", "<!--- promises: end --->"


def table(subjects: Sequence[Any]) -> str:
    """The table, in Markdown: a row a promise, a column a subject, the reasons below."""
    notes: dict[str, int] = {}
    lines = [
        "| | " + " | ".join(subject.name for subject in subjects) + " |",
        "|---|" + "---|" * len(subjects),
    ]
    for key, promise in PROMISES.items():
        cells = [_cell(subject, key, notes) for subject in subjects]
        lines.append(f"| {promise.text} | " + " | ".join(cells) + " |")
    reasons = [f"{number}. {reason}" for reason, number in notes.items()]
    return "\n".join([*lines, *([""] if reasons else []), *reasons])


def _cell(subject: Any, key: str, notes: dict[str, int]) -> str:
    for sign, reasons in (("no", subject.cannot), ("–", subject.lacks)):
        if key in reasons:
            return f"{sign} ({notes.setdefault(reasons[key], len(notes) + 1)})"
    return "yes"


def in_the_docs() -> str:
    """The table as it stands in the docs."""
    found = re.search(f"{BEGIN}\n\n(.*?)\n\n{END}", PAGE.read_text(), re.DOTALL)
    assert found is not None, f"{PAGE} has no {BEGIN}"
    return found[1]


def write() -> None:
    from subjects import SUBJECTS

    old, new = (f"{BEGIN}\n\n{one}\n\n{END}" for one in (in_the_docs(), table(SUBJECTS)))
    PAGE.write_text(PAGE.read_text().replace(old, new))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    write()
