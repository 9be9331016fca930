"""A command is a player: how it starts, what is around it, and how its end is judged."""

import asyncio
import io
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from command_kit import Playing, error_of, needs_root, python, run, sh, until

from orchestra import CommandFailedError, CommandPlayer, Conductor, Context, OrchestraError, playing

pytestmark = pytest.mark.real_time

SHOW_ENV = "import os; print(sorted(os.environb.items()))"


# The command


async def test_a_command_that_ends_well_is_a_player_that_ends() -> None:
    """Exit code 0 is an ending."""
    assert (await run(["echo", "a b"])).lines == ["a b"]


async def test_a_string_is_split_as_a_shell_would() -> None:
    """Quotes count, and nothing is expanded."""
    assert (await run("echo 'a  b' \"$HOME\" c")).lines == ["a  b $HOME c"]


async def test_arguments_may_be_paths(tmp_path: Path) -> None:
    """A path is taken as an argument is."""
    file = tmp_path / "file"
    file.write_text("inside\n")
    assert (await run(["cat", file])).lines == ["inside"]


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_plays_in_every_loop(loop_factory: Any) -> None:
    """Also in uvloop a command starts, prints, and is stopped."""

    async def main() -> None:
        async with Playing(sh("echo out; exec sleep 100")) as play:
            await play.printed("out")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.virtual_time
async def test_virtual_time_waits_for_a_command() -> None:
    """In virtual time a command takes the time that it takes."""
    assert (await run(sh("sleep 0.1; echo out"))).lines == ["out"]


async def test_it_plays_without_a_conductor() -> None:
    """Whoever calls `play` himself gets one run."""
    await CommandPlayer("true").play(Context())
    with pytest.raises(CommandFailedError, match="false exited with code 1"):
        await CommandPlayer("false").play(Context())


async def test_it_is_not_started_when_it_is_time_to_stop() -> None:
    """A context that is done starts nothing."""
    ctx = Context()
    ctx.cancel()
    await CommandPlayer("no such command").play(ctx)


async def test_it_shows_its_pid() -> None:
    """The pid is part of the status, and it is the command's own."""
    async with Playing(python("import os, time; print(os.getpid()); time.sleep(100)")) as play:
        await until_printed(play)
        assert play.logger.lines == [str(play.pid)]
        assert play.status.kind == "command"


async def until_printed(play: Playing) -> None:
    while not play.logger.lines:
        await asyncio.sleep(0.005)


def test_it_is_called_by_the_name_of_its_program() -> None:
    """A bare command at the root has the name of its program."""
    player = CommandPlayer(["/usr/bin/env", "a b"])
    assert player.__name__ == "env"
    assert repr(player) == """CommandPlayer("/usr/bin/env 'a b'")"""


async def test_one_player_under_two_names_runs_twice() -> None:
    """Each run has a process of its own."""
    player = CommandPlayer(sh("exec sleep 100"))
    conductor = Conductor({"a": player, "b": player})
    async with playing(conductor):
        pids = {status.details["pid"] for status in conductor.status().players}
        assert len(pids) == 2


# How it may fail to start


async def test_a_command_that_is_not_there() -> None:
    """It is an error at once, which says where it was looked for."""
    error = await error_of("no-such-command", env={"PATH": "/nowhere:/bin"})
    assert isinstance(error, FileNotFoundError)
    assert "command not found in PATH=/nowhere:/bin: 'no-such-command'" in str(error)


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("slow-sever --port 0", "did you mean 'slow-server'?"),
        (["./slow-serve"], "did you mean 'slow-server'?"),
        (["slow-server --port 0"], "in a list, each argument is a string of its own"),
        ("PORT=0 slow-server", "variables are given as env="),
    ],
)
async def test_what_was_meant_is_guessed(command: Any, hint: str, tmp_path: Path) -> None:
    """The program that is nearest is named, or what is wrong with the command as it was written."""
    (tmp_path / "slow-server").touch(0o755)
    (tmp_path / "slow-saver").touch(0o644)
    error = await error_of(command, env={"PATH": f"/nowhere:{tmp_path}"}, cwd=tmp_path)
    assert isinstance(error, FileNotFoundError)
    assert f"command not found ({hint})" in str(error)


