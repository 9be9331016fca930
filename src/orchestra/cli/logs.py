"""`orchestra logs`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from ..web.client import Client
from . import words
from .arguments import some_paths, which_program
from .choosing import chosen, is_chosen
from .failures import Verb
from .output.line import Line, Sign
from .output.style import Text
from .programs import find

Keep = Callable[[dict[str, Any]], bool]


@click.command(cls=Verb)
@some_paths
@which_program
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until the program ends.")
@click.option(
    "--lines", "-n", "count", metavar="N", type=click.IntRange(0), help="Only the newest so many."
)
@click.option(
    "--since",
    metavar="WHEN",
    help="Only newer ones: '5m', '2h 30m', or a time as '2026-01-31T14:00'.",
)
@click.option("--grep", metavar="REGEX", help="Only lines in which this is found.")
@click.option("--previous", is_flag=True, help="Those of the run before this one.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def logs(
    paths: tuple[str, ...],
    program: str | None,
    follow: bool,
    count: int | None,
    since: str | None,
    grep: str | None,
    previous: bool,
    as_json: bool,
) -> None:
    """Show what was logged by and about players; each PATH with all below it.

    A program keeps the newest 500 lines of each player, and as many of its previous run.
    """
    if follow and previous:
        raise click.UsageError(
            "--follow goes on with this run, so it makes no sense with --previous"
        )
    keep = _filter(since, grep)
    running = find(program)
    client = running.client
    known = [row["path"] for row in client.players()["players"]]
    meant = _meant(client, paths, known)
    found, resume = _kept(client, meant, "previous" if previous else "both")
    found = [line for line in found if keep(line)]
    style = _style(known, running.name)

    def show(line: dict[str, Any]) -> None:
        click.echo(json.dumps(line) if as_json else style(line_of(line)), color=True)

    for line in found if count is None else found[len(found) - min(count, len(found)) :]:
        show(line)
    if follow:
        for line in _coming(client, meant, resume):
            if keep(line):
                show(line)


def _meant(client: Client, paths: Sequence[str], known: Sequence[str]) -> list[str]:
    """The paths that are meant; that of a player that was removed may still have lines."""
    gone = [path for path in paths if path not in known and not any(one in path for one in "*?[")]
    for path in gone:
        client.lines(path, limit=0)
    return [*chosen([path for path in paths if path not in gone], known), *gone]


def _kept(client: Client, meant: Sequence[str], runs: str) -> tuple[list[dict[str, Any]], str]:
    """The lines that the program has, oldest first, and what to resume from."""
    answers = [client.lines(path, runs=runs) for path in meant or [""]]
    found = {line["id"]: line for answer in answers for line in answer["lines"]}
    # The first answer is the oldest: what came after it is told by the stream.
    resume = str(answers[0]["resume"])
    last = int(resume.rpartition("-")[2])
    return [found[number] for number in sorted(found) if number <= last], resume


def _coming(client: Client, meant: Sequence[str], resume: str) -> Iterator[dict[str, Any]]:
    for event in client.stream(players=False, entries=True, resume=resume):
        if event.name != "entries":
            continue
        if event.data["missed"]:
            words.echo("orchestra: some lines are missing here: there were too many", err=True)
        for entry in event.data["entries"]:
            # An event without a text has a line of its own.
            if entry["text"] is not None and is_chosen(entry["path"], meant):
                yield entry


def _filter(since: str | None, grep: str | None) -> Keep:
    after = 0.0 if since is None else moment(since, time.time())
    if grep is None:
        return lambda line: line["time"] >= after
    import re

    try:
        pattern = re.compile(grep)
    except re.error as error:
        raise click.BadParameter(
            f"{grep!r} is no regular expression: {error}", param_hint="--grep"
        ) from None
    return lambda line: line["time"] >= after and pattern.search(line["text"]) is not None


def moment(text: str, now: float) -> float:
    """A moment in seconds since 1970: so long ago, or a date and time.

    >>> moment("1m 30s", 1000.0)
    910.0
    """
    from datetime import datetime

    from ..loading.durations import parse_duration

    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is neither a duration as '5m' nor a time as '2026-01-31T14:00'",
            param_hint="--since",
        ) from None


def line_of(entry: Mapping[str, Any]) -> Line:
    """What the program has kept, as the line that `orchestra play` would print."""
    path, source = entry["path"], entry.get("source", OURS)
    first, *more = entry["text"].split("\n")
    sign = _SIGN_OF_LEVEL.get(entry.get("level", "info"), "note")
    if not f"{source}.".startswith(f"{OURS}.") or "/" in source:
        return Line(entry["time"], path, sign, f"{source}: {first}", tuple(more))
    # Of ours, what begins with whom it is about tells of an event; a command's output does not.
    text = first.removeprefix(f"{path or 'conductor'}: ")
    return Line(
        entry["time"], path, _sign_of(text) if text != first else "output", text, tuple(more)
    )


def _sign_of(text: str) -> Sign:
    if text.startswith("failed") and "; restart " in text:
        return "again"
    for begin, sign in _SIGN_OF_EVENT.items():
        if text.startswith(begin):
            return sign
    return "note"


OURS: Final = "orchestra"
_SIGN_OF_LEVEL: Final[Mapping[str, Sign]] = {
    "warning": "warning",
    "error": "failed",
    "critical": "failed",
}
_SIGN_OF_EVENT: Final[Mapping[str, Sign]] = {
    "started again": "again",
    "started": "started",
    "ready": "ready",
    "failed": "failed",
    "ended, next run": "again",
    "stopping": "stopping",
    "stopped": "stopped",
    "cut off": "warning",
    "abandoned": "warning",
}


def _style(paths: Iterable[str], own: str) -> Text:
    text = Text(words.has_colours(sys.stdout), timestamps=True, own=own)
    for path in paths:
        text.expect(path)
    return text
