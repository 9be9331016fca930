"""What every test gets without asking: nothing that it started may outlive it.

A test that leaves something behind on purpose says so with a marker and a reason:

    @pytest.mark.leaves_threads("the point of the test is a thread that never returns")

The markers are `leaves_threads`, `leaves_tasks`, `leaves_processes` and `leaves_files`.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import Any

import hypothesis
import pytest

# A shared, busy machine makes any deadline a coin toss; what must be fast is tested in virtual time.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
# In CI the same commit gives the same answer, and a failure prints what repeats it elsewhere.
hypothesis.settings.register_profile(
    "ci", deadline=None, print_blob=True, derandomize=True, database=None
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

# Or a gRPC that some other test has used looks for its threads, in children that are forked here.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# How long a thread, a process or a socket may take to go after the test has ended.
SETTLE = 2.0

SIGNALS = [
    getattr(signal, name)
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGQUIT",
        "SIGUSR1",
        "SIGUSR2",
        "SIGALRM",
        "SIGCHLD",
    )
    if hasattr(signal, name)
]

failed = pytest.StashKey[bool]()
outcome = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    # In the background of a shell, or under nohup, these are ignored, and so they would be by the programs
    # that the tests start.
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, usual)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call":
        item.stash[failed] = report.failed
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[outcome] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process even when a failed test left a thread that the interpreter would wait for."""
    waited_for = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.daemon
    ]
    end = time.monotonic() + SETTLE
    for thread in waited_for:
        thread.join(max(0.0, end - time.monotonic()))
    stuck = [thread.name for thread in waited_for if thread.is_alive()]
    if stuck and outcome in config.stash:
        print(f"these threads do not end, so the process is ended: {', '.join(stuck)}", flush=True)
        os._exit(config.stash[outcome] or 1)


# --- What could be left behind. Each takes a snapshot as a dictionary: an identity, and a way to name
# --- the thing. A snapshot is taken before and after each test, so it has to be cheap.


def threads() -> dict[object, Callable[[], str]]:
    return {thread: thread.__repr__ for thread in threading.enumerate()}


def processes() -> dict[object, Callable[[], str]]:
    found: dict[object, Callable[[], str]] = {}
    # The helper that multiprocessing starts once and keeps is nobody's leak.
    helper = getattr(resource_tracker._resource_tracker, "_pid", None)
    for thread in listing("/proc/self/task"):
        # A thread may have ended since the listing.
        for pid in read(f"/proc/self/task/{thread}/children").split():
            if int(pid) != helper:
                found[pid] = lambda pid=pid: f"process {pid}: {command_line(pid)}"
    return found


def files() -> dict[object, Callable[[], str]]:
    # The pipe to that same helper.
    helper = getattr(resource_tracker._resource_tracker, "_fd", None)
    return {
        fd: lambda fd=fd: f"file descriptor {fd}: {target(fd)}"
        for fd in listing("/proc/self/fd")
        if int(fd) != helper and is_open(int(fd))
    }


def tasks() -> dict[object, Callable[[], str]]:
    # asyncio.all_tasks() wants a loop, and the test's loop is closed by now. The sets behind it know
    # the pending tasks of every loop. They were renamed in 3.12.
    found: list[asyncio.Task[Any]] = []
    for name in ("_scheduled_tasks", "_eager_tasks", "_all_tasks"):
        found += list(getattr(asyncio.tasks, name, ()))
    return {task: task.__repr__ for task in found if not task.done()}


KINDS: dict[str, Callable[[], dict[object, Callable[[], str]]]] = {
    "threads": threads,
    "tasks": tasks,
    "processes": processes,
    "files": files,
}


def listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # no /proc on this system: look at nothing
        return []


def read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def command_line(pid: str) -> str:
    return read(f"/proc/{pid}/cmdline") or f"{read(f'/proc/{pid}/comm')} (has ended, nobody waited)"


def is_open(fd: int) -> bool:
    # The listing itself needed a descriptor, which is in it.
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return "closed meanwhile"


def excess(kind: str, before: set[object]) -> list[str]:
    return [name() for key, name in KINDS[kind]().items() if key not in before]


# --- What a test must put back.


def process_state() -> dict[str, object]:
    state: dict[str, object] = {f"handler of {sig.name}": signal.getsignal(sig) for sig in SIGNALS}
    # There is no way to look at it without taking it out.
    wakeup_fd = signal.set_wakeup_fd(-1)
    if wakeup_fd != -1:
        signal.set_wakeup_fd(wakeup_fd)
    state["wakeup fd"] = wakeup_fd
    for name in ("", "orchestra"):
        logger = logging.getLogger(name)
        state[f"logger {name or 'root'}"] = (
            [h for h in logger.handlers if not type(h).__module__.startswith("_pytest.")],
            list(logger.filters),
            logger.disabled,
        )
    state["log record factory"] = logging.getLogRecordFactory()
    state["sys.excepthook"] = sys.excepthook
    state["threading.excepthook"] = threading.excepthook
    return state


def restore_signals(before: dict[str, Any]) -> None:
    """Put back what would make the tests that follow fail for another's fault."""
    signal.set_wakeup_fd(before["wakeup fd"])
    for sig in SIGNALS:
        handler = before[f"handler of {sig.name}"]
        if handler is not None and signal.getsignal(sig) != handler:
            signal.signal(sig, handler)


class AsyncioComplaints(logging.Handler):
    """Collects what asyncio can only log: tasks destroyed while pending, exceptions nobody saw."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "was destroyed but it is pending" in message or "was never retrieved" in message:
            self.messages.append(message)


def warm_up() -> None:
    """Have what is opened once and kept for good opened before the first test, not in one of them."""
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return
    # libuv keeps one pipe for the signals of all its loops.
    uvloop.new_event_loop().close()


warm_up()
complaints = AsyncioComplaints()
logging.getLogger("asyncio").addHandler(complaints)


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread, task, process or file open, or the process changed."""
    watched = [kind for kind in KINDS if not request.node.get_closest_marker(f"leaves_{kind}")]
    state = process_state()
    before = {kind: set(KINDS[kind]()) for kind in watched}
    complaints.messages.clear()

    yield

    faults = [
        f"{name} was {state[name]!r}, is {now!r}"
        for name, now in process_state().items()
        if now != state[name]
    ]
    restore_signals(state)
    # A failed test keeps its frames, and all that hangs on them, for the report.
    if request.node.stash.get(failed, False):
        return

    left = settle(watched, before)
    if "tasks" in watched:
        left += complaints.messages
    faults += [f"left behind: {thing}" for thing in left]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def settle(watched: list[str], before: dict[str, set[object]]) -> list[str]:
    """What is left once everything had its time to go. Nothing left costs nothing."""
    left = [thing for kind in watched for thing in excess(kind, before[kind])]
    if not left:
        return []
    # Perhaps it only waits for the garbage collection, or for a thread that is on its way out.
    gc.collect()
    end = time.monotonic() + SETTLE
    pause = 0.001
    while True:
        left = [thing for kind in watched for thing in excess(kind, before[kind])]
        if not left or time.monotonic() > end:
            return left
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