async def test_a_command_that_is_not_executable(tmp_path: Path) -> None:
    """It is an error at once, of the class that fits."""
    file = tmp_path / "file"
    file.touch()
    error = await error_of([file])
    assert isinstance(error, PermissionError)
    assert f"command is not executable: '{file}'" in str(error)


async def test_a_script_whose_interpreter_is_not_there(tmp_path: Path) -> None:
    """It is not the script that was not found."""
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    error = await error_of(["./script"], cwd=tmp_path)
    assert isinstance(error, FileNotFoundError)
    assert "what its first line names to run it was not found" in str(error)


async def test_a_script_without_a_first_line(tmp_path: Path) -> None:
    """A script that does not say what runs it is no program."""
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    error = await error_of([script])
    assert isinstance(error, OSError)
    assert "a script needs a first line with #!" in str(error)


async def test_too_many_arguments() -> None:
    """What the system refuses for another reason is told in its words."""
    error = await error_of(["echo", *["x" * 100_000] * 100])
    assert "command can't start: Argument list too long: 'echo'" in str(error)


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """It is not the command that was not found."""
    error = await error_of("true", cwd=tmp_path / "nowhere")
    assert isinstance(error, FileNotFoundError)
    assert f"true can't start in its cwd: No such file or directory: '{tmp_path}/nowhere'" in str(
        error
    )


async def test_what_can_not_start_is_never_ready() -> None:
    """What comes after a command waits until it runs."""
    started = []

    async def dependent() -> None:
        started.append(1)

    conductor = Conductor(
        {"a": CommandPlayer("no-such-command"), "b": dependent}, after={"b": ["a"]}
    )
    with pytest.raises(ExceptionGroup):
        await conductor.play(Context())
    assert not started


# What is around it


async def test_its_environment_is_added_to_that_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has the variables of this program as they are when it starts, with its own on top."""
    monkeypatch.setenv("ORCHESTRA_ONE", "1")
    monkeypatch.setenv("ORCHESTRA_TWO", "2")
    (line,) = (await run(python(SHOW_ENV), env={"ORCHESTRA_TWO": "ü"})).lines
    assert "(b'ORCHESTRA_ONE', b'1')" in line
    assert f"(b'ORCHESTRA_TWO', {'ü'.encode()!r})" in line


async def test_its_environment_may_be_exactly_what_is_given() -> None:
    """Without the inherited variables there are only its own."""
    (line,) = (await run(python(SHOW_ENV), env={"A": "1"}, inherit_env=False)).lines
    assert set(eval(line)) - {(b"LC_CTYPE", b"C.UTF-8")} == {(b"A", b"1")}


async def test_it_starts_in_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default that is the directory of this program, as it is at that moment."""
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert (await run("pwd")).lines == [str(tmp_path)]
    assert (await run("pwd", cwd="inner")).lines == [str(tmp_path / "inner")]


async def test_its_umask() -> None:
    """New files lack the rights that were said."""
    assert (await run(sh("umask"), umask=0o027)).lines == ["0027"]


@pytest.mark.parametrize("text", ["a\nü", "a\nü".encode(), bytearray("a\nü".encode())])
async def test_its_input_may_be_a_text(text: Any) -> None:
    """It reads what was given, and then the end."""
    assert (await run("cat", stdin=text)).lines == ["a", "ü"]


async def test_its_input_is_given_anew_to_each_run() -> None:
    """A restart reads from the beginning."""
    player = CommandPlayer(sh("read x; echo $x; exit 1"), stdin="in\n", backoff=[0])
    play = Playing(player)
    async with play:
        await until(play.task.done)  # it fails for the second time
        assert isinstance(await play.stop(), ExceptionGroup)
    assert play.logger.lines == ["in", "in"]


async def test_its_input_may_be_a_file(tmp_path: Path) -> None:
    """An open file stays the caller's."""
    file = tmp_path / "file"
    file.write_text("inside\n")
    with file.open() as opened:
        assert (await run("cat", stdin=opened)).lines == ["inside"]
        assert not opened.closed


async def test_it_has_no_input_by_default() -> None:
    """There is nothing to read."""
    assert (await run("cat")).lines == []


