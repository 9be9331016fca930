"""Hypercorn, with an ASGI application."""

from typing import Any

from asgi_script import asgi_app
from script import Script
from subject_http import HttpSubject


class Hypercorn(HttpSubject):
    name = "hypercorn"
    kwargs = {"server": "hypercorn"}
    access_logger = "hypercorn.access"
    lacks = {"crash": "hypercorn has no loop of its own: asyncio accepts, each client has a task"}

    def app(self, script: Script) -> Any:
        return asgi_app(script)
