"""Applications that go to another process: pickled, or found there by their name."""

import pickle
import sys
import types
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar
from server_kit import get
from starlette.applications import Starlette

from orchestra import ServerPlayer, playing

fastapi, starlette, litestar, flask = (
    FastAPI(),
    Starlette(),
    Litestar([], logging_config=None),
    Flask(__name__),
)


@fastapi.get("/")
async def hello() -> str:
    return "hello"


class OldStyle:
    """An application of ASGI 2."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None: ...


def at_the_other_end(player: ServerPlayer) -> ServerPlayer:
    received: ServerPlayer = pickle.loads(pickle.dumps(player))
    return received


@pytest.mark.parametrize("app", [fastapi, starlette, litestar, flask], ids=lambda app: type(app))
def test_an_application_with_a_name_is_found_by_it(app: Any) -> None:
    """The value of a name at the top level of a module is the same there."""
    assert at_the_other_end(ServerPlayer(app))._app is app


def test_an_application_without_a_name_is_pickled() -> None:
    """It takes with it what it holds."""
    counting = Counting()
    counting.served = 3
    received = at_the_other_end(ServerPlayer(counting))._app
    assert received is not counting
    assert received.served == 3


class Counting:
    served = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def test_an_application_that_is_prepared_is_prepared_there() -> None:
    """One of the old style gets what makes it a new one."""
    player = ServerPlayer(OldStyle)
    assert at_the_other_end(player)._app is not OldStyle


def test_a_name_in_the_program_itself_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main module is imported there as well, if it is a file."""
    app = FastAPI()
    main = types.ModuleType("__main__")
    main.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(Exception, match=r"local object|pickle"):
        pickle.dumps(ServerPlayer(app))
    main.__file__ = "program.py"
    assert at_the_other_end(ServerPlayer(app))._app is app


def test_an_application_that_has_no_name_and_can_not_be_pickled_stays() -> None:
    """What can't be pickled and stands nowhere fails as it is pickled."""
    with pytest.raises(Exception, match=r"local object|pickle"):
        pickle.dumps(ServerPlayer(FastAPI()))


@pytest.mark.real_time
async def test_a_copy_of_an_application_with_a_name_serves() -> None:
    """It is served as if it had never been away."""
    async with playing(at_the_other_end(ServerPlayer(fastapi, port=0))) as performance:
        (url,) = performance.status().details["addresses"]  # type: ignore[misc]
        assert await get(url) == '"hello"'
