"""The status page and the control API of a tree, as one of its players."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from ..context import Context
from ..errors import OrchestraError, not_installed
from ..log import report
from ..performance import Performance
from ..servers.place import Place, checked_place
from .company import Company
from .console.console import Console
from .console.program import Program, Reloader, name_of_program
from .directory import LONGEST, remove_stale, socket_path

if TYPE_CHECKING:
    from .site.service import Service

LOGGER: Final = "orchestra.web/status"
"""Where a status is served is told here: not the logger of any group, whose names have no `/`."""

log = logging.getLogger(LOGGER)

MODE: Final = 0o600
"""The mode of the Unix socket: it is its owner's alone."""

MARGIN: Final = 0.2
"""The share of the time left to stop in that is kept back for its own end, while others still stop."""

MOST_MARGIN: Final = 1.0
"""And no more than so many seconds of it."""

END_WITHIN: Final = 1.0
"""Seconds that requests have to finish, and streams to end, once nobody is left to be shown."""


class StatusPlayer:
    """Shows and steers the tree that it plays in: a page, a JSON API, probes and metrics.

    It needs `pip install 'orchestra-players[web]'`.

    - `port`: serve over TCP as well, on this port; with 0, any that is free, and the same after a
      restart. Without, there is none.
    - `host`: where; other machines can connect only if it is given another address than this one's.
    - `uds`: the path of the Unix socket; without, it is in the user's runtime directory, where the
      command line looks for it. `False`: there is none.
    - `name`: how the program is called; without, by its file.
    - `read_only`: everything can be seen, and nothing changed.
    - `hosts`: names by which browsers may come over TCP, beside addresses and `localhost`.
    - `console`: what records the lines and events; without, one of its own.
    - `file`: what is played, where that is a file, and `reloader`: an async function that is called
      with `dry_run`, reads that file again, and returns its `changes` and whether they were `applied`.

    The Unix socket can be opened by its owner alone. Over TCP the API asks for a token, which each
    `StatusPlayer` makes for itself and is part of `url`; what is asked by probes and by Prometheus is open.

    It is the last to stop, and shows how the others do. It does not hold them up: it never uses up the
    time to stop, and when all others have ended by themselves, it ends too.

    Raises at once `TypeError` or `ValueError` for arguments that make no sense, and
    `ModuleNotFoundError` without the libraries. An instance serves one tree at a time. Its methods are
    for the loop's thread.

    >>> from orchestra import Conductor, StatusPlayer
    >>> async def work(ctx):
    ...     await ctx.wait()
    >>> Conductor({"status": StatusPlayer(port=8080), "work": work})
    <Conductor of 2 players>
    """

    kind = "status"
    signals_ready = True
    lingers = True  # a supervisor does not blame it for having been there to the last

    def __init__(
        self,
        *,
        port: int | None = None,
        host: str = "127.0.0.1",
        uds: str | os.PathLike[str] | Literal[False] | None = None,
        name: str | None = None,
        read_only: bool = False,
        hosts: Collection[str] = (),
        console: Console | None = None,
        file: str | os.PathLike[str] | None = None,
        reloader: Reloader | None = None,
    ) -> None:
        for module in ("starlette", "uvicorn"):
            if find_spec(module) is None:
                raise not_installed(module, "web")
        self._tcp = None if port is None else checked_place(host, port, None, MODE, None, False)
        self._uds: str | Literal[False] | None = _checked_uds(uds)
        if self._tcp is None and self._uds is False:
            raise ValueError("uds=False and no port: there is nowhere to serve")
        self._name = name_of_program() if name is None else _checked_text("name", name)
        self._read_only = bool(read_only)
        self._hosts = _checked_hosts(hosts) | {host.lower()}
        self._console = Console() if console is None else console
        self._file = None if file is None else os.fspath(file)
        self._reloader = reloader
        # One for all its starts: a page that is open finds it again after a restart.
        self._token = secrets.token_urlsafe(32)  # 256 bits
        self._url: str | None = None
        self._port: int | None = None  # that it was given, where any would do

    def __repr__(self) -> str:
        places = [] if self._tcp is None else [str(self._tcp)]
        if self._uds is not False:
            places.append("unix" if self._uds is None else f"unix:{self._uds}")
        return f"StatusPlayer({', '.join(places)})"

    @property
    def url(self) -> str | None:
        """The address of the page while it is served, with the token; None without TCP.

        Whoever has it can do all that can be done here.
        """
        return self._url

    async def play(self, ctx: Context) -> None:
        """Serve the tree that `ctx` belongs to, until it stops or all others have ended.

        Raises an `OSError` with the address in it if it can't listen there, and `OrchestraError` if
        `ctx` belongs to no tree.
        """
        if ctx.done():
            return
        performance = ctx.performance
        if performance is None:
            raise OrchestraError("a StatusPlayer shows the tree that it plays in: add it to one")
        async with self._served(performance, ctx.path, lambda: _left(ctx)) as service:
            ctx.ready(addresses=service.addresses)
            with Company(ctx, performance) as company:
                await _first_of(ctx.wait(), company.until_alone(), service.wait())
                await _first_of(company.until_last(_left_to_linger(ctx)), service.wait())

    @asynccontextmanager
    async def serving(self, performance: Performance) -> AsyncIterator[StatusPlayer]:
        """Serve a tree that this does not play in, until the end of the body.

        Raises an `OSError` with the address in it if it can't listen there.

            async with playing(conductor) as performance, status.serving(performance):
                ...
        """
        async with self._served(performance, None, lambda: END_WITHIN) as service:
            log.info("the status is served at %s", " and ".join(service.addresses))
            watching = asyncio.create_task(service.wait(), name="watches the status page")
            watching.add_done_callback(_tell_of_failure)
            try:
                yield self
            finally:
                watching.cancel()

    @asynccontextmanager
    async def _served(
        self, performance: Performance, own: str | None, left: Callable[[], float]
    ) -> AsyncIterator[Service]:
        from .site.door import Rules
        from .site.service import Service

        token = self._token
        with self._console.opened(performance, own=own) as console:
            program = Program(console, self._name, self._file, self._read_only, self._reloader)
            service = Service(program, Rules(token, self._hosts, self._read_only))
            try:
                await self._listen(service)
                if service.tcp is not None:
                    program.url = self._url = f"{service.tcp}/#token={token}"
                await service.open()
                yield service
            finally:
                self._url = None
                await service.close(max(0.0, left()))

    async def _listen(self, service: Service) -> None:
        if self._tcp is not None:
            await self._listen_on_tcp(service, self._tcp)
        if self._uds is False:
            return
        try:
            if self._uds is None:
                remove_stale()
                await service.listen(_unix(socket_path(self._name, os.getpid())))
            else:
                await service.listen(_unix(self._uds))
        except OSError as error:
            if self._tcp is None or self._uds is not None:
                raise
            # Nobody has asked for it by name, as in a container that can't write anywhere.
            log.warning("the command line can't see this program: %s", error)

    async def _listen_on_tcp(self, service: Service, place: Place) -> None:
        if self._port is not None:
            # After a restart a page that is open looks for it where it was.
            with suppress(OSError):
                await service.listen(replace(place, port=self._port))
                return
        await service.listen(place)
        self._port = service.port


