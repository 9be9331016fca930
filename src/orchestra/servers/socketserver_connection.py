"""One connection of a `socketserver`: what it is doing, as far as its socket tells."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

HANDSHAKE_WITHIN: Final = 10.0
"""Seconds for a TLS handshake, in the thread of the request."""

BREATH: Final = 0.05
"""Seconds after an answer, and after the stop has begun, in which a client may go on."""


class _WithAttributes(socket.socket):
    """A socket whose methods can be replaced, as those of an `SSLSocket` can be."""


class Connection:
    """Watches a socket: a handler that waits for its client can be told to end, any other can't.

    The handler is told by the end of what its client sends. What has come by then it still reads, and
    can answer.
    """

    def __init__(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        accepted.setblocking(True)
        self.thread: int | None = None
        self._hears = False  # waits for the client right now
        self._heard = 0  # bytes since it has answered last
        self._last = time.monotonic()  # that anything came or went
        self._answered = False
        self._let_go = False
        self._cut = False
        if tls is None:
            self.sock: Any = _WithAttributes(fileno=accepted.detach())
        else:
            # Its handshake takes place when the handler begins, in that one's thread.
            self.sock = tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._is_tls = tls is not None
        for name in ("recv", "recv_into"):
            setattr(self.sock, name, self._hearing(getattr(self.sock, name)))
        for name in ("send", "sendall"):
            setattr(self.sock, name, self._speaking(getattr(self.sock, name)))

    def shake_hands(self) -> bool:
        """The handshake of TLS, if there is one; whether there is somebody to serve."""
        if not self._is_tls:
            return True
        self._hears = True
        try:
            self.sock.settimeout(HANDSHAKE_WITHIN)
            self.sock.do_handshake()
            self.sock.settimeout(None)
        except (OSError, ValueError):
            return False
        finally:
            self._hears = False
        return not self._cut

    def say_goodbye(self) -> None:
        """Tell a TLS client that what it got is all of it."""
        if self._is_tls:
            try:
                self.sock.settimeout(0)
                self.sock.unwrap()
            except (OSError, ValueError):
                pass  # ours has been sent, its own is not waited for

    def is_busy(self) -> bool:
        """Whether a handler is at work, or its client in the middle of a request."""
        return not self._hears or self._heard > 0

    def bid_farewell(self, patience: float, passed: float) -> None:
        """Let go of a client that is waited for, soon if it has had its answer.

        One that has just come, or has not said all, gets more time for that.
        """
        if not self._hears:
            return
        silent = time.monotonic() - self._last
        if self._answered and not self._heard and not self._let_go:
            if min(silent, passed) >= min(BREATH, patience):
                self._let_go = True
                self._shut(socket.SHUT_RD)
        elif min(silent, passed) >= patience:
            self.cut()

    def cut(self) -> None:
        """Cut it off: the handler gets an error where it reads or writes, now or later."""
        self._cut = self.sock.is_cut = True
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        try:
            # That of an SSLSocket would end the encryption as well, under the hands of its reader.
            socket.socket.shutdown(self.sock, how)
        except OSError:
            pass  # the client has gone

    def _hearing(self, receive: Callable[..., Any]) -> Callable[..., Any]:
        def hearing(*args: Any, **kwargs: Any) -> Any:
            self._hears = True
            try:
                received = receive(*args, **kwargs)
                size = received if isinstance(received, int) else len(received)
                self._heard += size
                self._last = time.monotonic()
            finally:
                self._hears = False
            if self._cut:
                # The end of what has come would be taken for the end of a request.
                raise ConnectionAbortedError("the server has stopped")
            return received

        return hearing

    def _speaking(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def speaking(*args: Any, **kwargs: Any) -> Any:
            sent = send(*args, **kwargs)
            self._heard, self._answered = 0, True
            self._last = time.monotonic()
            return sent

        return speaking
