"""Certificates."""

from __future__ import annotations

import os
import ssl
from typing import Any, Final

from .explained import explained

Path = str | os.PathLike[str]
Tls = ssl.SSLContext | tuple[Path, Path]
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


def load_tls(tls: Tls | None, address: str) -> ssl.SSLContext | None:
    """The context to serve with; the files are read anew each time, since certificates are renewed.

    Raises an `OSError` (`ssl.SSLError` is one) that names the files and the address.
    """
    if tls is None or isinstance(tls, ssl.SSLContext):
        return tls
    certificate, key = os.fspath(tls[0]), os.fspath(tls[1])
    with explained(f"can't serve {address} with certificate {certificate!r} and key {key!r}"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without a password here, OpenSSL would ask for that of an encrypted key on the terminal.
        context.load_cert_chain(certificate, key, password="")
        context.set_alpn_protocols(["http/1.1"])
    return context
