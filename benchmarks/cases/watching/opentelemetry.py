"""OpenTelemetry, with its SDK and no exporter."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from harness.players import watch
from orchestra.observers.opentelemetry import OpenTelemetryObserver

traces, metrics = TracerProvider(shutdown_on_exit=False), MeterProvider(shutdown_on_exit=False)
watch(
    lambda performance: performance.subscribe(
        OpenTelemetryObserver(tracer_provider=traces, meter_provider=metrics)
    )
)
