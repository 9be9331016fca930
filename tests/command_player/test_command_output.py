"""What a command prints: in lines, bounded, and never in anybody's way."""

import asyncio
import logging
import os
import time
from itertools import pairwise
from typing import Any

import pytest
from command_kit import Lines, Playing, error_of, python, run, sh, tag, until

from groups import start
from orchestra import CommandPlayer, Conductor, Context, logger_from_logging
from orchestra.players._command.output import LONGEST, Output

pytestmark = pytest.mark.real_time


async def test_both_streams_go_to_the_logger() -> None:
    """Each line with its stream, and the path of the player."""
    logger = await run(sh("echo out; echo err >&2"))
    assert sorted(logger.printed) == [("stderr", "err"), ("stdout", "out")]
    assert logger.paths == {"a"}


async def test_the_nearest_logger_gets_them() -> None:
    """A group inside has the logger of the group above."""
    logger = Lines()
    inner = Conductor({"b": CommandPlayer("echo inside")})
    await Conductor({"a": inner}, logger=logger).play(Context())
    assert logger.lines == ["inside"]
    assert logger.paths == {"a.b"}


async def test_the_standard_logger_gets_them(caplog: pytest.LogCaptureFixture) -> None:
    """The attributes are on the record."""
    with caplog.at_level(logging.INFO):
        await CommandPlayer("echo hello").play(Context())
    (record,) = [one for one in caplog.records if hasattr(one, "stream")]
    assert (record.getMessage(), record.stream, record.path) == ("hello", "stdout", "echo")


async def test_a_last_line_without_an_end_counts() -> None:
    """It is told when there will be no more."""
    assert (await run(sh("printf 'one\\n\\ntwo'"))).lines == ["one", "", "two"]


async def test_ends_of_lines_as_on_windows() -> None:
    """A carriage return before the end of a line is no part of it."""
    assert (await run(sh("printf 'one\\r\\ntwo\\rthree\\n'"))).lines == ["one", "two\rthree"]


async def test_what_is_no_text_is_replaced() -> None:
    """Bad UTF-8 does no harm to the rest."""
    assert (await run(sh("printf 'a\\377b\\nü\\n'"))).lines == ["a�b", "ü"]


@pytest.mark.parametrize("end", ["", "\\nend\\n"])
async def test_a_long_line_is_split(end: str) -> None:
    """Into pieces of a bounded length, which give the whole, and never through a character."""
    code = f"import sys; sys.stdout.write('a' + 'ü' * 150_000 + '{end}')"
    *pieces, last = (await run(python(code))).lines
    if end:
        assert last == "end"
    else:
        pieces.append(last)
    assert "".join(pieces) == "a" + "ü" * 150_000
    assert max(len(piece.encode()) for piece in pieces) <= LONGEST
    assert len(pieces) == 5


def written(*chunks: bytes) -> list[str]:
    """The lines that come of these, each read by itself."""
    lines = Lines()

    async def main() -> None:
        output = Output(lines, "a")
        fd = output.pipe("stdout")
        for chunk in chunks:
            os.write(fd, chunk)
            for _ in range(3):
                await asyncio.sleep(0)
        os.close(fd)
        for _ in range(2):
            await output.drain()
            output.close()

    asyncio.run(main())
    return lines.lines


@pytest.mark.parametrize("before", range(LONGEST - 3, LONGEST + 2))
def test_long_lines_in_every_position(before: int) -> None:
    """Where exactly a line is split changes nothing of it."""
    line = b"a" * before + "€€".encode()
    pieces = written(*(line[at : at + 60000] for at in range(0, len(line), 60000)), b"\nb\n")
    assert "".join(pieces[:-1]).encode() == line
    assert pieces[-1] == "b"
    assert all("�" not in piece for piece in pieces)


def test_a_long_line_whose_end_comes_late() -> None:
    """It is split as well, where it gets too long with its last part."""
    pieces = written(b"a" * 60000, b"b" * 10000 + b"\nc\n")
    assert [len(piece) for piece in pieces] == [LONGEST, 70000 - LONGEST, 1]


def test_lines_that_come_in_parts() -> None:
    """It does not matter in which portions it comes."""
    text = "one\nzwölf\n\nthree".encode()
    for at in range(len(text)):
        assert written(text[:at], text[at:]) == ["one", "zwölf", "", "three"]


async def test_the_last_lines_of_a_failure_are_bounded() -> None:
    """A line that is very long is cut in the error."""
    error: Any = await error_of(python("print('x' * 5000); raise SystemExit(1)"))
    assert error.lines == ("x" * 2000 + "…",)


async def test_a_full_pipe_is_no_deadlock() -> None:
    """A command that floods both streams ends, and each line is told."""
    code = (
        "import os, threading\n"
        "def flood(fd):\n"
        "    data = b'0123456789' * 7 + b'\\n'\n"
        "    for _ in range(40):\n"
        "        rest = memoryview(data * 1000)\n"
        "        while rest: rest = rest[os.write(fd, rest):]\n"
        "thread = threading.Thread(target=flood, args=(2,)); thread.start(); flood(1); thread.join()"
    )
    logger = await run([*python(code)[:1], "-c", code])
    assert len(logger.lines) == 80_000
    assert set(logger.lines) == {"0123456789" * 7}


