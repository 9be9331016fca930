"""Where a page is to be served, as it is said on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is served; port 0 is one that is free."""

    host: str = LOOPBACK
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """An address such as `8080`, `localhost:8080` or `[::1]:8080`; raises `ValueError`.

        >>> Address.parse("8080")
        Address(host='127.0.0.1', port=8080)
        """
        host, colon, port = text.rpartition(":")
        if not colon and not text.isdecimal():
            host, port = text, ""
        if text.startswith("[") and text.endswith("]"):
            host, port = text, ""
        usable = not port or (port.isascii() and port.isdecimal() and int(port) < 65536)
        if not usable or any(sign in host for sign in " /@"):
            raise ValueError(f"{text!r} is no address: write 8080, or localhost:8080")
        host = host.removeprefix("[").removesuffix("]")
        return cls(host or LOOPBACK, int(port or 0))