async def test_it_has_a_session_of_its_own_and_nothing_else_of_ours() -> None:
    """It inherits no descriptor and no signal that is ignored or blocked."""
    code = (
        "import os, signal\n"
        "print(os.getsid(0) == os.getpid() == os.getpgid(0))\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:-1])\n"
        "ignored = [n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN]\n"
        "print(sorted(set(ignored) - {signal.SIGPIPE, signal.SIGXFSZ}))\n"  # Python's own doing
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
    )
    if sys.platform != "linux":
        code = code.replace("/proc/self/fd", "/dev/fd")
    lines = (await run(python(code))).lines
    assert lines == ["True", "['0', '1', '2']", "[]", "set()"]


@needs_root
async def test_it_runs_as_another_user() -> None:
    """The user's groups, home and name come with it."""
    lines = (await run(sh("id -un; id -gn; echo $HOME $USER $LOGNAME"), user="nobody")).lines
    assert lines == ["nobody", "nogroup", "/nonexistent nobody nobody"]
    lines = (await run(sh("id -u; id -g; id -G"), user=65534, group="daemon")).lines
    assert lines[:2] == ["65534", "1"]
    lines = (await run(sh("id -u; id -g; id -G"), user=54321, group=54322)).lines
    assert lines == ["54321", "54322", "54322"]
    lines = (await run(sh("id -u; id -g; id -G"), group=54322)).lines
    assert lines == ["0", "54322", "54322"]


@needs_root
async def test_the_rights_are_those_of_the_user(tmp_path: Path) -> None:
    """A directory that the user may not enter is an error at once."""
    tmp_path.chmod(0o700)
    error = await error_of("true", user="nobody", cwd=tmp_path)
    assert isinstance(error, PermissionError)
    assert "true can't start in its cwd" in str(error)


@needs_root
async def test_a_user_that_it_can_not_become() -> None:
    """What the system says against it is an error at once."""
    player = CommandPlayer("true", user=2**32 - 2, group=7)
    player._order = replace(player._order, user=replace(player._order.user, user=2**32 - 1))
    with pytest.raises(OSError, match="true can't start as user 4294967295 and group 7: Invalid"):
        await player.play(Context())


# How its end is judged


async def test_any_other_code_is_a_failure() -> None:
    """The error has the code, and the last lines of both streams, also as a note."""
    error = await error_of(sh("for i in $(seq 30); do echo $i; done; echo oops >&2; exit 3"))
    assert isinstance(error, CommandFailedError)
    assert str(error) == "sh exited with code 3"
    assert (error.returncode, error.signal) == (3, None)
    assert len(error.lines) == 20
    assert set(error.lines) - {"oops"} <= {str(number) for number in range(10, 31)}
    assert "its last lines:\n" in error.__notes__[0]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGTERM", "SIGABRT"])
async def test_a_death_by_a_signal_is_a_failure(name: str) -> None:
    """The error names the signal; nobody has asked it to stop, so SIGTERM is one as well."""
    error = await error_of(sh("ulimit -c 0; kill -s ${1#SIG} $$", name))
    assert isinstance(error, CommandFailedError)
    assert str(error) == f"sh was killed by {name}"
    assert (error.returncode, error.signal) == (-signal.Signals[name], name)


async def test_a_death_by_sigkill_may_be_for_want_of_memory() -> None:
    """The error says so, and how much memory it had."""
    error = await error_of(python("import os; x = bytearray(10**8); os.kill(os.getpid(), 9)"))
    assert "was killed by SIGKILL (by somebody else; by the system, if memory ran out, it has" in (
        str(error)
    )
    used = int(str(error).rpartition(" up to ")[2].split()[0])
    assert 90 < used < 300


