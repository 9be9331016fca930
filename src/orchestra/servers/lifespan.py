"""The start and the end of an ASGI application, driven here and not by the servers.

They log what the application raises, and go on or exit; here it comes out as what it is.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from .. import _stack
from ..errors import OrchestraError
from ..log import report
from .contained import Contained, all_done, contained, outcome

Message = dict[str, Any]

LAST_WORDS: Final = 0.1
"""Seconds that an application may go on after it has said that its start has failed or its end is over."""


class Lifespan:
    """One life of an application, that starts once and ends once.

    An application that does not know the protocol is served without it. It says so as the standard
    has it, by raising before it takes the first message; what it raises later is a failure.
    """

    def __init__(self, app: Any) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._task: Contained | None = None
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._said = asyncio.Event()
        self._failure: str | None = None  # what it has said of it
        self._failed = False
        self._taken = 0  # messages that the application has taken
        self._foreign = False
        self._started = False
        self._ending = False
        self._cancelled = False
        self._raised = False

    # The two steps

    async def start(self) -> None:
        """Until the application has started; raises what it raised. A cancellation ends it too."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = contained(
            lambda: self._app(scope, self._receive, self._send), "the application's lifespan"
        )
        answer = self._tell("lifespan.startup")
        try:
            await answer
        finally:
            answer.cancel()
        self.raise_failure()
        await self._check("start")
        self._started = True

    async def stop(self, timeout: float) -> bool:
        """Tell it to end, once; True when it has, within `timeout` seconds. Raises what it raised."""
        if not self._started or self._task is None:
            return True
        if self._task.done() and not self._ending:
            self.raise_failure()
            return True
        answer = self._tell(None if self._ending else "lifespan.shutdown")
        self._ending = True
        try:
            # Where there is no time, the application has some turns of the loop all the same.
            if not await all_done([answer], asyncio.get_running_loop().time() + timeout):
                return False
        finally:
            answer.cancel()
        await self._check("end")
        self.raise_failure()
        if not await self._leave():
            self.cancel()
        return True

    async def abort(self, timeout: float) -> None:
        """Cut it off. What it raises then has nowhere to go but the log."""
        if self._task is None or self._task.done():
            return
        self.cancel()
        if await all_done([self._task], asyncio.get_running_loop().time() + timeout):
            error = outcome(self._task)
            if error is not None and not isinstance(error, asyncio.CancelledError):
                report("the application failed while it was cut off", error)

    async def cut_short(self, timeout: float) -> None:
        """End it after a stop that was cut off, in half the time; cut it off in the other half."""
        try:
            await self.stop(timeout / 2)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            report("the application failed in its end, after a stop that was cut off", error)
        finally:
            await self.abort(timeout / 2)

    def cancel(self) -> None:
        """Cancel it, and wait for nothing."""
        if self._task is not None and not self._task.done():
            self._cancelled = True
            self._task.cancel()

    # Seeing

    @property
    def task(self) -> Contained | None:
        """The task of the application, while it goes on."""
        return None if self._task is None or self._task.done() else self._task

    def raise_failure(self) -> None:
        """Raise what the application has raised, if that is a failure; once."""
        if self._task is None or not self._task.done() or self._cancelled or self._raised:
            return
        error = outcome(self._task)
        if error is not None and self._taken and not self._foreign:
            self._raised = True
            raise error

    def where(self) -> str:
        """Where the application is while it starts or ends; `""` in between."""
        return _stack.of_task(self.task) if not self._started or self._ending else ""

    # What it says

    def _tell(self, kind: str | None) -> asyncio.Task[None]:
        """Give it a message; the task is done once it has answered, or is over."""
        if kind is not None:
            self._said.clear()
            self._inbox.put_nowait({"type": kind})
        return asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        said = asyncio.get_running_loop().create_task(self._said.wait())
        over = set() if self._task is None else {self._task}
        try:
            await asyncio.wait({said, *over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            said.cancel()

    async def _check(self, step: str) -> None:
        """Raise, if its answer was that it failed."""
        if not self._failed:
            return
        # Its own exception says more, and most raise it after they have said so.
        if await self._leave():
            self.raise_failure()
        raise OrchestraError(
            f"the application failed to {step}: {self._failure or 'no reason given'}"
        )

    async def _leave(self) -> bool:
        """Give it the time to return; whether it has."""
        deadline = asyncio.get_running_loop().time() + LAST_WORDS
        return self._task is None or await all_done([self._task], deadline)

    async def _receive(self) -> Message:
        message = await self._inbox.get()
        self._taken += 1
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if not kind.startswith("lifespan."):
            # It takes this for a request.
            self._foreign = True
            raise RuntimeError(f"{kind!r} was sent where the lifespan is talked about")
        if kind.endswith(".failed"):
            self._failed = True
            self._failure = message.get("message")
        self._said.set()
