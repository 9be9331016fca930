"""The example of a conductor in FastAPI's lifespan, under a real uvicorn."""

import re
import signal
from collections.abc import Iterator

import httpx
import pytest
from example import Example


@pytest.fixture
def served() -> Iterator[tuple[Example, httpx.Client]]:
    with Example("-m", "uvicorn", "in_fastapi:app", "--port", 0) as example:
        found = example.until(lambda: re.search(r"running on (http://\S+)", example.printed))
        with httpx.Client(base_url=found[1], timeout=20) as client:
            yield example, client


def test_it_works_and_ends(served: tuple[Example, httpx.Client]) -> None:
    """The worker works, is ready, and SIGTERM ends both, as uvicorn ends: by the same signal."""
    example, client = served
    assert client.get("/readyz").status_code == 200
    client.post("/jobs/letter").raise_for_status()
    example.until(lambda: client.get("/").json() == ["letter"])
    assert example.end(signal.SIGTERM) == -signal.SIGTERM
    assert "Application shutdown complete" in example.seen


def test_a_failure_is_restarted_and_then_stops_the_server(
    served: tuple[Example, httpx.Client],
) -> None:
    """A worker comes back after a failure; when it gives up, the server ends, and says what failed."""
    example, client = served
    client.post("/jobs/poison").raise_for_status()
    client.post("/jobs/letter").raise_for_status()
    example.until(lambda: client.get("/").json() == ["letter"])
    client.post("/jobs/poison", params={"times": 3}).raise_for_status()
    assert example.end() != 0
    assert "ValueError: this job can't be done" in example.seen
    assert "ConductorError" in example.seen
    assert "Application shutdown failed" in example.seen
