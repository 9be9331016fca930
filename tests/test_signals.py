"""What signals mean for a performance, and how they are heard."""

import asyncio
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
import uvloop

from orchestra import Context, play_until_signal
from orchestra._signals import Handlers, Mailbox, Stage, check_signals, name_of_signal, next_stage

USR1, USR2, HUP, TERM = signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM
PLAYING, DRAINING, STOPPING, CUT_OFF, FORCED = Stage


@pytest.mark.parametrize(
    ("stage", "drains", "stopping", "following"),
    [
        (PLAYING, False, False, STOPPING),
        (PLAYING, True, False, DRAINING),
        # Something else has begun the stop: a delay would come too late.
        (PLAYING, True, True, STOPPING),
        (PLAYING, False, True, STOPPING),
        (DRAINING, True, False, STOPPING),
        # The delay is over, and the stop has begun by itself.
        (DRAINING, True, True, CUT_OFF),
        (STOPPING, False, True, CUT_OFF),
        (STOPPING, True, True, CUT_OFF),
        (CUT_OFF, False, True, FORCED),
        (FORCED, False, True, FORCED),
    ],
)
def test_a_signal_goes_one_stage_further(
    stage: Stage, drains: bool, stopping: bool, following: Stage
) -> None:
    """The first signal asks, or begins the delay that the next one skips; then cut off; then force."""
    assert next_stage(stage, drains=drains, stopping=stopping) is following


def test_signals_are_checked() -> None:
    """Each counts once; what is no signal is a ValueError that says so, what is no list a TypeError."""
    assert check_signals([TERM, USR1, TERM]) == (TERM, USR1)
    assert check_signals([int(TERM)]) == (TERM,)
    for wrong in (0, 9999, "SIGTERM", None, True, [TERM]):
        with pytest.raises(
            ValueError, match=f"{re.escape(repr(wrong))} is no signal of this system"
        ):
            check_signals([wrong])
    alone: Any
    for alone in (TERM, None, "SIGTERM"):
        with pytest.raises(TypeError, match="signals are given as in"):
            check_signals(alone)


def test_signals_have_names() -> None:
    """Those for real time are told by their number."""
    assert name_of_signal(TERM) == "SIGTERM"
    assert name_of_signal(signal.SIGRTMIN + 1) == f"signal {signal.SIGRTMIN + 1}"


# Handlers


def test_handlers_come_back() -> None:
    """While entered a signal reaches the function given; afterwards it goes where it went before."""
    heard: list[str] = []

    def before(signum: int, frame: FrameType | None) -> None:
        heard.append("before")

    found = signal.signal(USR1, before)
    try:
        with Handlers([USR1, USR2, USR1], lambda signum: heard.append(signal.Signals(signum).name)):
            signal.raise_signal(USR1)
            signal.raise_signal(USR2)
        signal.raise_signal(USR1)
        assert signal.getsignal(USR2) == signal.SIG_DFL
    finally:
        signal.signal(USR1, found)
    assert heard == ["SIGUSR1", "SIGUSR2", "before"]


@pytest.mark.parametrize("last_first", [True, False])
def test_handlers_are_left_in_any_order(last_first: bool) -> None:
    """Each that is entered hears of a signal, and the last to be left puts the first back."""
    heard: list[str] = []
    found = signal.getsignal(USR1)
    one = Handlers([USR1], lambda _: heard.append("one"))
    two = Handlers([USR1, USR2], lambda _: heard.append("two"))
    three = Handlers([USR1], lambda _: heard.append("three"))
    for entered in (one, two, three):
        entered.__enter__()
    signal.raise_signal(USR1)
    assert heard == ["three", "two", "one"]
    two.__exit__()
    heard.clear()
    signal.raise_signal(USR1)
    assert heard == ["three", "one"]
    first, last = (three, one) if last_first else (one, three)
    first.__exit__()
    heard.clear()
    signal.raise_signal(USR1)
    assert heard == ["one" if last_first else "three"]
    last.__exit__()
    assert signal.getsignal(USR1) == found


