"""Uvicorn, with an ASGI application."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_script import asgi_app
from script import Script
from subject_http import HttpSubject


class Uvicorn(HttpSubject):
    name = "uvicorn"
    access_logger = "uvicorn.access"

    def app(self, script: Script) -> Any:
        return asgi_app(script)

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        import uvicorn

        crashing = asyncio.Event()

        async def main_loop(self: uvicorn.Server) -> None:
            await crashing.wait()
            raise RuntimeError("the loop of the server is broken")

        monkeypatch.setattr(uvicorn.Server, "main_loop", main_loop)
        return crashing.set
