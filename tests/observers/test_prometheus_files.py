"""The dashboard and the alerts that the docs give away."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from orchestra import BackingOff, CutOff, Failed, Ready, Started, Stopped, Stopping
from orchestra.observers.prometheus import PrometheusObserver

FILES = Path(__file__).parents[2] / "docs" / "how-to" / "prometheus"

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed: see scripts/system-packages",
)


def known() -> set[str]:
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry)
    error = ValueError("boom")
    for event in (
        Started("a", 1.0),
        Ready("a", 1.0, {"leader": True}),
        Failed("a", 2.0, error, final=False),
        BackingOff("a", 2.0, 1.0, 1, error),
        Started("a", 3.0, 1),
        Stopping("a", 4.0),
        CutOff("a", 5.0),
        Stopped("a", 6.0),
    ):
        observer(event)
    return {sample.name for family in registry.collect() for sample in family.samples}


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_only_metrics_that_there_are(name: str) -> None:
    """No panel and no rule asks for a metric that nobody keeps."""
    asked = set(re.findall(r"orchestra_player_\w+", (FILES / name).read_text()))
    assert asked
    assert asked <= known()


def test_the_dashboard_is_one() -> None:
    """The file is JSON, and its panels have numbers of their own."""
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers)) > 5


@promtool
@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts-test.yml"]]
)
def test_promtool_agrees(command: list[str]) -> None:
    """Prometheus' own tool accepts the rules, and they fire when they should."""
    done = subprocess.run(["promtool", *command], cwd=FILES, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
