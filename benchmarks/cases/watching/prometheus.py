"""Prometheus."""

from prometheus_client import CollectorRegistry

from harness.players import watch
from orchestra.observers.prometheus import PrometheusObserver

watch(lambda performance: performance.subscribe(PrometheusObserver(CollectorRegistry())))
