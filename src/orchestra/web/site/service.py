"""The server of one program while it plays: its sockets, its application, and its end."""

from __future__ import annotations

import asyncio
from typing import Final

from ...errors import OrchestraError
from ...servers.adapter import Options
from ...servers.listener import Listener
from ...servers.place import Place
from ..api.pulse import Pulse
from ..console.program import Program
from .application import site_of
from .connections import GuardedAdapter, Limits
from .door import Rules
from .probed import Probed

LIMITS: Final = Limits()

CUT_WITHIN: Final = 0.5
"""Seconds that what goes on after the end has at the most, once it is cut off."""


class Service:
    """Serves one program at these places; to be opened, and closed in any case, once."""

    def __init__(self, program: Program, rules: Rules) -> None:
        self._program = program
        self._rules = rules
        self._listeners: list[Listener] = []
        self._pulse = Pulse(program.overview, lambda: program.console.recorder.last)
        self._probed = Probed(program)
        self._adapter: GuardedAdapter | None = None

    async def listen(self, place: Place) -> None:
        """Listen at one more place, before it opens. Raises an `OSError` with the address in it."""
        self._listeners.append(await place.open())

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it serves: `http://127.0.0.1:8080`, `unix:/run/a.sock`."""
        return tuple(one for each in self._listeners for one in each.addresses("http"))

    @property
    def tcp(self) -> str | None:
        """The first address that a browser on this machine can open; None without TCP."""
        found = [one for one in self.addresses if not one.startswith("unix:")]
        return _from_here(found[0]) if found else None

    @property
    def port(self) -> int | None:
        """The port of the first address that is one of TCP."""
        return None if self.tcp is None else int(self.tcp.rpartition(":")[2])

    async def open(self) -> None:
        """Serve."""
        app = site_of(self._program, self._pulse, self._probed, self._rules)
        options = Options(addresses=self.addresses, access_log=False)
        self._adapter = GuardedAdapter(app, options, LIMITS)
        await self._adapter.start([sock for one in self._listeners for sock in one.duplicates()])

    async def wait(self) -> None:
        """Until the server fails, which it should not; raises why."""
        assert self._adapter is not None, "it is open"
        await self._adapter.wait()
        raise OrchestraError("uvicorn ended by itself")

    async def close(self, timeout: float) -> None:
        """Let the streams end and requests finish, for so many seconds, and cut off what is left.

        It is nobody's failure if some are.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._pulse.close()
        try:
            await self._program.console.control.close()
            if self._adapter is not None and timeout > 0:
                await self._adapter.drain(timeout * 0.7)
        finally:
            self._probed.close()
            for listener in self._listeners:
                listener.close()
            if self._adapter is not None:
                left = max(0.0, deadline - loop.time())
                await self._adapter.abort(min(CUT_WITHIN, left))


def _from_here(address: str) -> str:
    """The address of a server, for a client on its own machine.

    >>> _from_here("http://0.0.0.0:8080"), _from_here("http://[::]:8080")
    ('http://127.0.0.1:8080', 'http://[::1]:8080')
    """
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
