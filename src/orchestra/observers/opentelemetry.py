"""Traces and metrics of the players: `pip install 'orchestra-players[opentelemetry]'`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from ..errors import not_installed
from ..events import (
    Abandoned,
    BackingOff,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from ..log import player_path, want_path

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, Status, StatusCode
except ModuleNotFoundError as missing:
    raise not_installed(missing.name, "opentelemetry") from None

PATH: Final = "orchestra.player.path"
ERROR_TYPE: Final = "error.type"


@dataclass(slots=True)
class _Run:
    """The open spans of a run."""

    span: Span
    ready: bool = False
    stop: Span | None = None
    asked_at: float = 0.0


class OpenTelemetryObserver:
    """Makes a span of each run of a player and of its stop, and keeps metrics.

    The span of a run is named `play <path>`, with an event `ready`, and has the exception if the run
    failed; the stop is a span `stop <path>` below it. Metrics, by `orchestra.player.path`:

    | instrument | what it says |
    |---|---|
    | `orchestra.player.up`, `orchestra.player.ready` | runs that go on; that serve |
    | `orchestra.player.restarts` | how often it came back |
    | `orchestra.player.failures` | failed runs, by `error.type` |
    | `orchestra.player.stop.timeouts` | how often it was cut off |
    | `orchestra.player.stop.duration` | seconds from being asked to stop to the end |

    The providers are the global ones unless given. `log_filter()` joins log records with the traces.
    To be called in one thread at a time, as a tree does.

    >>> import orchestra
    >>> async def main(ctx): ...
    >>> orchestra.run(orchestra.Conductor({"main": main}), observers=[OpenTelemetryObserver()])
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("orchestra", tracer_provider=tracer_provider)
        meter = metrics.get_meter("orchestra", meter_provider=meter_provider)
        self._up = meter.create_up_down_counter(
            "orchestra.player.up", "{player}", "Runs that go on."
        )
        self._ready = meter.create_up_down_counter(
            "orchestra.player.ready", "{player}", "Runs that serve."
        )
        self._restarts = meter.create_counter(
            "orchestra.player.restarts", "{restart}", "How often the player came back."
        )
        self._failures = meter.create_counter(
            "orchestra.player.failures", "{failure}", "Runs that failed."
        )
        self._stop_timeouts = meter.create_counter(
            "orchestra.player.stop.timeouts", "{timeout}", "How often the player was cut off."
        )
        self._stop_duration = meter.create_histogram(
            "orchestra.player.stop.duration", "s", "From being asked to stop to the end."
        )
        self._runs: dict[str, _Run] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        path = event.path
        attributes = {PATH: path}
        run = self._runs.get(path)
        match event:
            case Started(restarts=restarts):
                self._start(event, restarts)
            case Ready() if run is not None and not run.ready:
                run.ready = True
                run.span.add_event("ready", timestamp=_nanoseconds(event.time))
                self._ready.add(1, attributes)
            case Failed(error=error):
                self._failures.add(1, {**attributes, ERROR_TYPE: _type_of(error)})
                if run is not None:
                    run.span.record_exception(error, timestamp=_nanoseconds(event.time))
                    run.span.set_attribute(ERROR_TYPE, _type_of(error))
                    run.span.set_status(Status(StatusCode.ERROR, str(error)))
                    self._end(event, run)
            case Stopping(reason=reason) if run is not None and run.stop is None:
                self._begin_stop(event, run, reason)
            case CutOff(where=where):
                self._stop_timeouts.add(1, attributes)
                if run is not None:
                    self._tell_late(event, run, "cut off", where)
            case Abandoned(where=where) if run is not None:
                self._tell_late(event, run, "abandoned", where)
                self._end(event, run)
            case Stopped() | Skipped() | BackingOff() if run is not None:
                self._end(event, run)

    def log_filter(self) -> logging.Filter:
        """A filter that puts `trace_id` and `span_id` of the current player's run on log records.

        A record that is made inside of a span of the program's own gets that one's. Both are
        hexadecimal, as OpenTelemetry shows them, and empty outside of all players. Make it
        before the players start. Safe to use in any thread.
        """
        return _TraceFilter(self._runs)

    def _start(self, event: Event, restarts: int) -> None:
        above = self._above(event.path)
        context = None if above is None else trace.set_span_in_context(above.span)
        span = self._tracer.start_span(
            f"play {event.path or 'conductor'}",
            context=context,
            attributes={PATH: event.path, "orchestra.player.restarts": restarts},
            start_time=_nanoseconds(event.time),
        )
        self._runs[event.path] = _Run(span)
        self._up.add(1, {PATH: event.path})
        if restarts:
            self._restarts.add(1, {PATH: event.path})

    def _above(self, path: str) -> _Run | None:
        while path:
            path = path.rpartition(".")[0]
            run = self._runs.get(path)
            if run is not None:
                return run
        return None

    def _begin_stop(self, event: Event, run: _Run, reason: object) -> None:
        run.asked_at = event.time
        run.stop = self._tracer.start_span(
            f"stop {event.path or 'conductor'}",
            context=trace.set_span_in_context(run.span),
            attributes={PATH: event.path, "orchestra.stop.reason": str(reason)},
            start_time=_nanoseconds(event.time),
        )
        self._serve_no_more(event.path, run)

    def _tell_late(self, event: Event, run: _Run, what: str, where: str) -> None:
        span = run.stop or run.span
        span.add_event(what, {"orchestra.where": where}, _nanoseconds(event.time))
        span.set_status(Status(StatusCode.ERROR, what))
        self._serve_no_more(event.path, run)

    def _serve_no_more(self, path: str, run: _Run) -> None:
        if run.ready:
            run.ready = False
            self._ready.add(-1, {PATH: path})

    def _end(self, event: Event, run: _Run) -> None:
        del self._runs[event.path]
        self._serve_no_more(event.path, run)
        self._up.add(-1, {PATH: event.path})
        if run.stop is not None:
            run.stop.end(_nanoseconds(event.time))
            self._stop_duration.record(max(0.0, event.time - run.asked_at), {PATH: event.path})
        run.span.end(_nanoseconds(event.time))


class _TraceFilter(logging.Filter):
    def __init__(self, runs: dict[str, _Run]) -> None:
        super().__init__()
        self._runs = runs
        want_path()

    def filter(self, record: logging.LogRecord) -> bool:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            run = self._runs.get(getattr(record, "path", None) or player_path.get())
            if run is not None:
                context = run.span.get_span_context()
        valid = context.is_valid
        record.trace_id = trace.format_trace_id(context.trace_id) if valid else ""
        record.span_id = trace.format_span_id(context.span_id) if valid else ""
        return True


def _nanoseconds(time: float) -> int:
    return round(time * 1e9)


def _type_of(error: BaseException) -> str:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__