def test_handlers_of_other_languages_become_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python did not install it can't put back: the system's default is the nearest."""
    set_signal, given = signal.signal, []

    def of_another(signum: int, handler: Any) -> Any:
        given.append(handler)
        set_signal(signum, handler)

    monkeypatch.setattr(signal, "signal", of_another)
    with Handlers([USR1], print):
        pass
    assert given[-1] == signal.SIG_DFL


def test_a_signal_that_can_not_be_handled() -> None:
    """SIGKILL is a ValueError that names it, and the handlers taken before are put back."""
    with pytest.raises(ValueError, match="SIGKILL can't be handled"):
        Handlers([USR1, signal.SIGKILL, USR2], print).__enter__()
    assert signal.getsignal(USR1) == signal.SIG_DFL


def test_handlers_belong_to_the_main_thread() -> None:
    """Elsewhere they are a RuntimeError that says what to use instead."""
    errors: list[RuntimeError] = []

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="main thread only: use `playing`") as info:
            Handlers([USR1], print)
        errors.append(info.value)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors


# The mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox([USR1, USR2]) as mailbox:
        yield mailbox


def told_by_fd(mailbox: Mailbox, *signals: int) -> None:
    mailbox._writer.send(bytes(signals))


def test_a_signal_is_told_once_though_it_comes_twice(mailbox: Mailbox) -> None:
    """The wakeup fd and the handler both tell of a signal, which is one piece of news."""
    with Handlers([USR1, USR2], mailbox.post):
        signal.raise_signal(USR1)
        signal.raise_signal(USR2)
        assert mailbox.read(0) == [USR1, USR2]
        signal.raise_signal(USR1)
        signal.raise_signal(USR1)
        assert mailbox.read(0) == [USR1, USR1]
    assert mailbox.read(0) == []
    assert mailbox.read(0.001) == []


def test_a_handler_alone_is_enough(mailbox: Mailbox) -> None:
    """The wakeup fd may have been taken, before the signal or between two."""
    mailbox.post(USR1)
    assert mailbox.read(0) == [USR1]
    told_by_fd(mailbox, USR2)
    mailbox.post(USR2)
    assert mailbox.read(0) == [USR2]
    mailbox.post(USR1)
    assert mailbox.read(0) == [USR1]


def test_the_fd_alone_is_enough(mailbox: Mailbox) -> None:
    """The handler does not run as long as the main thread is stuck, and then runs once for several."""
    told_by_fd(mailbox, USR1, USR1)
    assert mailbox.read(0) == [USR1, USR1]
    mailbox.post(USR1)
    assert mailbox.read(0) == []


def test_one_signal_overtakes_another(mailbox: Mailbox) -> None:
    """Each signal is told as what it is, in whatever order the two ways bring them."""
    mailbox.post(USR1)
    assert mailbox.read(0) == [USR1]
    told_by_fd(mailbox, USR2, USR1)
    mailbox.post(USR2)
    assert mailbox.read(0) == [USR2]


def test_waking_up_is_no_signal(mailbox: Mailbox) -> None:
    """`post()` ends a `read` that has nothing to tell."""
    mailbox.post()
    assert mailbox.read(None) == []


def test_signals_of_others_are_passed_on() -> None:
    """Whoever had the wakeup fd before is told of the signals that are not ours, and gets it back."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    found = signal.set_wakeup_fd(writer.fileno())
    others = signal.signal(USR2, lambda *_: None)
    try:
        with Mailbox([USR1]) as mailbox, Handlers([USR1], mailbox.post):
            signal.raise_signal(USR2)
            signal.raise_signal(USR1)
            assert mailbox.read(0) == [USR1]
            assert reader.recv(10) == bytes([USR2])
        assert signal.set_wakeup_fd(found) == writer.fileno()
    finally:
        signal.set_wakeup_fd(found)
        signal.signal(USR2, others)
        reader.close()
        writer.close()


def test_signals_of_others_that_nobody_waits_for() -> None:
    """Where nobody had the wakeup fd, they end here; and so where it is closed by now."""
    with Mailbox([USR1]) as mailbox:
        told_by_fd(mailbox, USR2)
        assert mailbox.read(0) == []
        reader, writer = os.pipe()
        os.close(reader)
        mailbox._found = writer
        told_by_fd(mailbox, USR2)
        assert mailbox.read(0) == []
        os.close(writer)
    # Nor can a closed one be given back.
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("keeps", [True, False])
def test_a_wakeup_fd_that_was_taken_from_us(keeps: bool) -> None:
    """Whoever took it keeps it; if he has let go of it, the one found at first comes back."""
    first, second = socket.socketpair(), socket.socketpair()
    for one in (*first, *second):
        one.setblocking(False)
    found = signal.set_wakeup_fd(first[0].fileno())
    try:
        with Mailbox([USR1]):
            signal.set_wakeup_fd(second[0].fileno() if keeps else -1)
        expected = (second if keeps else first)[0].fileno()
        assert signal.set_wakeup_fd(found) == expected
    finally:
        signal.set_wakeup_fd(found)
        for one in (*first, *second):
            one.close()


