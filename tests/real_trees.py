"""Random trees of real players in real time: what they do, how they are played and judged.

In virtual time, `random_trees` has many more of them and judges to the microsecond. Here is what only
real threads, processes and commands can show. The judge goes by the events
and by what is raised, and not by what the players tell, which may be in another process. On a slow
machine anything may take long; so nothing is asked of the clock but that all ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestra import (
    CommandFailedError,
    CommandPlayer,
    Conductor,
    ConductorError,
    Context,
    Event,
    OrchestraError,
    Performance,
    PlayerStatus,
    ProcessPlayer,
    StopTimeoutError,
    ThreadPlayer,
    restarting,
)
from orchestra.events import Abandoned, CutOff, Failed, Started
from random_trees.grammar import ARROWS, BY_RESTART, NONE, word
from real_players import CODE, Boom, Part, as_command, in_loop, in_process, in_thread, release


@dataclass(frozen=True)
class Group:
    """A conductor."""

    players: dict[str, Part | Group] = field(default_factory=dict)
    ordered: bool = False


@dataclass(frozen=True)
class Scene:
    """A tree, when it is asked to stop, and who is restarted when."""

    tree: Group
    stop: float = 0.0
    restarts: tuple[tuple[float, str], ...] = ()

    def parts(self) -> dict[str, Part]:
        return dict(_parts(self.tree, ""))

    @property
    def timeout(self) -> float:
        # Who is stuck is waited for; who is not has all the time that a slow machine may take.
        parts = self.parts().values()
        if not any(part.stuck for part in parts):
            return 20.0
        # A tenth of it is the time for a kill, which has to be enough also on a slow machine.
        return 0.3 if all(part.kind in UNENDING for part in parts) else 3.0


def _parts(group: Group, path: str) -> Iterator[tuple[str, Part]]:
    for name, node in group.players.items():
        below = f"{path}.{name}" if path else name
        if isinstance(node, Part):
            yield below, node
        else:
            yield from _parts(node, below)


# The kinds of players

KINDS: dict[str, Callable[[Part], Any]] = {
    "coroutine": lambda part: partial(in_loop, part),
    "thread": lambda part: ThreadPlayer(partial(in_thread, part)),
    "process": lambda part: ProcessPlayer(partial(in_process, part)),
    "command": lambda part: CommandPlayer(as_command(part)),
}
"""How a player of each kind is made of its part; one line each."""

UNENDING = {"coroutine", "thread"}
"""The kinds that can't be ended where they are stuck: they are abandoned, and go on."""


# The play


@dataclass
class Record:
    """What happened."""

    scene: Scene
    events: list[tuple[Event, bool]] = field(default_factory=list)  # and whether it was by restart
    error: BaseException | None = None
    status: PlayerStatus | None = None
    ended: bool = False


def play(scene: Scene) -> Record:
    """Play a scene to its end."""
    release.clear()
    record = Record(scene)
    logger = logging.getLogger("orchestra")
    disabled, logger.disabled = logger.disabled, True
    try:
        asyncio.run(_play(record))
    finally:
        logger.disabled = disabled
    return record


async def _play(record: Record) -> None:
    scene, ctx = record.scene, Context()
    conductor = _conductor(scene.tree, scene.timeout)
    performance = Performance.over(ctx)
    coming_back: Counter[str] = Counter()
    performance.subscribe(
        lambda event: record.events.append(
            (event, any(event.path.startswith(path) for path in +coming_back))
        )
    )
    loop = asyncio.get_running_loop()
    task = loop.create_task(conductor.play(ctx))
    calls = [
        loop.create_task(_restart(performance, at, path, coming_back))
        for at, path in scene.restarts
    ]
    loop.call_later(scene.stop, ctx.cancel)
    # Much longer than it may take, on however slow a machine.
    done, _ = await asyncio.wait([task], timeout=40)
    record.ended = bool(done)
    record.error = task.exception() if done else None
    record.status = conductor.status()
    release.set()
    await asyncio.wait([task, *calls])
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.001)


async def _restart(
    performance: Performance, at: float, path: str, coming_back: Counter[str]
) -> None:
    await asyncio.sleep(at)
    coming_back[path] += 1
    try:
        await performance.restart(path)
    except (Boom, ConductorError, KeyError, OrchestraError):
        pass
    finally:
        coming_back[path] -= 1


def _conductor(group: Group, timeout: float) -> Conductor:
    players = {name: _player(node, timeout) for name, node in group.players.items()}
    return Conductor(players, timeout=timeout, ordered=group.ordered)


def _player(node: Part | Group, timeout: float) -> Any:
    if isinstance(node, Group):
        return _conductor(node, timeout)
    player = KINDS[node.kind](node)
    return restarting(player, [0.002] * node.restarts) if node.restarts else player


