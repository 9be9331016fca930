"""What the tests have played in processes: importable, and light, since each process imports it."""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn, Self

from orchestra import (
    Conductor,
    ConductorError,
    Context,
    PermanentError,
    ProcessPlayer,
    restarting,
)


async def works(ctx: Context) -> None:
    await ctx.wait()


async def ends() -> None: ...


async def blocks_its_loop(ctx: Context) -> None:
    ctx.ready(blocks=True)
    await asyncio.sleep(0.2)
    time.sleep(3600)


async def fails_stopping(ctx: Context) -> None:
    await ctx.wait()
    raise ConnectionError("lost while it stopped")


async def ignores_its_stop(ctx: Context) -> None:
    await asyncio.sleep(3600)


async def stops_slowly(ctx: Context) -> None:
    await ctx.wait()
    await asyncio.sleep(0.2)


def thread(ctx: Context) -> None:
    ctx.ready(thread=threading.current_thread().name)
    ctx.wait_sync()


class Reports:
    """Tells by its details what it finds in its process."""

    signals_ready = True

    def __init__(self, **given: Any) -> None:
        self.given = given

    async def play(self, ctx: Context) -> None:
        performance = ctx.performance
        assert performance is not None
        ctx.ready(
            **self.given,
            path=ctx.path,
            group=os.getpgrp() == os.getsid(0) == os.getpid(),
            parent=os.getppid(),
            loop=type(asyncio.get_running_loop()).__module__,
            local=performance.status().path,
            done=ctx.done(),
            remaining=ctx.remaining(),
        )
        await ctx.wait()
        remaining = ctx.remaining()
        logging.getLogger("reports").warning(
            "%s %s", ctx.reason, remaining, extra={"left": remaining}
        )


class Later:
    """Gets ready twice."""

    signals_ready = True

    async def play(self, ctx: Context) -> None:
        ctx.ready(first=1, odd=threading.Lock())
        await asyncio.sleep(0.01)
        ctx.ready(second=2)
        await ctx.wait()


async def cancels_itself(ctx: Context) -> None:
    ctx.cancel("enough")
    await ctx.wait()


class Beats:
    """Gives heartbeats until it is stuck."""

    signals_ready = True
    watchdog = 0.5

    async def play(self, ctx: Context) -> None:
        ctx.ready()
        for _ in range(20):
            await asyncio.sleep(0.05)
            ctx.heartbeat()
            ctx.heartbeat()
        ctx.ready(stuck=True)
        await asyncio.sleep(0.1)
        time.sleep(3600)


def logs(ctx: Context) -> None:
    logger = logging.getLogger("some.library")
    logger.debug("too low")
    try:
        raise KeyError("lost")
    except KeyError:
        logger.warning(
            "it is %s", "late", extra={"job": 7, "lock": threading.Lock()}, exc_info=True
        )
    bare = threading.Thread(target=logger.error, args=("bare",), name="bare-thread")
    bare.start()
    bare.join()
    ctx.ready()
    ctx.wait_sync()


async def floods(ctx: Context) -> None:
    logger = logging.getLogger("flood")
    for number in range(20_000):
        logger.warning("%d %s", number, "x" * 500)
    ctx.ready()
    await asyncio.sleep(0.5)
    logger.warning("and then")


async def sees_modules(ctx: Context) -> None:
    ctx.ready(mailbox="mailbox" in sys.modules)
    await ctx.wait()


FLOOD = 30_000


async def floods_and_ends() -> None:
    logger = logging.getLogger("flood")
    for number in range(FLOOD):
        logger.warning("%d %s", number, "x" * 500)


class BeatsAndEnds:
    """Plays longer than its watchdog waits."""

    watchdog = 3.0

    async def play(self, ctx: Context) -> None:
        for _ in range(40):
            ctx.heartbeat()
            await asyncio.sleep(0.1)


class TellsPoison:
    """Tells of something that is read well in its own process only."""

    signals_ready = True

    async def play(self, ctx: Context) -> None:
        ctx.ready(odd=Poisoned(), sound=[1])
        await ctx.wait()


