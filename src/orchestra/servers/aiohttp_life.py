"""The life of an aiohttp application: its start, and the two steps of its end.

`AppRunner` builds the server, and starts the application. Its `cleanup` is not used: it gives each
request twice the time that it is told, and leaves out the rest where `on_shutdown` raises.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakSet

from aiohttp import web

from .. import _stack
from ..errors import AlreadyPlayingError, OrchestraError
from ..log import report
from .contained import Contained, all_done, contained, outcome

_playing: Final[WeakSet[web.Application]] = WeakSet()


class ApplicationLife:
    """One life of an application, that starts once and ends once.

    `given` is the application, or a function that makes it, which may be async. An instance has as many
    lives as there are runs: `on_startup`, `on_shutdown`, `on_cleanup` and `cleanup_ctx` are run through in
    each, and what is in the application stays there.

    All of it happens in one task, since what is in a `cleanup_ctx` may ask for that: task groups do.
    """

    def __init__(self, given: Any, **server_options: Any) -> None:
        self._given = given
        self._server_options = server_options
        self._app: web.Application | None = None
        self._server: web.Server | None = None
        self._task: Contained | None = None
        self._end = asyncio.Event()  # asks for on_shutdown
        self._clean = asyncio.Event()  # asks for on_cleanup
        self._started = asyncio.Event()
        self._shut = asyncio.Event()
        self._raised = False

    async def start(self) -> web.Server:
        """Start it; raises what it raised. May be cancelled, and `abort` follows."""
        self._task = contained(self._live, "the aiohttp application")
        started = asyncio.ensure_future(self._started.wait())
        try:
            await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
        self.raise_failure()
        if self._server is None:
            raise OrchestraError("the application ended before it had started")
        return self._server

    def shut_down(self) -> None:
        """Have it run `on_shutdown`, once; `has_shut_down` tells when it has."""
        self._end.set()

    @property
    def has_shut_down(self) -> bool:
        """Whether `on_shutdown` is over."""
        return self._task is None or self._shut.is_set()

    async def clean_up(self, timeout: float) -> bool:
        """Have it run the rest, once; True when it is over. Raises what it raised since its start."""
        self._end.set()
        self._clean.set()
        if not await self._is_over(timeout):
            return False
        self.raise_failure()
        return True

    async def abort(self, timeout: float) -> None:
        """Cut it off. What it raises then has nowhere to go but the log."""
        if self.task is None:
            return
        for _ in range(2):
            # The first may only have ended one step of two.
            self.cancel()
            if await self._is_over(timeout / 2):
                self.report_failure()
                return

    def cancel(self) -> None:
        """Cancel it, and wait for nothing."""
        self._end.set()
        self._clean.set()
        if self.task is not None:
            self.task.cancel()

    @property
    def task(self) -> Contained | None:
        """The task of the application, while it goes on."""
        return None if self._task is None or self._task.done() else self._task

    def raise_failure(self) -> None:
        """Raise what the application has raised; once."""
        error = self._failure()
        if error is not None:
            raise error

    def report_failure(self) -> None:
        """Log what the application has raised, where nobody else will hear of it."""
        error = self._failure()
        if error is not None and not isinstance(error, asyncio.CancelledError):
            report("the application failed in its end, after a stop that was cut off", error)

    def where(self) -> str:
        """Where the application is while it starts or ends; `""` in between."""
        resting = self._started.is_set() and not self._end.is_set()
        between = self._shut.is_set() and not self._clean.is_set()
        return "" if resting or between else _stack.of_task(self.task)

    def _failure(self) -> BaseException | None:
        if self._task is None or not self._task.done() or self._raised:
            return None
        self._raised = True
        return outcome(self._task)

    async def _is_over(self, timeout: float) -> bool:
        """Whether it is, within `timeout` seconds; where there is no time, some turns of the loop."""
        tasks = () if self._task is None else (self._task,)
        return await all_done(tasks, asyncio.get_running_loop().time() + timeout)

    # What happens in the task

    async def _live(self) -> None:
        try:
            self._app = app = await self._made()
            self._server = await self._setup(app)
            self._started.set()
            await self._rest(app)
        finally:
            self._shut.set()
            if self._app is not None:
                _playing.discard(self._app)

    async def _made(self) -> web.Application:
        app = self._given
        if not isinstance(app, web.Application):
            app = app()
            if inspect.isawaitable(app):
                app = await app
        if not isinstance(app, web.Application):
            raise TypeError(f"the function has made {app!r}, which is no aiohttp.web.Application")
        if app in _playing:
            raise AlreadyPlayingError(f"{self._given!r} is played already: each needs its own")
        return app

    async def _setup(self, app: web.Application) -> web.Server:
        _playing.add(app)
        _renew(app)
        try:
            runner = web.AppRunner(app, handle_signals=False, **self._server_options)
            await runner.setup()
        except BaseException:
            await _leave_contexts(app)
            raise
        assert runner.server is not None
        return runner.server

    async def _rest(self, app: web.Application) -> None:
        errors: list[BaseException] = []
        cancelled: list[BaseException] = []
        for asked, step in ((self._end, app.shutdown), (self._clean, app.cleanup)):
            try:
                try:
                    await asked.wait()
                finally:
                    # Also where a task group of the application has failed, which cancels this task.
                    await step()
            except asyncio.CancelledError as error:
                cancelled.append(error)
                self._clean.set()
            except BaseException as error:
                errors.append(error)
            self._shut.set()
        for other in errors[1:]:
            report("the application failed more than once in its end", other)
        if errors or cancelled:
            raise (errors + cancelled)[0]


def _renew(app: web.Application) -> None:
    """Have an application that has been served before be as one that has not.

    It may be changed while it starts, belongs to no loop, and has no contexts that are open.
    """
    for one in _tree(app):
        one._frozen = False
        one._loop = None
        one.cleanup_ctx._exits.clear()


async def _leave_contexts(app: web.Application) -> None:
    """Leave those of the application's contexts that have been entered in a start that failed."""
    for one in reversed(list(_tree(app))):
        try:
            # Nobody else thinks of those of the applications inside.
            await one.cleanup_ctx._on_cleanup(one)
        except asyncio.CancelledError:
            pass  # the next is left all the same
        except BaseException as error:
            report("the application failed in its end, after a start that failed", error)


def _tree(app: web.Application) -> Iterator[web.Application]:
    yield app
    for inner in app._subapps:
        yield from _tree(inner)