@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # it has a thread for the timeout
def test_a_forked_child_forgets_the_mailbox_and_the_handlers() -> None:
    """A child has the handlers found before, and what it gets does not reach its parent's mailbox."""
    reader, writer = os.pipe()
    with Mailbox([USR1]) as mailbox, Handlers([USR1], mailbox.post) as handlers:
        pid = os.fork()
        if not pid:
            fd, found = signal.set_wakeup_fd(-1), signal.getsignal(USR1)
            # As at the end of a child that goes on in a copy of the parent's frames.
            signal.signal(USR1, signal.SIG_IGN)
            handlers.__exit__()
            mailbox.__exit__()
            ignored = signal.getsignal(USR1) == signal.SIG_IGN
            os.write(writer, f"{fd} {found == signal.SIG_DFL} {ignored}".encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(reader, 100) == b"-1 True True"
        assert mailbox.read(0) == []
        signal.raise_signal(USR1)
        assert mailbox.read(0) == [USR1]
    os.close(reader)
    os.close(writer)


# Heard in a running loop


class Worker:
    """Remembers what it was asked with, and takes an hour to stop if it is slow."""

    def __init__(self, *signals: int, slow: bool = False) -> None:
        self.asked: object = None
        self.cut_off = False
        self._signals = signals
        self._slow = slow

    async def play(self, ctx: Context) -> None:
        for signum in self._signals:
            signal.raise_signal(signum)
        await ctx.wait()
        self.asked = ctx.reason
        if self._slow:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cut_off = True
                raise


def loop_runner(loop: str) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None)


loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@loops
@pytest.mark.parametrize(
    ("signals", "sent"), [((), signal.SIGINT), ((), TERM), ((HUP, USR1), HUP), ((HUP, USR1), USR1)]
)
def test_play_until_signal(signals: tuple[int, ...], sent: signal.Signals, loop: str) -> None:
    """It plays until one of the signals given, or SIGINT or SIGTERM, and puts the handlers back."""
    worker = Worker(sent)

    async def main() -> list[Any]:
        before = [signal.getsignal(one) for one in (signal.SIGINT, TERM, HUP, USR1)]
        await play_until_signal(worker, *signals)
        after = [signal.getsignal(one) for one in (signal.SIGINT, TERM, HUP, USR1)]
        assert after == before
        return after

    with loop_runner(loop) as runner:
        runner.run(main())
    assert worker.asked == sent.name


@loops
def test_a_loop_keeps_its_own_handlers_of_the_same_signal(loop: str) -> None:
    """A player that asks the loop for SIGTERM is told of it, and the performance still stops."""
    heard: list[str] = []

    async def library(ctx: Context) -> None:
        running = asyncio.get_running_loop()
        running.add_signal_handler(TERM, heard.append, "loop")
        running.add_signal_handler(USR2, heard.append, "other signal")
        signal.raise_signal(USR2)
        signal.raise_signal(TERM)
        await ctx.wait()
        while len(heard) < 2:
            await asyncio.sleep(0)
        assert running.remove_signal_handler(USR2)
        assert running.remove_signal_handler(TERM)
        assert not running.remove_signal_handler(TERM)
        # Without the care for it, this would now be the system's default, and end the process.
        signal.raise_signal(TERM)
        heard.append(str(ctx.reason))

    async def main() -> None:
        own = asyncio.get_running_loop().add_signal_handler
        await play_until_signal(library)
        assert asyncio.get_running_loop().add_signal_handler == own

    with loop_runner(loop) as runner:
        runner.run(main())
    assert heard == ["other signal", "loop", "SIGTERM"]


@loops
def test_several_performances_in_a_loop_hear_of_a_signal(loop: str) -> None:
    """Each is asked to stop, also when the one that began first has ended meanwhile."""
    workers = [Worker() for _ in range(3)]

    async def short(ctx: Context) -> None:
        await asyncio.sleep(0.01)

    async def main() -> None:
        before = signal.getsignal(TERM)
        own = asyncio.get_running_loop().add_signal_handler
        first = asyncio.create_task(play_until_signal(short))
        rest = [asyncio.create_task(play_until_signal(worker)) for worker in workers]
        await first
        signal.raise_signal(TERM)
        await asyncio.gather(*rest)
        assert signal.getsignal(TERM) == before
        assert asyncio.get_running_loop().add_signal_handler == own

    with loop_runner(loop) as runner:
        runner.run(main())
    assert [worker.asked for worker in workers] == ["SIGTERM"] * 3