async def wants_memory() -> None:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 64 * 2**20,) * 2)
    bytearray(2**30)


def group(**terms: Any) -> Conductor:
    return Conductor(
        {"mailer": works, "inner": Conductor({"reader": thread, "reports": Reports()})}, **terms
    )


class Flaky:
    """Fails so often in one process, and then works."""

    def __init__(self, times: int, after: float = 0.0) -> None:
        self.left, self.after = times, after

    async def play(self, ctx: Context) -> None:
        if self.left:
            await asyncio.sleep(self.after)
            self.left -= 1
            raise ConnectionError("not yet")
        await ctx.wait()


def flaky_group() -> Conductor:
    return Conductor({"flaky": restarting(Flaky(2), [0.01] * 2)})


# How it fails


class Unreadable(Exception):
    """Can be pickled, and not be read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Doubled(Exception):
    """Is read as something else."""

    def __init__(self, what: str) -> None:
        super().__init__(f"about {what}")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("with a lock")
        self.lock = threading.Lock()


class Ending(Exception):
    """Ends whoever pickles it."""

    def __init__(self) -> None:
        super().__init__("by its pickling")

    def __reduce__(self) -> NoReturn:
        raise SystemExit(3)


class UnpicklablePermanent(PermanentError):
    def __init__(self) -> None:
        super().__init__("for good")
        self.lock = threading.Lock()


class Textless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Poisoned(Exception):
    """Is read well in its own process only."""

    home = os.getpid()

    def __reduce__(self) -> Any:
        return _only_at, (os.getpid(),)


def _only_at(pid: int) -> Exception:
    if os.getpid() != pid:
        raise RuntimeError("not here")
    return Poisoned()


class OddGroup(ExceptionGroup[Exception]):
    """A group that can't be made of a message and its parts."""

    def __new__(cls) -> Self:
        return super().__new__(cls, "odd", [ValueError("a"), Unpicklable()])

    def __init__(self) -> None: ...

    def derive(self, excs: Any) -> ExceptionGroup[Exception]:
        return ExceptionGroup(self.message, excs)


def local_error() -> Exception:
    class LocalError(Exception): ...

    return LocalError("of a function")


ERRORS: dict[str, Any] = {
    "plain": lambda: LookupError("boom"),
    "os": lambda: FileNotFoundError(2, "no such file", "x.txt"),
    "permanent": lambda: PermanentError("the licence has expired"),
    "unreadable": lambda: Unreadable("a", "b"),
    "doubled": lambda: Doubled("it"),
    "unpicklable": Unpicklable,
    "unpicklable permanent": UnpicklablePermanent,
    "textless": Textless,
    "ending": Ending,
    "poisoned": Poisoned,
    "local": local_error,
    "group": lambda: ExceptionGroup("two", [ValueError("a"), Unpicklable()]),
    "odd group": OddGroup,
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt(),
    "base group": lambda: BaseExceptionGroup("base", [SystemExit(1)]),
}


class Raises:
    def __init__(self, which: str, *, late: bool = False) -> None:
        self.which, self.late = which, late

    async def play(self, ctx: Context) -> None:
        if self.late:
            await ctx.wait()
        error: BaseException = ERRORS[self.which]()
        error.add_note("a note of its own")
        try:
            raise OSError("the cause")
        except OSError as cause:
            raise error from cause


async def circle(ctx: Context) -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one


def failing_group() -> Conductor:
    return Conductor(
        {
            "a": restarting(Raises("plain"), [0.1]),
            "b": Raises("unpicklable", late=True),
            "inner": Conductor({"c": Raises("os", late=True)}),
        }
    )


class Dies:
    def __init__(self, how: str) -> None:
        self.how = how

    async def play(self, ctx: Context) -> None:
        ctx.ready()
        match self.how:
            case "exit":
                os._exit(7)
            case "zero":
                os._exit(0)
            case "segfault":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGSEGV)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "real-time":
                os.kill(os.getpid(), signal.SIGRTMIN + 3)
            case "term":
                os.kill(os.getpid(), signal.SIGTERM)
        await ctx.wait()
        if self.how == "while stopping":
            os._exit(9)


