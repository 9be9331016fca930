"""The static files of the page: those that are there at the start, and no others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ..api.answers import Refusal

FOLDER: Final = Path(__file__).parent / "static"

KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


class Pages:
    """The files of a folder, by their names in it; read once, so that no name leads anywhere else."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): (path.read_bytes(), KINDS[path.suffix])
            for path in sorted(folder.rglob("*"))
            if path.suffix in KINDS and path.is_file()
        }

    async def index(self, request: Request) -> Response:
        """The page."""
        return self._give(request, "index.html")

    async def file(self, request: Request) -> Response:
        """One of the files."""
        return self._give(request, request.path_params["name"])

    def _give(self, request: Request, name: str) -> Response:
        if name not in self._files:
            raise Refusal("unknown", f"there is no page {request.url.path!r}")
        content, kind = self._files[name]
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "no-cache", "content-type": kind}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)
