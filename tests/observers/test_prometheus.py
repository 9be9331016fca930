"""Metrics for Prometheus, from the events of a play in virtual time."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from observers.watching import small_play, watched
from orchestra import (
    Conductor,
    Context,
    PermanentError,
    PlayerStatus,
    Ready,
    Started,
    Stopped,
    Stopping,
)
from orchestra.observers.prometheus import ROOT, PrometheusObserver
from orchestra.status import Players, State

pytestmark = pytest.mark.virtual_time


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.observer = PrometheusObserver(self.registry)

    def get(self, name: str, path: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"orchestra_player_{name}", {"path": path, **labels})


async def test_a_play_in_numbers() -> None:
    """Each metric says what the players went through."""
    metrics = Metrics()
    get = metrics.get

    def at_one() -> None:
        assert (get("up", "api"), get("ready", "api")) == (1, None or 0)

    def at_three() -> None:
        assert (get("ready", "api"), get("up", "jobs.feed")) == (1, 0)
        assert get("backoff_delay_seconds", "jobs.feed") == 5
        assert get("failures_total", "jobs.feed", exception="OSError") == 1

    def at_ten() -> None:
        assert (get("up", "jobs.feed"), get("ready", "jobs.feed")) == (1, 1)
        assert get("backoff_delay_seconds", "jobs.feed") == 0

    show = await watched(metrics.observer, small_play(), (1, at_one), (3, at_three), (10, at_ten))
    assert show.task.exception() is not None
    assert get("restarts_total", "jobs.feed") == 1
    assert get("restarts_total", "api") == 0
    assert get("stop_timeouts_total", "stuck") == 1
    assert get("stop_timeouts_total", "slow") == 0
    assert get("stop_duration_seconds_sum", "slow") == pytest.approx(2)
    assert get("stop_duration_seconds_count", "stuck") == 1
    assert {get("up", path) for path in ("api", "slow", "stuck", "jobs.feed")} == {0}
    changes = [event.time for event in show.events if event.path == "slow"]
    assert get("last_change_timestamp_seconds", "slow") == changes[-1]


async def test_the_text_is_what_prometheus_reads() -> None:
    """The path of a player is a label, and that of the top, which has none, has a word."""
    metrics = Metrics()
    metrics.observer(Started("", 1.0))
    metrics.observer(Started("api.0", 1.0))
    text = generate_latest(metrics.registry).decode()
    assert f'orchestra_player_up{{path="{ROOT}"}} 1.0' in text
    assert 'orchestra_player_up{path="api.0"} 1.0' in text


async def test_a_leader() -> None:
    """A player whose details say that it leads counts as leader for as long as it plays."""
    metrics = Metrics()
    for event in (Started("a", 1.0), Ready("a", 1.0, {"leader": True})):
        metrics.observer(event)
    assert metrics.get("leader", "a") == 1
    metrics.observer(Stopped("a", 2.0))
    assert metrics.get("leader", "a") == 0
    assert metrics.get("leader", "b") is None


async def test_failures_by_exception() -> None:
    """Each type of exception has a count of its own, the last failure as well."""

    async def gives_up(ctx: Context) -> None:
        raise PermanentError("no more")

    metrics = Metrics()
    await watched(metrics.observer, Conductor({"a": gives_up}))
    assert metrics.get("failures_total", "a", exception="PermanentError") == 1


def test_read_while_it_changes() -> None:
    """A registry that is read while the tree goes on gives what there was when it began."""
    metrics = Metrics()
    metrics.observer(Started("a", 1.0))
    families = iter(metrics.registry.collect())
    first = next(families)
    metrics.observer(Started("b", 1.0))
    told = {sample.labels["path"] for family in (first, *families) for sample in family.samples}
    assert told == {"a"}


def test_how_long_stops_took() -> None:
    """A stop counts in each bucket that is as long as it or longer, and the last has them all."""
    metrics = Metrics()
    for seconds in (0.05, 3, 300):
        for event in (Started("a", 0.0), Stopping("a", 0.0), Stopped("a", seconds)):
            metrics.observer(event)
    found = {
        bound: metrics.get("stop_duration_seconds_bucket", "a", le=bound)
        for bound in ("0.01", "0.05", "2.5", "5.0", "60.0", "+Inf")
    }
    assert found == {"0.01": 0, "0.05": 1, "2.5": 1, "5.0": 2, "60.0": 2, "+Inf": 3}
    assert metrics.get("stop_duration_seconds_count", "a") == 3
    assert metrics.get("stop_duration_seconds_sum", "a") == pytest.approx(303.05)


def test_twice_in_one_registry() -> None:
    """A second observer on one registry is refused, rather than counting half of it."""
    metrics = Metrics()
    with pytest.raises(ValueError, match="orchestra_player_up"):
        PrometheusObserver(metrics.registry)


async def test_an_observer_that_comes_late_catches_up() -> None:
    """It knows who plays, how often each came back, and who leads; not who failed before."""
    rows = [
        PlayerStatus("a", "a", "k", State.READY, True, 7.0, uptime=1.0, restarts=1_000_000),
        PlayerStatus(
            "b", "b", "k", State.STARTING, False, 8.0, uptime=0.0, details={"leader": True}
        ),
        PlayerStatus("c", "c", "k", State.READY, True, 9.0, uptime=1.0, details={"leader": True}),
        PlayerStatus("d", "d", "k", State.STOPPED, False, 5.0, restarts=3),
    ]
    metrics = Metrics()
    get = metrics.get
    metrics.observer.catch_up(
        PlayerStatus("", "", "group", State.READY, True, 1.0, uptime=9.0, players=Players(rows))
    )
    assert [get("up", path) for path in (ROOT, "a", "b", "c", "d")] == [1, 1, 1, 1, None]
    assert [get("ready", path) for path in ("a", "b", "c")] == [1, 0, 1]
    assert get("restarts_total", "a") == 1_000_000
    assert get("last_change_timestamp_seconds", "a") == 7.0
    assert (get("leader", "b"), get("leader", "c")) == (None, 1)
    metrics.observer(Stopped("c", 10.0))
    assert (get("up", "c"), get("leader", "c")) == (0, 0)