async def hangs_up(ctx: Context) -> None:
    for name in os.listdir("/proc/self/fd"):
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with one:
            if one.family == socket.AF_UNIX:
                one.shutdown(socket.SHUT_WR)
    await ctx.wait()


async def stops_its_loop(ctx: Context) -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 5)
    await ctx.wait()


class BreaksOnArrival:
    """Can be pickled, and raises when it is read."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.home = os.getpid()

    async def play(self, ctx: Context) -> None: ...

    def __reduce__(self) -> Any:
        return _arrive, (self.how, self.home)


def _arrive(how: str, home: int) -> BreaksOnArrival:
    if os.getpid() != home:
        match how:
            case "import":
                import no_such_module  # type: ignore[import-not-found]  # noqa: F401
            case "exit":
                sys.exit(4)
            case "hang":
                time.sleep(3600)
            case "die":
                os._exit(8)
            case "nested":
                # As a main module does without a guard.
                asyncio.run(ProcessPlayer(works).play(Context()))
    return BreaksOnArrival(how)


# How it does not stop


async def stuck(ctx: Context) -> None:
    ctx.ready()
    await ctx.wait()
    await asyncio.sleep(3600)


async def swallows(ctx: Context) -> None:
    await ctx.wait()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


def stuck_thread(ctx: Context) -> None:
    time.sleep(3600)


async def blocks(ctx: Context) -> None:
    await ctx.wait()
    time.sleep(3600)


async def blocks_at_once() -> None:
    time.sleep(3600)


async def holds_the_lock(ctx: Context) -> None:
    await ctx.wait()
    stay_in_c()


def stay_in_c() -> None:
    """Wait for a lock of this thread's own, without giving the interpreter's lock away."""
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(256)
    for _ in range(2):
        library.pthread_mutex_lock(mutex)


async def dies_of_terminate(ctx: Context) -> None:
    await ctx.wait()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(3600)


def stuck_group() -> Conductor:
    return Conductor({"fine": works, "inner": Conductor({"stuck": stuck, "blocks": blocks})})


def lock_group() -> Conductor:
    return Conductor({"fine": works, "holds": holds_the_lock})


async def leaves_a_thread(ctx: Context) -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()


async def waits_with_a_thread(ctx: Context) -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    await ctx.wait()


class Family:
    """Has children of its own: one of a program, one that is forked; `lock`: it is stuck in C."""

    signals_ready = True

    def __init__(self, mode: str = "") -> None:
        self.mode = mode

    async def play(self, ctx: Context) -> None:
        program = subprocess.Popen(["sleep", "3600"])
        forked = multiprocessing.get_context("fork").Process(target=ignores_all, daemon=True)
        forked.start()
        ctx.ready(children=(program.pid, forked.pid))
        await asyncio.sleep(0.1)
        if self.mode == "lock":
            stay_in_c()
        if self.mode == "exit":
            os._exit(3)
        await ctx.wait()


def ignores_all() -> NoReturn:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    logging.getLogger("forked").warning("of a forked process")
    while True:
        time.sleep(3600)


def nested() -> Conductor:
    return Conductor({"deep": ProcessPlayer(Conductor({"deepest": Raises("plain")}))})


def nested_family() -> Conductor:
    return Conductor({"own": Family(), "deep": ProcessPlayer(Family())})


def echoes(numbers: Any, answers: Any) -> None:
    answers.put(numbers.get() * 2)
    answers.close()
    answers.join_thread()


def is_in(error: ConductorError, path: str) -> bool:
    return path in error.failures


async def fails_with_a_thread(ctx: Context) -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    raise LookupError("boom")


def flaky_failure() -> Conductor:
    return Conductor({"flaky": restarting(Flaky(2), [0.01])})


def nested_group() -> Conductor:
    return Conductor({"deep": ProcessPlayer(group())})
