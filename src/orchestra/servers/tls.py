"""Certificates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .explained import explained

FilePath = str | os.PathLike[str]
Tls = ssl.SSLContext | tuple[FilePath, FilePath]
"""What is accepted as `tls`: a context, or the files of a certificate and of its key."""

_PATHS: Final = (str, os.PathLike)


def check_tls(tls: Any) -> Tls | None:
    """The same, if it makes sense; `TypeError` or `ValueError` otherwise."""
    if tls is None:
        return None
    if isinstance(tls, ssl.SSLContext):
        if tls.protocol is ssl.PROTOCOL_TLS_CLIENT:
            raise ValueError("tls is a context for clients: a server needs PROTOCOL_TLS_SERVER")
        return tls
    if isinstance(tls, (tuple, list)) and len(tls) == 2:
        certificate, key = tls
        if isinstance(certificate, _PATHS) and isinstance(key, _PATHS):
            return certificate, key
    raise TypeError(f"tls must be an ssl.SSLContext or (certfile, keyfile), not {tls!r}")


class Certificate:
    """The files of a certificate and of its key, and what was in them when they were read last.

    `context` serves with that. Raises an `OSError` (`ssl.SSLError` is one) that names the files and what
    they are for.
    """

    def __init__(
        self, certfile: FilePath, keyfile: FilePath, alpn: Sequence[str], address: str
    ) -> None:
        self.certfile = os.fspath(certfile)
        self.keyfile = os.fspath(keyfile)
        self._alpn = list(alpn)
        self._address = address
        self._newest, self.chain, self.key = self._read()
        self.context = self._newest
        # Called at each handshake, also where the client names no server.
        self.context.sni_callback = self._offer_the_newest

    def renew(self) -> None:
        """Read the files again; if they are bad, what was in them before stays in use."""
        self._newest, self.chain, self.key = self._read()

    def _read(self) -> tuple[ssl.SSLContext, bytes, bytes]:
        what = f"can't serve {self._address} with certificate {self.certfile!r} and key {self.keyfile!r}"
        with explained(what):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # Without a password here, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(self.certfile, self.keyfile, password="")
            if self._alpn:
                context.set_alpn_protocols(self._alpn)
            return context, Path(self.certfile).read_bytes(), Path(self.keyfile).read_bytes()

    def _offer_the_newest(self, ssl_object: Any, name: str | None, context: ssl.SSLContext) -> None:
        # Another context for this connection, and not another certificate in the one context: half of
        # a pair that does not fit would be loaded into that before the error comes.
        if self._newest is not context:
            ssl_object.context = self._newest