def _left(ctx: Context) -> float:
    left = ctx.remaining()
    return END_WITHIN if left is None else min(END_WITHIN, left * (1 - MARGIN))


def _left_to_linger(ctx: Context) -> Callable[[], float]:
    """How long it may still show the others: none, if nobody has asked it to stop."""
    at_first = ctx.remaining() or 0.0
    kept_back = min(MOST_MARGIN, at_first * MARGIN)
    return lambda: (ctx.remaining() or 0.0) - kept_back


async def _first_of(*waiting: Coroutine[Any, Any, None]) -> None:
    """Until the first of these is over; raises what it raises."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_of_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        report("the status is not served any more", error)


def _unix(path: str | os.PathLike[str]) -> Place:
    return checked_place("127.0.0.1", 0, path, MODE, None, False)


def _checked_uds(uds: Any) -> str | Literal[False] | None:
    if uds is False or (uds is None and not hasattr(socket, "AF_UNIX")):
        return False
    if uds is None:
        return None
    path = _unix(uds).uds or ""
    if len(os.fsencode(path)) > LONGEST:
        raise ValueError(
            f"the path of a Unix socket may have {LONGEST} bytes, which uds={path!r} has not"
        )
    return path


def _checked_text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name} must be a text, not {given!r}")
    return given


def _checked_hosts(hosts: Any) -> frozenset[str]:
    if isinstance(hosts, str) or not isinstance(hosts, Collection):
        raise TypeError(f"hosts are names, as in ['status.example'], not {hosts!r}")
    return frozenset(_checked_text("a name in hosts", host).lower() for host in hosts)