async def test_the_loop_goes_on_while_a_command_floods() -> None:
    """With a slow logger others have their turns all the time, and the command has to wait."""

    class Slow(Lines):
        def info(self, msg: str, **attrs: object) -> None:
            super().info(msg, **attrs)
            if "stream" in attrs:
                import time

                time.sleep(0.0005)

    logger, ctx = Slow(), Context()
    conductor = Conductor({"a": CommandPlayer("yes")}, logger=logger)
    task = asyncio.create_task(conductor.play(ctx))
    await until(lambda: logger.printed)
    turns: list[int] = []
    for _ in range(30):
        await asyncio.sleep(0)
        turns.append(len(logger.printed))
    task.cancel()
    await asyncio.wait([task])
    # A read brings some 30,000 of these lines, which would take a quarter of a minute.
    assert max(after - before for before, after in pairwise(turns)) < 200


async def test_nobody_waits_for_a_logger_that_hears_nothing() -> None:
    """With a logger that is switched off, the last lines are kept all the same."""
    off = logging.getLogger("orchestra.test.off")
    off.setLevel(logging.CRITICAL + 1)
    with pytest.raises(ExceptionGroup) as caught:
        await Conductor(
            {"a": CommandPlayer(sh("seq 100000; exit 1"))}, logger=logger_from_logging(off)
        ).play(Context())
    error: Any = caught.value.exceptions[0]
    assert error.lines[-1] == "100000"


async def test_a_logger_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of, and the command goes on."""

    class Broken(Lines):
        def info(self, msg: str, **attrs: object) -> None:
            if "stream" in attrs:
                raise LookupError("broken")

    await Conductor({"a": CommandPlayer("echo hello")}, logger=Broken()).play(Context())
    assert "failed" in caplog.text
    assert "LookupError: broken" in caplog.text


async def test_one_that_has_closed_its_output_goes_on() -> None:
    """A command without streams is a command like any other."""
    async with Playing(sh("echo last; exec >&- 2>&-; exec sleep 100")) as play:
        await play.printed("last")
        await asyncio.sleep(0.05)
        assert play.status.ready
        assert await play.stop() is None


async def test_what_holds_the_output_open_does_not_hold_up_the_end() -> None:
    """When the program has ended, nobody waits for those that have its pipe still."""
    mark = tag()
    logger = await run(sh("(setsid sleep $1 &); echo last", mark))
    assert logger.lines == ["last"]


async def test_an_output_that_is_held_open_is_closed() -> None:
    """Also where a holder can't be killed, what has come is told, and then it is over."""
    lines = Lines()
    output = Output(lines, "a")
    fd = output.pipe("stdout")
    os.write(fd, b"last\n")
    await output.drain()
    output.close()
    assert lines.lines == ["last"]
    os.close(fd)


async def test_lines_that_wait_are_told_at_the_end() -> None:
    """What the loop had no time for yet is told before all is over."""

    class Slow(Lines):
        def info(self, msg: str, **attrs: object) -> None:

            super().info(msg, **attrs)
            time.sleep(0.001)

    lines = Slow()
    output = Output(lines, "a")
    fd = output.pipe("stdout")
    os.write(fd, b"x\n" * 500)
    os.close(fd)
    await until(lambda: lines.printed)
    assert len(lines.lines) < 500
    await output.drain()
    output.close()
    await asyncio.sleep(0.01)
    assert len(lines.lines) == 500


async def test_a_command_that_has_ended_is_not_late_for_its_lines() -> None:
    """Where they are too many to be logged in time, they are lost, and a line says so."""

    class Slow(Lines):
        def info(self, msg: str, **attrs: object) -> None:
            super().info(msg, **attrs)
            if "stream" in attrs:
                time.sleep(0.002)

    lines = Slow()
    conductor = Conductor({"a": CommandPlayer("yes")}, timeout=3, logger=lines)
    ctx = Context()
    task = start(conductor, ctx)
    await until(lambda: lines.printed)
    ctx.cancel()
    await task
    assert lines.errors == ["a: its last lines are lost, there was no time to log them"]


async def test_what_is_in_the_pipe_is_taken_at_the_end() -> None:
    """Also where the loop had no turn to read it."""
    lines = Lines()
    output = Output(lines, "a")
    fd = output.pipe("stdout")
    output._streams[0]._read()  # nothing has come
    os.write(fd, b"one\ntwo")
    output.close()
    assert lines.lines == ["one", "two"]
    os.close(fd)


async def test_nobody_waits_for_a_slow_logger_when_it_is_cut_off() -> None:
    """What is left then is dropped."""

    class Slow(Lines):
        def info(self, msg: str, **attrs: object) -> None:

            super().info(msg, **attrs)
            time.sleep(0.01)

    lines = Slow()
    output = Output(lines, "a")
    fd = output.pipe("stdout")
    os.write(fd, b"x\n" * 5000)
    await until(lambda: lines.printed)
    output.close()
    assert len(lines.lines) < 200
    os.close(fd)
