"""A plugin for pytest: tests that are an `async def`, in virtual or in real time.

    @pytest.mark.virtual_time
    async def test_that_an_hour_passes_at_once():
        await asyncio.sleep(3600)

`@pytest.mark.real_time` runs a test in a usual loop instead; of the two, the mark closest to the test
counts. Each test has a loop of its own. Tests that are no `async def`, or have neither mark, are left
to others. A test that can never go on fails after five real seconds, or after those given as in
`@pytest.mark.virtual_time(patience=1)`.

A test fails if it leaves tasks behind. One that abandons tasks on purpose says so by
`@pytest.mark.leaves_tasks("reason")`. Whatever is left is cancelled, and given up where it swallows
that, so a test ends in any case.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

AsyncTest = Callable[..., Coroutine[Any, Any, object]]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for line in (
        "virtual_time(patience=5.0): run this `async def` in a loop whose time jumps (orchestra)",
        "real_time: run this `async def` in a usual asyncio loop (orchestra)",
        "leaves_tasks(reason): this test abandons asyncio tasks on purpose (orchestra)",
    ):
        config.addinivalue_line("markers", line)


# The innermost: plugins that take any `async def` see a plain function when their turn comes.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Make plain functions of the tests that are marked."""
    collected = yield
    for item in collected if isinstance(collected, list) else [collected]:
        if isinstance(item, pytest.Function):
            _take(item)
    return collected


def _take(item: pytest.Function) -> None:
    mark = next((m for m in item.iter_markers() if m.name in ("virtual_time", "real_time")), None)
    if mark is None:
        return
    if inspect.iscoroutinefunction(item.obj):
        item.obj = _plain(item, item.obj, mark)
        return
    # Where hypothesis calls the test, what it calls has to be a plain function.
    hypothesis = getattr(item.obj, "hypothesis", None)
    if hypothesis is not None and inspect.iscoroutinefunction(hypothesis.inner_test):
        hypothesis.inner_test = _plain(item, hypothesis.inner_test, mark)


def _plain(item: pytest.Function, test: AsyncTest, mark: pytest.Mark) -> Callable[..., None]:
    @functools.wraps(test)
    def plain(*args: Any, **kwargs: Any) -> None:
        left = _run(mark, test(*args, **kwargs))
        if left and item.get_closest_marker("leaves_tasks") is None:
            pytest.fail("tasks were left behind:\n  " + "\n  ".join(left), pytrace=False)

    return plain


def _run(mark: pytest.Mark, test: Coroutine[Any, Any, object]) -> list[str]:
    """Run the test, and describe the tasks that it leaves behind."""
    # Not at the top, since every run of pytest imports this module.
    import asyncio

    from ._bounded_run import bounded_runner, left_behind
    from ._virtual_loop import VirtualLoop, describe

    make_loop = VirtualLoop if mark.name == "virtual_time" else asyncio.new_event_loop
    with bounded_runner(functools.partial(make_loop, **mark.kwargs)) as runner:
        runner.run(test)
        return describe(runner.run(left_behind()))
