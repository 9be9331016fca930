"""The ending: who stopped when, seen by an observer of the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra import Abandoned, CutOff, Event, Failed, Started, Stopped, Stopping

WIDTH = 32
"""Signs in a bar."""


@dataclass
class Stop:
    """How one player stopped: when it was asked, when it was over, and how that was, if not well."""

    asked: float
    over: float | None = None
    remark: str = ""


class Ending:
    """Takes the times of a stop. It is an observer: give it to `run(..., observers=[ending])`."""

    def __init__(self) -> None:
        self.stops: dict[str, Stop] = {}
        self.restarts: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Note what is of interest here."""
        path, stop = event.path, self.stops.get(event.path)
        match event:
            case Started(restarts=restarts) if restarts:
                self.restarts[path] += 1
            case Stopping():
                self.stops[path] = Stop(event.time)
            case CutOff() if stop is not None:
                stop.remark = "cut off"
            case Abandoned() if stop is not None:
                stop.over, stop.remark = event.time, "cut off, but goes on"
            case Failed(final=True) if stop is not None:
                stop.over, stop.remark = event.time, stop.remark or "failed"
            case Stopped() if stop is not None:
                stop.over = event.time
            case Stopped() if self.stops:  # it had failed, and waited for its next run
                self.stops[path] = Stop(event.time, over=event.time)

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        begin, end = self._span()
        return end - begin

    def _span(self) -> tuple[float, float]:
        times = [stop.asked for stop in self.stops.values()]
        times += [stop.over for stop in self.stops.values() if stop.over is not None]
        return min(times, default=0.0), max(times, default=0.0)

    def lines(self) -> Iterator[str]:
        """A line a player, in the order in which they stopped, each with a bar from when to when."""
        begin, end = self._span()
        players = [(path, stop) for path, stop in self.stops.items() if not self._is_group(path)]
        longest = max((len(path) for path, _ in players), default=0)
        for path, stop in sorted(players, key=lambda one: one[1].over or end):
            over = stop.over or end
            bar = _bar(stop.asked - begin, over - begin, end - begin)
            line = f"  {path:{longest}}  {over - stop.asked:6.3f} s  {bar}"
            yield f"{line}  {stop.remark}".rstrip()

    def _is_group(self, path: str) -> bool:
        return not path or any(other.startswith(f"{path}.") for other in self.stops)


def _bar(begin: float, end: float, whole: float) -> str:
    """A line from one moment to another, of at least one sign."""
    scale = (WIDTH - 1) / whole if whole else 0
    first, last = round(begin * scale), round(end * scale)
    return ("·" * first + "━" * (last - first + 1)).ljust(WIDTH, "·")
