"""The test kit: virtual time, and a player that fails, hangs or ignores its stop by script.

The project's own tests use it. With pytest, mark a test that is an `async def` with
`@pytest.mark.virtual_time`; see `orchestra.pytest_plugin`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ._bounded_run import bounded_runner
from ._fake_player import (
    FakePlayer,
    Step,
    Take,
    ends,
    fails,
    fails_stopping,
    hangs,
    ignores_cancellation,
    plays,
    slow_stop,
)
from ._virtual_loop import VirtualLoop

__all__ = [
    "FakePlayer",
    "Step",
    "Take",
    "VirtualLoop",
    "ends",
    "fails",
    "fails_stopping",
    "hangs",
    "ignores_cancellation",
    "plays",
    "run_virtual",
    "slow_stop",
]

T = TypeVar("T")


def run_virtual(
    main: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]], *, patience: float = 5.0
) -> T:
    """Run a coroutine, or an async function without arguments, in virtual time: its result.

    It is `asyncio.run` in a `VirtualLoop`, but ends in any case: tasks that are left are cancelled,
    and those that swallow the cancellation are abandoned after a second (of virtual time, if nothing
    outside of the loop is at work). `patience` is how many real seconds to wait before a hang is
    called one: see `VirtualLoop`. Raises what `main` raises, and `RuntimeError` for a hang or inside
    a running loop.

    >>> async def main():
    ...     loop = asyncio.get_running_loop()
    ...     async with asyncio.timeout(3600):
    ...         await asyncio.sleep(3599)
    ...     return loop.time()
    >>> run_virtual(main)
    3599.0
    """
    coroutine = main() if callable(main) else main
    with bounded_runner(partial(VirtualLoop, patience=patience)) as runner:
        return runner.run(coroutine)
