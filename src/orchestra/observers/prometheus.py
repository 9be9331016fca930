"""Metrics of the players, for Prometheus: `pip install 'orchestra-players[prometheus]'`."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import Final

from ..errors import not_installed
from ..events import BackingOff, CutOff, Event, Failed, Ready, Started, Stopping
from ..status import PlayerStatus

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Metric
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.registry import Collector
    from prometheus_client.utils import floatToGoString
except ModuleNotFoundError as missing:
    raise not_installed(missing.name, "prometheus") from None

ROOT: Final = "(root)"
"""The path of the player at the top, which has none; no player can have this name."""

STOP_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, inf)


class PrometheusObserver(Collector):
    """Keeps the metrics of all players in a registry, labelled by `path`.

    | metric | what it says |
    |---|---|
    | `orchestra_player_up` | 1 while a run goes on |
    | `orchestra_player_ready` | 1 while it serves, and has not been asked to stop |
    | `orchestra_player_restarts_total` | how often it came back |
    | `orchestra_player_failures_total` | failed runs, by `exception` |
    | `orchestra_player_last_change_timestamp_seconds` | when its state changed last |
    | `orchestra_player_stop_duration_seconds` | from being asked to stop to the end |
    | `orchestra_player_stop_timeouts_total` | how often it was cut off |
    | `orchestra_player_backoff_delay_seconds` | what it waits before it comes back, else 0 |
    | `orchestra_player_leader` | 1 while it leads; only for players with a detail `leader` |

    Raises `ValueError` if the registry has these metrics already: one observer will do for several
    trees. To be called in one thread at a time, as a tree does; the registry may be read in any.

    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> observer = PrometheusObserver(registry)
    >>> observer(Started("api", 0.0))
    >>> registry.get_sample_value("orchestra_player_up", {"path": "api"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._players: dict[str, _Player] = {}
        registry.register(self)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self._player(event.path).take(event)

    def catch_up(self, status: PlayerStatus) -> None:
        """Take note of what this tree has come to so far, for an observer that has come late.

        Its restarts are counted, and its failures before are not known. Players that have never
        played, or play no more, are left out. To be called once, in the tree's loop, as soon as the
        observer has been subscribed.

        >>> from orchestra.status import State
        >>> registry = CollectorRegistry()
        >>> api = PlayerStatus("api", "api", "thread", State.READY, True, 0.0, uptime=5.0, restarts=2)
        >>> PrometheusObserver(registry).catch_up(api)
        >>> registry.get_sample_value("orchestra_player_restarts_total", {"path": "api"})
        2
        """
        for one in status.walk():
            if one.uptime is not None:
                self._player(one.path).catch_up(one)

    def _player(self, path: str) -> _Player:
        player = self._players.get(path)
        if player is None:
            player = self._players[path] = _Player()
        return player

    def describe(self) -> Iterator[Metric]:
        """All metrics without a player: the registry wants to know their names."""
        return _metrics({})

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now: the registry asks when it is read, in any thread."""
        # Of a copy, since the tree goes on meanwhile.
        return _metrics({path or ROOT: player for path, player in self._players.copy().items()})


@dataclass(slots=True)
class _Player:
    """The numbers of one player: to keep them costs next to nothing, to make samples of them does."""

    last_change: float = 0.0
    up: bool = False
    ready: bool = False
    leads: bool | None = None
    restarts: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    backoff_delay: float = 0.0
    asked_at: float | None = None
    stops: _Durations | None = None
    stop_timeouts: int = 0

    def take(self, event: Event) -> None:
        self.last_change = event.time
        match event:
            case Started(restarts=restarts):
                self.up = True
                self.backoff_delay = 0.0
                if restarts:
                    self.restarts += 1
            case Ready(details=details):
                self.ready = True
                if "leader" in details:
                    self.leads = bool(details["leader"])
            case Failed(error=error):
                self.failures[type(error).__name__] += 1
                self._end(event)
            case BackingOff(delay=delay):
                self._end(event)
                self.backoff_delay = delay
            case Stopping():
                self.ready = False
                self.asked_at = event.time
            case CutOff():
                self.ready = False
                self.stop_timeouts += 1
            case _:
                self._end(event)

    def catch_up(self, status: PlayerStatus) -> None:
        self.last_change = status.since
        self.up = True
        self.restarts += status.restarts
        if status.ready:
            self.ready = True
            if "leader" in status.details:
                self.leads = bool(status.details["leader"])

    def _end(self, event: Event) -> None:
        self.up = self.ready = False
        self.backoff_delay = 0.0
        if self.leads:
            self.leads = False
        if self.asked_at is not None:
            self.stops = self.stops or _Durations()
            self.stops.add(max(0.0, event.time - self.asked_at))
            self.asked_at = None


class _Durations:
    """How many took how long."""

    __slots__ = ("_counts", "sum")

    def __init__(self) -> None:
        self._counts = [0] * len(STOP_BUCKETS)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(STOP_BUCKETS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound, as text, how many took at most so long."""
        return list(zip(map(floatToGoString, STOP_BUCKETS), accumulate(self._counts), strict=True))


def _metrics(players: Mapping[str, _Player]) -> Iterator[Metric]:
    """All metrics, with what there is to say of each of these players."""

    def gauge(name: str, text: str, value: Callable[[_Player], float | None]) -> Metric:
        family = GaugeMetricFamily(f"orchestra_player_{name}", text, labels=["path"])
        for path, player in players.items():
            number = value(player)
            if number is not None:
                family.add_metric([path], float(number))
        return family

    # All but the failures from the start, since a rate can only be taken of what was there before.
    def counter(name: str, text: str, value: Callable[[_Player], float]) -> Metric:
        family = CounterMetricFamily(f"orchestra_player_{name}", text, labels=["path"])
        for path, player in players.items():
            family.add_metric([path], value(player))
        return family

    yield gauge("up", "1 while a run of the player goes on.", lambda player: player.up)
    yield gauge("ready", "1 while the player serves.", lambda player: player.ready)
    yield counter("restarts", "How often the player came back.", lambda player: player.restarts)
    yield _failures(players)
    yield gauge(
        "last_change_timestamp_seconds",
        "When the player's state changed last.",
        lambda player: player.last_change,
    )
    yield _stop_durations(players)
    yield counter(
        "stop_timeouts", "How often the player was cut off.", lambda player: player.stop_timeouts
    )
    yield gauge(
        "backoff_delay_seconds",
        "What the player waits before it comes back.",
        lambda player: player.backoff_delay,
    )
    yield gauge("leader", "1 while the player leads.", lambda player: player.leads)


def _failures(players: Mapping[str, _Player]) -> Metric:
    family = CounterMetricFamily(
        "orchestra_player_failures", "Runs of the player that failed.", labels=["path", "exception"]
    )
    for path, player in players.items():
        for exception, count in player.failures.copy().items():
            family.add_metric([path, exception], count)
    return family


def _stop_durations(players: Mapping[str, _Player]) -> Metric:
    family = HistogramMetricFamily(
        "orchestra_player_stop_duration_seconds",
        "From being asked to stop to the end.",
        labels=["path"],
    )
    for path, player in players.items():
        if player.stops is not None:
            family.add_metric([path], player.stops.buckets(), player.stops.sum)
    return family
