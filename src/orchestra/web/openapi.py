"""The description of the API, in the form of OpenAPI."""

from typing import Any, Final

DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Orchestra", "version": "1"},
    "paths": {},
}
