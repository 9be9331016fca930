"""What a process is asked about the players in it, or to do with them, and what it answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import OrchestraError
from ..performance import Performance
from ._carried import Carried, carried, restored


class Requests:
    """In the parent: those that have not been answered yet."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._over = False

    async def ask(self, act: Callable[..., Any], *args: object) -> Any:
        """What `act` comes to there, with the performance and these arguments; raises what it raises.

        What is not async is called in a thread there, so that it is answered while the loop is blocked.
        """
        if self._over:
            raise _gone()
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        self._send("ask", number, act, *args)
        try:
            return await answer
        finally:
            del self._open[number]

    def answer(self, number: int, value: object, failure: Carried | None) -> None:
        """This one was answered."""
        answer = self._open.get(number)
        if answer is None or answer.done():
            return  # nobody waits for it any more
        if failure is None:
            answer.set_result(value)
        else:
            answer.set_exception(restored(failure, ""))

    def close(self) -> None:
        """Nothing is answered any more: its process is gone."""
        self._over = True
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(_gone())


def _gone() -> OrchestraError:
    return OrchestraError("the process that it played in has ended")


Answer = tuple[object, Carried | None]


def answer_to(act: Callable[..., Any], performance: Performance, *args: object) -> Answer:
    """In the child: what it comes to there, or what it raised, ready to be sent."""
    try:
        return act(performance, *args), None
    except Exception as error:
        return None, carried(error)


async def answer_of(
    act: Callable[..., Awaitable[Any]], performance: Performance, *args: object
) -> Answer:
    """The same of what is async, in the loop."""
    try:
        return await act(performance, *args), None
    except Exception as error:
        return None, carried(error)
