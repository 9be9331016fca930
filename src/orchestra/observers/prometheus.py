"""Metrics of the players, for Prometheus: `pip install 'orchestra-players[prometheus]'`."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..events import BackingOff, CutOff, Event, Failed, Ready, Started, Stopping
from ..status import PlayerStatus

ROOT: Final = "(root)"
"""The path of the player at the top, which has none; no player can have this name."""

STOP_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class PrometheusObserver:
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
    trees. To be called in one thread at a time, as a tree does.

    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> observer = PrometheusObserver(registry)
    >>> observer(Started("api", 0.0))
    >>> registry.get_sample_value("orchestra_player_up", {"path": "api"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"orchestra_player_{name}", text, ["path"], registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"orchestra_player_{name}", text, ["path", *labels], registry=registry)

        self._up = gauge("up", "1 while a run of the player goes on.")
        self._ready = gauge("ready", "1 while the player serves.")
        self._restarts = counter("restarts", "How often the player came back.")
        self._failures = counter("failures", "Runs of the player that failed.", "exception")
        self._last_change = gauge(
            "last_change_timestamp_seconds", "When the player's state changed last."
        )
        self._stop_duration = Histogram(
            "orchestra_player_stop_duration_seconds",
            "From being asked to stop to the end.",
            ["path"],
            registry=registry,
            buckets=STOP_BUCKETS,
        )
        self._stop_timeouts = counter("stop_timeouts", "How often the player was cut off.")
        self._backoff_delay = gauge(
            "backoff_delay_seconds", "What the player waits before it comes back."
        )
        self._leader = gauge("leader", "1 while the player leads.")
        self._players: dict[str, _Player] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self._player(event.path).take(event)

    def catch_up(self, status: PlayerStatus) -> None:
        """Take note of what this tree has come to so far, for an observer that has come late.

        Its restarts are counted, and its failures before are not known. Players that have never
        played, or play no more, are left out.
        """
        for one in status.walk():
            if one.uptime is not None:
                self._player(one.path).catch_up(one)

    def _player(self, path: str) -> _Player:
        player = self._players.get(path)
        if player is None:
            player = self._players[path] = _Player(self, path or ROOT)
        return player


class _Player:
    """The metrics of one player, looked up once: a label costs more than the number behind it."""

    def __init__(self, metrics: PrometheusObserver, path: str) -> None:
        self._path = path
        self._metrics = metrics
        self._up = metrics._up.labels(path)
        self._ready = metrics._ready.labels(path)
        self._last_change = metrics._last_change.labels(path)
        self._backoff_delay = metrics._backoff_delay.labels(path)
        # From the start, since a rate can only be taken of what was there before.
        self._restarts = metrics._restarts.labels(path)
        self._stop_timeouts = metrics._stop_timeouts.labels(path)
        self._leads = False
        self._asked_at: float | None = None

    def take(self, event: Event) -> None:
        self._last_change.set(event.time)
        match event:
            case Started(restarts=restarts):
                self._up.set(1)
                self._backoff_delay.set(0)
                if restarts:
                    self._restarts.inc()
            case Ready(details=details):
                self._ready.set(1)
                if "leader" in details:
                    self._lead(bool(details["leader"]))
            case Failed(error=error):
                self._metrics._failures.labels(self._path, type(error).__name__).inc()
                self._end(event)
            case BackingOff(delay=delay):
                self._end(event)
                self._backoff_delay.set(delay)
            case Stopping():
                self._ready.set(0)
                self._asked_at = event.time
            case CutOff():
                self._ready.set(0)
                self._stop_timeouts.inc()
            case _:
                self._end(event)

    def catch_up(self, status: PlayerStatus) -> None:
        self._last_change.set(status.since)
        self._up.set(1)
        self._restarts.inc(status.restarts)
        if status.ready:
            self._ready.set(1)
            if "leader" in status.details:
                self._lead(bool(status.details["leader"]))

    def _end(self, event: Event) -> None:
        self._up.set(0)
        self._ready.set(0)
        self._backoff_delay.set(0)
        if self._leads:
            self._lead(False)
        if self._asked_at is not None:
            duration = self._metrics._stop_duration.labels(self._path)
            duration.observe(max(0.0, event.time - self._asked_at))
            self._asked_at = None

    def _lead(self, leads: bool) -> None:
        self._leads = leads
        self._metrics._leader.labels(self._path).set(leads)
