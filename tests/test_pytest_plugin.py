"""The pytest plugin: marked tests run in a loop of their own, and leave no tasks behind."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import asyncio, pytest
from orchestra.testing import VirtualLoop
"""


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + test)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *options)


def test_a_marked_test_runs_in_virtual_time(pytester: pytest.Pytester) -> None:
    """An `async def` with the mark runs in a virtual loop, with fixtures, parameters and classes."""
    result = run(
        pytester,
        """
@pytest.fixture
def hour():
    return 3600

@pytest.mark.virtual_time
@pytest.mark.parametrize("hours", [1, 2])
async def test_function(hour, hours):
    await asyncio.sleep(hour * hours)
    assert asyncio.get_running_loop().time() == 3600.0 * hours

@pytest.mark.virtual_time
class TestClass:
    @pytest.fixture(autouse=True)
    def set_up(self):
        self.value = 1

    async def test_method(self, hour):
        assert self.value == 1
        assert isinstance(asyncio.get_running_loop(), VirtualLoop)

    def test_that_is_not_async(self):
        assert self.value == 1
""",
    )
    result.assert_outcomes(passed=4)


def test_a_marked_test_runs_in_real_time(pytester: pytest.Pytester) -> None:
    """The mark that is closest to the test decides."""
    result = run(
        pytester,
        """
pytestmark = pytest.mark.virtual_time

@pytest.mark.real_time
async def test_real():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)

async def test_virtual():
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
""",
    )
    result.assert_outcomes(passed=2)


def test_a_failing_test_fails(pytester: pytest.Pytester) -> None:
    """What the test raises is its failure, whatever it leaves behind."""
    result = run(
        pytester,
        """
@pytest.mark.virtual_time
async def test_it():
    asyncio.create_task(asyncio.sleep(100), name="left")
    assert 1 == 2
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2*"])
    result.stdout.no_fnmatch_line("*left waits*")


def test_a_hung_test_fails(pytester: pytest.Pytester) -> None:
    """A test that can never go on fails, and says where it waits."""
    result = run(
        pytester,
        """
@pytest.mark.virtual_time(patience=0.05)
async def test_it():
    await asyncio.Event().wait()
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*every task waits for something that cannot happen*",
            "*in test_it: await asyncio.Event().wait()*",
        ]
    )


@pytest.mark.parametrize("mark", ["virtual_time", "real_time"])
def test_tasks_left_behind_are_a_failure(pytester: pytest.Pytester, mark: str) -> None:
    """A test that passes but leaves a task fails, and the task and its place are named."""
    result = run(
        pytester,
        f"""
async def forgotten():
    await asyncio.sleep(100)

@pytest.mark.{mark}
async def test_it():
    asyncio.create_task(forgotten(), name="orphan")
    await asyncio.sleep(0.01)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["tasks were left behind:", "*orphan waits*", "*in forgotten: await asyncio.sleep(100)*"]
    )


def test_tasks_about_to_end_are_not_left_behind(pytester: pytest.Pytester) -> None:
    """A task that ends without any time passing does not count."""
    result = run(
        pytester,
        """
async def sleeper():
    try:
        await asyncio.sleep(100)
    finally:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

@pytest.mark.virtual_time
async def test_it():
    task = asyncio.create_task(sleeper())
    await asyncio.sleep(1)
    task.cancel()
""",
    )
    result.assert_outcomes(passed=1)


STUBBORN = """
async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""


@pytest.mark.leaves_tasks("the inner tests do")
@pytest.mark.parametrize("mark", ["virtual_time", "real_time"])
def test_tasks_that_swallow_cancellation_do_not_hang_the_run(
    pytester: pytest.Pytester, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test ends and fails, even if what it leaves cannot be cancelled."""
    monkeypatch.setattr("orchestra._bounded_run.GRACE", 0.05)
    result = run(
        pytester,
        f"""
{STUBBORN}
@pytest.mark.{mark}
async def test_it():
    asyncio.create_task(stubborn(), name="mule")

@pytest.mark.{mark}
async def test_after_it():
    pass
""",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*mule waits*"])


@pytest.mark.leaves_tasks("the inner test does")
def test_tasks_may_be_left_on_purpose(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that says so may abandon tasks."""
    result = run(
        pytester,
        f"""
{STUBBORN}
@pytest.mark.virtual_time
@pytest.mark.leaves_tasks("that is the point")
async def test_it():
    asyncio.create_task(stubborn())
""",
    )
    result.assert_outcomes(passed=1)


def test_tests_of_hypothesis(pytester: pytest.Pytester) -> None:
    """`@given` works on marked tests, each example in a loop of its own."""
    result = run(
        pytester,
        """
from hypothesis import given, strategies

@pytest.mark.virtual_time
@pytest.mark.parametrize("unit", [1, 60])
@given(delay=strategies.integers(1, 1000))
async def test_it(delay, unit):
    await asyncio.sleep(delay * unit)
    assert asyncio.get_running_loop().time() == delay * unit

@pytest.mark.virtual_time
@given(number=strategies.integers())
def test_that_is_not_async(number):
    pass
""",
        "-p",
        "no:hypothesispytest",
    )
    result.assert_outcomes(passed=3)


def test_other_plugins_take_the_rest(pytester: pytest.Pytester) -> None:
    """A plugin that takes any `async def` gets those without our marks, and only those."""
    pytester.makeconftest(
        """
        import asyncio, inspect, functools, pytest

        # The way of pytest-asyncio in its automatic mode.
        @pytest.hookimpl(hookwrapper=True)
        def pytest_pycollect_makeitem():
            collected = (yield).get_result()
            for item in collected or []:
                if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
                    item.obj = theirs(item.obj)

        def theirs(test):
            @functools.wraps(test)
            def run():
                asyncio.run(test())
            return run
        """
    )
    result = run(
        pytester,
        """
@pytest.mark.virtual_time
async def test_ours():
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)

async def test_theirs():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
""",
    )
    result.assert_outcomes(passed=2)


def test_the_plugin_of_anyio_takes_its_own(pytester: pytest.Pytester) -> None:
    """Tests marked for anyio are left to it; with both marks, a test is ours."""
    result = run(
        pytester,
        """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_theirs():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)

@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_ours():
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
""",
    )
    result.assert_outcomes(passed=2)


def test_the_import_is_light() -> None:
    """Every run of pytest imports the plugin: the test kit comes only with the first marked test."""
    code = "import sys, orchestra.pytest_plugin; print('orchestra.testing' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert output.stdout.strip() == "False"
