"""Messages between a process and its parent: pickled tuples, each with its length before it."""

from __future__ import annotations

import asyncio
import pickle
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

_LENGTH: Final = struct.Struct("!Q")
_AT_ONCE: Final = 1 << 18
"""Bytes that are read at a time."""

MOST_WAITING: Final = 10_000
"""Messages that may wait in the child until the parent reads: then those that can be spared are lost."""


def framed(message: tuple[Any, ...]) -> bytes:
    """A message as it is sent."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Takes in bytes as they come, and gives out whole messages, still pickled."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with these bytes."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            message = bytes(memoryview(self._buffer)[_LENGTH.size : end])
            del self._buffer[:end]
            yield message


class Wire:
    """The parent's end, which reads and writes in the loop and never waits."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_message: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop, self._sock = loop, sock
        self._on_message, self._on_end = on_message, on_end
        self._frames = Frames()
        self._unsent = bytearray()
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._read)

    def send(self, *message: object) -> None:
        """Send this as soon as the child takes it; nothing, where it is gone."""
        if self._sock.fileno() < 0:
            return
        if not self._unsent:
            self._loop.add_writer(self._sock.fileno(), self._write)
        self._unsent += framed(message)
        self._write()

    def _write(self) -> None:
        try:
            with memoryview(self._unsent) as unsent:
                sent = self._sock.send(unsent)
            del self._unsent[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # nobody is there to read it
        if not self._unsent:
            self._loop.remove_writer(self._sock.fileno())

    def _read(self) -> None:
        if not self._take():
            self._loop.remove_reader(self._sock.fileno())
            self._on_end()

    def _take(self) -> bool:
        """Read once: whether the other end is still there."""
        try:
            data = self._sock.recv(_AT_ONCE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for message in self._frames.feed(data):
            self._on_message(message)
        return bool(data)

    def drain(self) -> None:
        """Read what is there, and no more after that: nobody is left who could send."""
        if self._sock.fileno() < 0:
            return
        size = len(self._frames._buffer) - 1
        while self._take() and size != len(self._frames._buffer):
            size = len(self._frames._buffer)

    def close(self) -> None:
        """Be done with it."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()


class Line:
    """The child's end, in two threads of its own, so that it works while the loop is blocked."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._frames = Frames()
        self._waiting: list[bytes] = []
        self._out: queue.SimpleQueue[bytes | threading.Event | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="orchestra to parent", daemon=True)
        self._writer.start()

    def receive(self) -> tuple[Any, ...]:
        """Wait for the next message. Raises `EOFError` when the parent is gone."""
        while not self._waiting:
            try:
                data = self._sock.recv(_AT_ONCE)
            except OSError:
                data = b""
            if not data:
                raise EOFError("the parent is gone")
            self._waiting += self._frames.feed(data)
        message: tuple[Any, ...] = pickle.loads(self._waiting.pop(0))
        return message

    def listen(self, on_message: Callable[..., None], on_end: Callable[[], None]) -> None:
        """From now on, call one function with each message, and the other at the end."""

        def read() -> None:
            while True:
                try:
                    message = self.receive()
                except EOFError:
                    return on_end()
                on_message(*message)

        threading.Thread(target=read, name="orchestra from parent", daemon=True).start()

    def send(self, *message: object) -> None:
        """Send this when those before it have been sent; from any thread."""
        self._out.put(framed(message))

    def offer(self, *message: object) -> bool:
        """Send this, unless too many wait already: whether it will be."""
        if self._out.qsize() >= MOST_WAITING:
            return False
        self.send(*message)
        return True

    def _write(self) -> None:
        while (data := self._out.get()) is not None:
            if isinstance(data, threading.Event):
                data.set()
                continue
            try:
                self._sock.sendall(data)
            except OSError:
                return  # whoever reads learns it too, and acts on it

    def wait_until_sent(self, seconds: float) -> None:
        """Wait until all has been sent so far, and no longer than this: the parent may be busy."""
        sent = threading.Event()
        self._out.put(sent)
        sent.wait(seconds)

    def flush(self) -> None:
        """Wait until all has been sent; nothing can be sent after that."""
        self._out.put(None)
        self._writer.join()

    def close(self) -> None:
        """Be done with it, as a process has to that was forked off, and has no business here."""
        self._sock.close()
