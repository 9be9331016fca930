"""The description of the API, against what the API does."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from orchestra import Conductor, StatusPlayer, playing_in_thread, replicate
from orchestra.testing import FakePlayer
from orchestra.web.api.openapi import DOCUMENT
from orchestra.web.api.routes import Api

EXCLUDED = ["/api/stop", "/api/stream", "/metrics"]
"""The first would end the program under test, the second has no end, the third is no JSON."""

schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path=EXCLUDED)


def test_every_route_is_described() -> None:
    """No route is missing, and none is described that is not there."""
    program: Any = type("Program", (), {"console": None})
    routes = Api(program, None).routes()  # type: ignore[arg-type]
    served = {
        (route.path.replace(":path", ""), method.lower())
        for route in routes
        for method in route.methods or ()
    }
    described = {
        (path, method)
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
        if path.startswith("/api")
    }
    assert served - {pair for pair in served if pair[1] == "head"} == described


def test_the_schemas_are_schemas() -> None:
    """All forms of answers are right by the rules of JSON Schema."""
    for one in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(one)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A served tree in a thread of its own."""
    status = StatusPlayer(port=0, uds=False)
    players = {
        "status": status,
        "a": FakePlayer(),
        "jobs": Conductor({"b": FakePlayer()}, stop_when="never"),
        "copies": replicate(FakePlayer(), 1),
    }
    with playing_in_thread(Conductor(players, stop_when="never")):
        yield str(status.url)


@schema.parametrize()
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: Any, address: str) -> None:
    """Whatever is asked, right or wrong, the answer is one that is described."""
    base, _, token = address.partition("/#token=")
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(base_url=base, headers=headers)
