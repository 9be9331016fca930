"""Traces and metrics of a play in virtual time, as OpenTelemetry's own SDK sees them."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from observers.watching import small_play, watched
from orchestra import Abandoned, Conductor, Context, CutOff, Failed, Ready, Started, Stopping, run
from orchestra.observers.opentelemetry import OpenTelemetryObserver


class Telemetry:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.observer = OpenTelemetryObserver(
            tracer_provider=self.tracers, meter_provider=self.meters
        )

    def spans(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.exporter.get_finished_spans() if one.name == name]

    def points(self, name: str) -> dict[str, Any]:
        found = {}
        data = self.reader.get_metrics_data()
        assert data is not None
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == f"orchestra.player.{name}":
                for point in metric.data.data_points:
                    found[point.attributes["orchestra.player.path"]] = point
        return found


def seconds(span: ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 1e9


@pytest.mark.virtual_time
async def test_a_play_in_spans() -> None:
    """Each run is a span with its failure in it, each stop is one below it."""
    telemetry = Telemetry()
    await watched(telemetry.observer, small_play())
    first, second = telemetry.spans("play jobs.feed")
    assert first.status.status_code is StatusCode.ERROR
    assert first.events[-1].name == "exception"
    assert first.attributes is not None
    assert first.attributes["error.type"] == "OSError"
    assert second.status.is_ok
    assert seconds(first) == pytest.approx(1)
    (jobs,) = telemetry.spans("play jobs")
    assert first.parent is not None
    assert first.parent.span_id == jobs.context.span_id
    (slow,), (stop,) = telemetry.spans("play slow"), telemetry.spans("stop slow")
    assert stop.parent is not None
    assert stop.parent.span_id == slow.context.span_id
    assert seconds(stop) == pytest.approx(2)
    (stuck,) = telemetry.spans("stop stuck")
    assert stuck.status.status_code is StatusCode.ERROR
    (event,) = stuck.events
    assert event.name == "cut off"
    assert event.attributes is not None
    assert "create_future" in str(event.attributes["orchestra.where"])


@pytest.mark.virtual_time
async def test_a_play_in_metrics() -> None:
    """The instruments count what the players went through."""
    telemetry = Telemetry()
    await watched(telemetry.observer, small_play())
    assert telemetry.points("restarts")["jobs.feed"].value == 1
    failures = telemetry.points("failures")["jobs.feed"]
    assert (failures.value, failures.attributes["error.type"]) == (1, "OSError")
    assert telemetry.points("stop.timeouts")["stuck"].value == 1
    assert telemetry.points("stop.duration")["slow"].sum == pytest.approx(2)
    assert {point.value for point in telemetry.points("up").values()} == {0}
    assert {point.value for point in telemetry.points("ready").values()} == {0}


def test_the_end_of_an_abandoned_run() -> None:
    """A run that is abandoned has its span ended, and what is told of it later does no harm."""
    telemetry = Telemetry()
    events = [
        Started("a", 1.0),
        Ready("a", 1.0),
        Ready("a", 1.0),
        CutOff("a", 2.0, "there"),
        Abandoned("a", 3.0, "there"),
        *[Abandoned("a", 3.0), Ready("a", 3.0), CutOff("a", 3.0), Stopping("a", 3.0)],
        Failed("a", 4.0, ValueError("late")),
    ]
    for event in events:
        telemetry.observer(event)
    (span,) = telemetry.spans("play a")
    assert [event.name for event in span.events] == ["ready", "cut off", "abandoned"]
    assert telemetry.points("ready")["a"].value == 0


def test_log_records_carry_the_trace() -> None:
    """A record made in a player has the trace of its run, or that of a span of the program's own."""
    telemetry = Telemetry()
    records: list[Any] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    handler.addFilter(telemetry.observer.log_filter())
    logger = logging.getLogger("program")
    logger.addHandler(handler)
    tracer = telemetry.tracers.get_tracer("program")

    async def worker(ctx: Context) -> None:
        logger.warning("in the run")
        with tracer.start_as_current_span("own"):
            logger.warning("in a span")

    try:
        run(Conductor({"worker": worker}), observers=[telemetry.observer])
        logger.warning("outside")
    finally:
        logger.removeHandler(handler)
    (played,), (own,) = telemetry.spans("play worker"), telemetry.spans("own")
    assert [record.span_id for record in records] == [
        f"{played.context.span_id:016x}",
        f"{own.context.span_id:016x}",
        "",
    ]
    assert records[0].trace_id == f"{played.context.trace_id:032x}"
