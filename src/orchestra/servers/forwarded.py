"""What a proxy in front of uvicorn says about its clients."""

from __future__ import annotations

from typing import Any, Final

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

PREFIX: Final = b"x-forwarded-"


class Forwarded:
    """An application behind uvicorn's middleware for such headers, for requests that have any.

    Others are spared its way, which makes up for ours: together they take as long as it would alone.
    """

    def __init__(self, app: Any, trusted: Any) -> None:
        self._app = app
        self._behind_proxy = ProxyHeadersMiddleware(app, trusted)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """What is to be awaited."""
        for header in scope["headers"]:
            if header[0].startswith(PREFIX):
                return self._behind_proxy(scope, receive, send)
        return self._app(scope, receive, send)