async def test_the_limit_of_memory() -> None:
    """What a program says about its want of memory is in the error."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)); bytearray(2**29)"
    )
    error = await error_of([sys.executable, "-S", "-c", code])
    assert isinstance(error, CommandFailedError)
    assert error.lines[-1] == "MemoryError"


async def test_which_codes_are_clean_can_be_said() -> None:
    """Other codes may be fine, and the signal by which it ends."""
    await run(sh("exit 3"), clean_codes=[0, 3])
    await run(sh("kill -HUP $$"), clean_codes=[0, -signal.SIGHUP])
    assert "exited with code 0" in str(await error_of("true", clean_codes=[3]))


async def test_it_comes_back_by_its_backoff() -> None:
    """A command that fails is restarted as any other player."""
    logger_lines = []
    play = Playing(sh("echo run; exit 1"), backoff=[0, 0])
    async with play:
        await asyncio.wait([play.task])
        logger_lines = play.logger.lines
        error = await play.stop()
    assert logger_lines == ["run"] * 3
    assert isinstance(error, ExceptionGroup)
    assert "after 2 restarts" in str(error.exceptions[0].__notes__)


# What it does not take


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("", "the command is empty: ''"),
        ([], "the command is empty"),
        ([""], "the command is empty"),
        ("ps aux | wc -l", r"has '\|' for a shell, and there is none: say \['sh', '-c', '...'\]"),
        ("make 'it' && make 'that'", "has '&&' for a shell"),
        ("a 'b", "can't be split: No closing quotation"),
        (b"a", "a command is a string or a list of strings, not b'a'"),
        (5, "a command is a string or a list of strings, not 5"),
        (["a", 5], "an argument of the command must be a string, such as '5', not 5"),
        (["a\0"], "can't have a null character"),
    ],
)
def test_what_is_no_command(command: Any, error: str) -> None:
    """It is refused at once, with what was given."""
    with pytest.raises((TypeError, ValueError), match=error):
        CommandPlayer(command)


class NotAProbe: ...


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cwd": 5}, "cwd must be a string"),
        ({"cwd": ""}, "cwd is empty"),
        ({"env": ["A=1"]}, "env must be a mapping"),
        ({"env": {"A": 1}}, r"env\['A'\] must be a string, such as '1', not 1"),
        ({"env": {1: "A"}}, "a name in env must be a string, not 1"),
        ({"env": {"A=B": "1"}}, "can't be the name of a variable"),
        ({"umask": "022"}, "umask must be a number, such as 0o022"),
        ({"umask": 0o7777}, "umask must be from 0 to 0o777, not 0o7777"),
        ({"stop_signal": "SIGTREM"}, "there is no signal 'SIGTREM'. Did you mean 'SIGTERM'?"),
        ({"stop_signal": 1000}, "there is no signal 1000"),
        ({"stop_signal": 1.5}, "stop_signal must be a signal"),
        ({"stop_timeout": -1}, "stop_timeout must be a number of seconds"),
        ({"user": "no-such-user"}, "there is no user 'no-such-user' on this system"),
        ({"group": "no-such-group"}, "there is no group 'no-such-group' on this system"),
        ({"user": -1}, "user must be a name, or a number from 0 to 4294967294, not -1"),
        ({"group": 2**32}, "group must be a name, or a number from 0 to 4294967294"),
        ({"user": 1.5}, "user must be a name or a number, not 1.5"),
        ({"stdin": io.BytesIO()}, "stdin is a string, bytes or an open file, not <_io.BytesIO"),
        ({"stdin": 5}, "stdin is a string, bytes or an open file, not 5"),
        ({"clean_codes": 0}, "clean_codes must be several numbers"),
        ({"clean_codes": ["0"]}, "an exit code is a number, not '0'"),
        ({"clean_codes": [256]}, "an exit code is from 0 to 255"),
        ({"ready": "tcp"}, "ready must be a probe, such as .*, not 'tcp'"),
        ({"alive": NotAProbe}, "alive must be a probe"),
        ({"every": -1}, "every must be a number of seconds"),
        ({"every": 0}, "every=0 leaves no time"),
        ({"failures": 0}, "failures must be 1 or more, not 0"),
        ({"failures": "3"}, "failures must be a number, not '3'"),
        ({"backoff": [-1]}, "-1"),
    ],
)
def test_what_makes_no_sense(options: Any, error: str) -> None:
    """It is refused at once, with what was given and what is accepted."""
    with pytest.raises((TypeError, ValueError), match=error):
        CommandPlayer("true", **options)


@pytest.mark.parametrize("given", ["INT", "sigint", "SIGINT", 2, signal.SIGINT])
async def test_a_signal_may_be_said_in_every_way(given: Any) -> None:
    """By itself, its number or its name."""
    script = "trap 'echo asked; exit 0' INT; echo up; while :; do sleep 0.02; done"
    async with Playing(sh(script), stop_signal=given) as play:
        await play.printed("up")
        assert await play.stop() is None
        assert play.logger.out[-1] == "asked"


def test_a_system_without_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is refused at once."""
    import socket

    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(OrchestraError, match="with Unix sockets only"):
        CommandPlayer("true")
