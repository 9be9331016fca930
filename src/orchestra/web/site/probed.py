"""What a load balancer, Kubernetes and Prometheus ask: does it live, is it ready, has it started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ...performance import Performance
from ...status import PlayerStatus
from ..api.answers import Refusal, answer
from ..console import rows
from ..console.program import Program


class Probed:
    """The routes for probes, about this program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._metrics: Any = None

    async def livez(self, request: Request) -> Response:
        """200 as long as the loop turns, which this answer has proved."""
        return answer({"live": True})

    async def readyz(self, request: Request) -> Response:
        """200 if all are ready and nothing stops; 503 with the paths of those who are not."""
        missing = unready(self._program.performance.status())
        return answer({"ready": not missing, "unready": missing}, 503 if missing else 200)

    async def startupz(self, request: Request) -> Response:
        """200 once all have been ready, whatever came later."""
        started = has_been_ready(self._program.performance)
        return answer({"started": started}, 200 if started else 503)

    async def metrics(self, request: Request) -> Response:
        """The metrics of the players, and those of the program, in the form of Prometheus."""
        if self._metrics is None:
            self._metrics = Metrics(self._program.performance)
        # Beside the loop: with thousands of players it takes half a second.
        accepted = request.headers.get("accept", "")
        text, kind = await asyncio.to_thread(self._metrics.text, accepted)
        return Response(text, headers={"content-type": kind})

    def close(self) -> None:
        """Take no more note of what happens."""
        if self._metrics is not None:
            self._metrics.close()


def unready(status: PlayerStatus) -> list[str]:
    """The paths of those that keep the tree from being ready; that of its root, if it is all over."""
    return rows.unready(status) or ([] if status.ready else [status.path])


def has_been_ready(performance: Performance) -> bool:
    """Whether the whole tree has been ready once."""
    if performance.root is not None:
        return all(life.was_ready for life in performance.root.lives.values())
    return all(group.was_ready for group in performance.groups or ())


class Metrics:
    """The metrics of one tree, in a registry of its own, from the moment that somebody asks."""

    def __init__(self, performance: Performance) -> None:
        try:
            import prometheus_client
        except ModuleNotFoundError:
            raise Refusal(
                "missing",
                "prometheus-client is not installed: pip install 'orchestra-players[prometheus]'",
            ) from None
        from ...observers.prometheus import PrometheusObserver

        self._shared = prometheus_client.REGISTRY
        self._own = prometheus_client.CollectorRegistry()
        observer = PrometheusObserver(self._own)
        observer.catch_up(performance.status())
        self.close = performance.subscribe(observer)

    def collect(self) -> Iterator[Any]:
        """All metrics, as a registry gives them."""
        theirs = list(self._shared.collect())
        yield from theirs
        # The program may have an observer of its own, over the registry that all share.
        if all(family.name != "orchestra_player_up" for family in theirs):
            yield from self._own.collect()

    def text(self, accepted: str) -> tuple[bytes, str]:
        """All metrics in a form that is accepted, and what kind of text that is."""
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accepted)
        return encode(self), kind
