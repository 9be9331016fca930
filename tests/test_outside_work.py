"""What is at work outside of a virtual loop makes its time pass at the real pace."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from orchestra.testing import VirtualLoop, run_virtual
from virtual import LONG, start, virtual_loop


def test_outside_work_makes_time_real() -> None:
    """While work is announced time passes at its real pace, and jumps again after its end."""

    async def main() -> None:
        loop = virtual_loop()
        begin = time.monotonic()
        work = loop.outside_work()
        await asyncio.sleep(0.05)
        assert time.monotonic() - begin >= 0.049
        work.end()
        work.end()
        now = loop.time()
        await asyncio.sleep(LONG)
        assert LONG <= loop.time() - now < LONG + 60

    run_virtual(main)


def test_time_is_real_from_the_announcement_on() -> None:
    """What happens in the same callback after the announcement counts."""

    async def main() -> None:
        loop = virtual_loop()
        time.sleep(0.01)
        assert loop.time() == 0.0
        with loop.outside_work():
            time.sleep(0.01)
            assert loop.time() >= 0.01

    run_virtual(main)


def test_work_may_be_announced_before_the_loop_runs() -> None:
    """Or from another thread; then time gets real when the loop has nothing ready."""
    loop = VirtualLoop()
    work = loop.outside_work()
    loop.run_until_complete(asyncio.sleep(0.02))
    assert loop.time() >= 0.02
    work.end()
    loop.close()


def test_a_thread_sees_time_pass_while_it_works() -> None:
    """A thread at work reads a time that goes on, also while the loop sleeps."""
    seen: list[float] = []

    async def main() -> None:
        loop = virtual_loop()

        def body() -> None:
            while loop.time() == 0.0:  # until the loop has nothing else to do
                time.sleep(0.001)
            before = loop.time()
            time.sleep(0.03)
            seen.append(loop.time() - before)

        thread = start(body)
        await asyncio.sleep(LONG)
        thread.join()

    run_virtual(main)
    assert 0.029 <= seen[0] < 60


def test_the_end_of_outside_work_wakes_the_loop() -> None:
    """A loop that waits in real time for a far timer jumps as soon as the work has ended."""

    async def main() -> None:
        start(lambda: time.sleep(0.02))
        await asyncio.sleep(LONG)

    begin = time.monotonic()
    run_virtual(main)
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("call", [asyncio.to_thread, None])
def test_a_call_in_an_executor_is_outside_work(call: Any) -> None:
    """No timeout fires early while a thread of an executor works."""

    async def main() -> None:
        loop = virtual_loop()
        with ThreadPoolExecutor() as threads:
            run = call or partial(loop.run_in_executor, threads)
            async with asyncio.timeout(60):
                await run(time.sleep, 0.03)
            assert 0.03 <= loop.time() < 60
            await asyncio.sleep(LONG)

    run_virtual(main)


def test_an_executor_gives_arguments_results_and_errors() -> None:
    """`run_in_executor` and `to_thread` do what they do in any loop."""

    async def main() -> None:
        assert await asyncio.to_thread(int, "ff", base=16) == 255
        assert await virtual_loop().run_in_executor(None, divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await virtual_loop().run_in_executor(None, divmod, 7, 0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_cancelled_call_is_outside_work_until_it_returns() -> None:
    """A thread that goes on after its caller was cancelled is still at work."""
    returned: list[float] = []

    async def main() -> None:
        def body() -> None:
            time.sleep(0.03)
            returned.append(time.monotonic())

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(body), 0.001)
        await asyncio.sleep(LONG)
        assert returned

    run_virtual(main)


class AnotherExecutor(Executor):
    """An executor whose functions may run anywhere, as those of a process pool."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        timer = threading.Timer(0.03, lambda: future.set_result(fn(*args, **kwargs)))
        timer.start()
        return future


def test_any_executor_is_outside_work() -> None:
    """Executors of processes count as those of threads."""

    async def main() -> None:
        async with asyncio.timeout(60):
            assert await virtual_loop().run_in_executor(AnotherExecutor(), max, 1, 2) == 2
        assert 0.03 <= virtual_loop().time() < 60
        await asyncio.sleep(LONG)

    run_virtual(main)


def test_a_call_that_was_refused_is_no_outside_work() -> None:
    """What an executor did not take does not hold up the time."""

    async def main() -> None:
        threads = ThreadPoolExecutor()
        threads.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            virtual_loop().run_in_executor(threads, print)
        await asyncio.sleep(LONG)

    run_virtual(main)


class SlowToEnd(ThreadPoolExecutor):
    """An executor that takes its time to shut down."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        time.sleep(0.03 if wait else 0)


def test_the_shutdown_of_the_executor_is_outside_work() -> None:
    """The runner waits for the threads, and no timeout and no alarm is early."""
    returned: list[bool] = []

    async def main() -> None:
        def body() -> None:
            time.sleep(0.03)
            returned.append(True)

        virtual_loop().set_default_executor(SlowToEnd())
        virtual_loop().run_in_executor(None, body)

    with asyncio.Runner(loop_factory=partial(VirtualLoop, patience=0.001)) as runner:
        runner.run(main())
    assert returned


SLEEPER = "import time; time.sleep(0.05); print('done')"


@pytest.mark.parametrize("pipe", [None, asyncio.subprocess.PIPE])
def test_a_child_process_is_outside_work(pipe: int | None, capfd: Any) -> None:
    """A child process runs in real time, with or without pipes, and time jumps after its end."""

    async def main() -> None:
        async with asyncio.timeout(60):
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, stdout=pipe)
            output, _ = await child.communicate()
        assert child.returncode == 0
        assert (output or b"").strip() == (b"done" if pipe else b"")
        assert 0.05 <= virtual_loop().time() < 60
        await asyncio.sleep(LONG)

    run_virtual(main)


def test_a_child_process_of_a_shell_is_outside_work() -> None:
    """The same through a shell."""

    async def main() -> None:
        async with asyncio.timeout(60):
            child = await asyncio.create_subprocess_shell("sleep 0.05; exit 3")
            assert await child.wait() == 3
        assert 0.05 <= virtual_loop().time() < 60
        await asyncio.sleep(LONG)

    run_virtual(main)


def test_sockets_are_outside_work() -> None:
    """While the loop watches a socket time is real, since anything may come from there."""

    async def main() -> None:
        loop = virtual_loop()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        begin = time.monotonic()
        await asyncio.sleep(0.03)
        assert time.monotonic() - begin >= 0.029
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        now = loop.time()
        await asyncio.sleep(LONG)
        assert loop.time() - now >= LONG

    run_virtual(main)


def test_a_reader_wakes_the_loop() -> None:
    """A file descriptor that gets readable is served at once, and counts until it is removed."""

    async def main() -> None:
        loop = virtual_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            event = asyncio.Event()
            loop.add_reader(ours, event.set)
            timer = threading.Timer(0.02, theirs.send, (b"x",))
            timer.start()
            async with asyncio.timeout(60):
                await event.wait()
            loop.remove_reader(ours)
            timer.join()
        await asyncio.sleep(LONG)

    run_virtual(main)
