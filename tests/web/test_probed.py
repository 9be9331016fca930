"""What Kubernetes, a load balancer and Prometheus ask."""

import asyncio
import sys
from collections.abc import Iterator

import httpx
import prometheus_client
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as families

from orchestra import Conductor, Context, Performance, StatusPlayer, restarting
from orchestra.observers.prometheus import PrometheusObserver
from orchestra.testing import FakePlayer, fails, plays, slow_stop
from orchestra.web.site.probed import has_been_ready
from served import served

pytestmark = pytest.mark.real_time


async def test_all_is_well(uds: str) -> None:
    """With all ready, every probe is content, without a token."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        for client in (tree.unix, tree.tcp):
            for path, answer in (
                ("/livez", {"live": True}),
                ("/readyz", {"ready": True, "unready": []}),
                ("/startupz", {"started": True}),
            ):
                found = await client.get(path, headers={"authorization": ""})
                assert (found.status_code, found.json()) == (200, {"version": 1, **answer})


async def test_who_is_not_ready_is_named(uds: str) -> None:
    """A player that backs off makes the program unready; it has started all the same, and lives."""
    flaky = restarting(FakePlayer(plays(), fails(ValueError("no"))), [60])
    async with served(uds, {"jobs": Conductor({"flaky": flaky})}) as tree:
        await tree.post("/api/players/jobs.flaky/restart", wait=False)
        while (answer := await tree.unix.get("/readyz")).status_code != 503:
            await asyncio.sleep(0.01)
        assert answer.json() == {"version": 1, "ready": False, "unready": ["jobs.flaky"]}
        assert (await tree.unix.get("/startupz")).status_code == 200
        assert (await tree.unix.get("/livez")).status_code == 200


async def test_before_all_were_ready_it_has_not_started(uds: str) -> None:
    """As long as one has never been ready, the start goes on."""
    slow = FakePlayer(ready_after=0.3)
    ctx = Context()
    conductor = Conductor({"status": StatusPlayer(uds=uds), "slow": slow})
    task = asyncio.ensure_future(conductor.play(ctx))
    transport = httpx.AsyncHTTPTransport(uds=uds, verify=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://program") as client:
        while True:
            try:
                answer = await client.get("/startupz")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.01)
        assert (answer.status_code, answer.json()["started"]) == (503, False)
        while (await client.get("/startupz")).status_code != 200:
            await asyncio.sleep(0.02)
    ctx.cancel()
    await task


async def test_while_it_stops_it_is_not_ready(uds: str) -> None:
    """From the first moment of the stop on nobody sends more work."""
    async with served(uds, {"slow": FakePlayer(slow_stop(0.2))}) as tree:
        tree.performance.stop()
        answer = await tree.unix.get("/readyz")
        assert answer.status_code == 503
        assert "slow" in answer.json()["unready"]


async def test_metrics(uds: str) -> None:
    """The metrics of all players are there from the first time on, with what came before."""
    async with served(uds, {"a": FakePlayer(), "idle": FakePlayer()}) as tree:
        await tree.post("/api/players/a/restart")
        await tree.post("/api/players/idle/stop")
        answer = await tree.tcp.get("/metrics", headers={"authorization": ""})
        assert answer.headers["content-type"].startswith("text/plain; version=")
        lines = answer.text.splitlines()
        assert 'orchestra_player_up{path="a"} 1.0' in lines
        assert 'orchestra_player_ready{path="status"} 1.0' in lines
        assert 'orchestra_player_restarts_total{path="a"} 1.0' in lines
        assert not any('path="idle"' in line for line in lines)
        assert any(line.startswith("python_info") for line in lines)
        await tree.post("/api/players/a/restart")
        lines = (await tree.unix.get("/metrics")).text.splitlines()
        assert 'orchestra_player_restarts_total{path="a"} 2.0' in lines


async def test_metrics_in_the_form_that_is_asked_for(uds: str) -> None:
    """As OpenMetrics for who accepts that, with all families once, and one end."""
    async with served(uds, {"a": FakePlayer()}) as tree:
        accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"
        answer = await tree.tcp.get("/metrics", headers={"accept": accept})
        assert answer.headers["content-type"].startswith("application/openmetrics-text;")
        assert answer.text.count("# EOF") == 1
        found = {family.name: family for family in openmetrics(answer.text)}
        labels = [sample.labels for sample in found["orchestra_player_up"].samples]
        assert {"path": "a"} in labels
        plain = await tree.unix.get("/metrics")
        assert sorted(set(found) - {one.name for one in families(plain.text)}) == []


@pytest.fixture
def observer() -> Iterator[PrometheusObserver]:
    before = set(prometheus_client.REGISTRY._collector_to_names)
    yield PrometheusObserver()
    for collector in set(prometheus_client.REGISTRY._collector_to_names) - before:
        prometheus_client.REGISTRY.unregister(collector)


async def test_an_observer_of_the_programs_own(uds: str, observer: PrometheusObserver) -> None:
    """Where the program keeps these metrics itself, they are there once."""
    async with served(uds) as tree:
        tree.performance.subscribe(observer)
        await tree.performance.restart("status")
        text = (await tree.unix.get("/metrics")).text
        assert text.count("# TYPE orchestra_player_up gauge") == 1


async def test_metrics_without_the_library(uds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says how to install what is missing."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with served(uds) as tree:
        answer = await tree.unix.get("/metrics")
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "missing")
        assert "orchestra-players[prometheus]" in answer.json()["error"]["message"]


async def test_a_tree_over_a_bare_context() -> None:
    """A conductor that nobody supervises has been ready when all of its players have been."""
    ctx = Context()
    performance = Performance.over(ctx)
    task = asyncio.ensure_future(Conductor({"a": FakePlayer(ready_after=0.05)}).play(ctx))
    await asyncio.sleep(0)
    assert not has_been_ready(performance)
    while not performance.status().ready:
        await asyncio.sleep(0.01)
    assert has_been_ready(performance)
    ctx.cancel()
    await task