# The judge


def judge(record: Record) -> list[str]:
    """All that is wrong with what happened."""
    if not record.ended:
        return ["it does not end"]
    return [
        *_grammar(record),
        *_runs(record),
        *_failures(record),
        *_those_left(record),
        *_status(record),
    ]


def _grammar(record: Record) -> Iterator[str]:
    states: dict[str, str] = {}
    for event, by_restart in record.events:
        before = states.get(event.path, NONE)
        after = ARROWS.get((before, word(event)))
        if after is None and by_restart:
            after = BY_RESTART.get((before, word(event)))
        if after is None:
            yield f"{event} is no event for one that is {before}"
        states[event.path] = after or before
    for path, state in states.items():
        if state not in ("ended", "abandoned"):
            yield f"all is over, and {path} is {state}"


def _runs(record: Record) -> Iterator[str]:
    for path, part in record.scene.parts().items():
        began = sum(isinstance(one, Started) and one.path == path for one, _ in record.events)
        by_hand = sum(path.startswith(whose) for _, whose in record.scene.restarts)
        # A group that is restarted starts its players with all of their restarts.
        if began > (part.restarts + 1) * (by_hand + 1):
            yield f"{path} began {began} times"
        own = [one for one, _ in record.events if one.path == path]
        given_up = [number for number, one in enumerate(own) if isinstance(one, Abandoned)]
        if part.stuck and given_up and any(isinstance(one, Started) for one in own[given_up[0] :]):
            yield f"{path} was started beside a run that goes on"


def _failures(record: Record) -> Iterator[str]:
    parts = record.scene.parts()
    finals: Counter[int] = Counter()
    for event, _ in record.events:
        if not isinstance(event, Failed) or isinstance(event.error, ConductorError):
            continue
        if isinstance(event.error, Boom | CommandFailedError | StopTimeoutError):
            if not is_own(event.error, event.path, parts[event.path]):
                yield f"{event} did not happen"
        elif "not started: an earlier run" not in str(event.error):
            yield f"{event} is nobody's"
        if event.final and not isinstance(event.error, StopTimeoutError):
            finals[id(event.error)] += 1
    if record.error is not None and not isinstance(record.error, ConductorError):
        yield f"it raised {record.error!r}"
    raised = Counter(
        id(one)
        for one in getattr(record.error, "exceptions", ())
        if not isinstance(one, StopTimeoutError)
    )
    # Where a group was restarted, what failed in its earlier run has been told by that.
    if raised - finals or (finals - raised and not record.scene.restarts):
        yield f"it raised {record.error!r}, and the events tell of others"


def is_own(error: Exception, path: str, part: Part) -> bool:
    """Whether it is what a player with this part fails with."""
    if isinstance(error, StopTimeoutError):  # raised by who has killed what was stuck
        return part.kind not in UNENDING and path in error.left
    if isinstance(error, CommandFailedError):
        return part.fails and part.kind == "command" and error.returncode == CODE
    return part.fails and part.kind != "command" and str(error) == path


def _those_left(record: Record) -> Iterator[str]:
    parts, last = record.scene.parts(), {one.path: one for one, _ in record.events}
    left, abandoned = set(), set()
    for one in getattr(record.error, "exceptions", ()):
        if isinstance(one, StopTimeoutError):
            left, abandoned = set(one.left), set(one.abandoned)
            for path in left & set(parts):
                if path in abandoned and not one.stuck[path]:
                    yield f"nobody says where {path} is"
    cut = {
        one.path
        for one, _ in record.events
        if isinstance(one, CutOff)
        or (isinstance(one, Failed) and isinstance(one.error, StopTimeoutError))
    }
    if not left <= cut:
        yield f"{left - cut} are left, and were never cut off"
    given_up = {path for path in parts if isinstance(last.get(path), Abandoned)}
    if given_up != abandoned:
        yield f"{given_up} were abandoned, and the error names {abandoned}"
    for path in given_up:
        # Where somebody is stuck, the time is short, and on a slow machine too short for others.
        is_slow = record.scene.timeout < 1 and not parts[path].stuck
        if not is_slow and not (parts[path].stuck and parts[path].kind in UNENDING):
            yield f"{path} was abandoned, which could be ended"


def _status(record: Record) -> Iterator[str]:
    assert record.status is not None
    shown = {one.path: one for one in record.status.walk()}
    for path, part in record.scene.parts().items():
        if not part.stuck or part.kind not in UNENDING or path not in shown:
            continue
        given_up = sum(isinstance(one, Abandoned) and one.path == path for one, _ in record.events)
        if shown[path].details.get("zombies", 0) != given_up:
            yield f"{path} was abandoned {given_up} times, and its status is {shown[path]}"
