"""What can go wrong, as exceptions: one for each thing a caller may want to tell apart."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self


class OrchestraError(Exception):
    """The base of this library's own exceptions, `ConductorError` aside, which is a group.

    >>> issubclass(StopTimeoutError, OrchestraError)
    True
    """


class PermanentError(OrchestraError):
    """Raised by a player to say: do not restart me.

    It holds for the groups above as well, since their restart would restart the player.

    >>> async def worker(ctx):
    ...     raise PermanentError("the licence has expired")
    """


class PlayerAbortedError(OrchestraError):
    """A player was ended by an exception that is no `Exception`.

    `SystemExit`, `KeyboardInterrupt`, a `BaseExceptionGroup`, or a `CancelledError` that nobody asked
    for. The exception itself is the `__cause__`.

    >>> async def worker(ctx):
    ...     raise SystemExit("enough")
    >>> try:
    ...     run(worker)
    ... except PlayerAbortedError as error:
    ...     print(repr(error.__cause__))
    SystemExit('enough')
    """


class AlreadyPlayingError(OrchestraError):
    """A conductor that is playing was asked to play under another root context as well.

    >>> conductor = Conductor(stop_when="never")
    >>> async def main():
    ...     async with playing(conductor):
    ...         await conductor.play(Context())
    >>> try:
    ...     asyncio.run(main())
    ... except AlreadyPlayingError as error:
    ...     print(error)
    <Conductor of 0 players> plays already, under another root context
    """


class StartTimeoutError(OrchestraError, TimeoutError):
    """A player was not ready within the `start_timeout`, in seconds, that it declares.

    >>> class Slow:
    ...     signals_ready, start_timeout = True, 0.01
    ...     async def play(self, ctx):
    ...         await asyncio.sleep(60)
    ...         ctx.ready()
    >>> try:
    ...     run(Slow())
    ... except StartTimeoutError as error:
    ...     print(error)
    not ready within 0.01 seconds
    """


class WatchdogError(OrchestraError, TimeoutError):
    """A player gave no `ctx.heartbeat()` for as long as its `watchdog`, in seconds, allows.

    >>> class Stuck:
    ...     watchdog = 0.01
    ...     async def play(self, ctx):
    ...         await asyncio.sleep(60)
    >>> try:
    ...     run(Stuck())
    ... except WatchdogError as error:
    ...     print(error)
    no heartbeat for 0.01 seconds
    """


class CommandFailedError(OrchestraError):
    """A command ended with an exit code that is none of a clean end, or was killed by a signal.

    `returncode` is the exit code, or the negative number of the signal. `signal` is its name, or None.
    `lines` are the last 20 lines that the command printed, which are in a note as well.

    >>> error = CommandFailedError("redis-server", -11, lines=["out of cheese"])
    >>> print(error, error.signal, error.__notes__)
    redis-server was killed by SIGSEGV SIGSEGV ['its last lines:\\n  out of cheese']
    """

    command: str
    returncode: int
    signal: str | None
    lines: tuple[str, ...]

    def __init__(
        self, command: str, returncode: int, hint: str = "", lines: Iterable[str] = ()
    ) -> None:
        self.command, self.returncode, self.hint = command, returncode, hint
        self.signal = None if returncode >= 0 else _signal_name(-returncode)
        self.lines = tuple(lines)
        how = f"exited with code {returncode}"
        if self.signal is not None:
            how = f"was killed by {self.signal}"
        super().__init__(f"{command} {how}" + (f" ({hint})" if hint else ""))
        note_lines(self, self.lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.command, self.returncode, self.hint, self.lines), vars(self)


class ProbeFailedError(OrchestraError):
    """A program runs, but a probe of it failed too often, one time after the other.

    It is raised by a `CommandPlayer` with `alive=`; what the probe found last is in its message.
    """


def note_lines(error: Exception, lines: Iterable[str]) -> None:
    """Add to an error the last lines that a program printed."""
    shown = "".join(f"\n  {line}" for line in lines)
    if shown:
        error.add_note(f"its last lines:{shown}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


class ProcessDiedError(OrchestraError):
    """A process ended before what it played had ended: killed by a signal, or by an exit of its own.

    `pid` is whose end it was. `exitcode` is what it ended with: `-11` for the signal 11, as in
    `subprocess`, and None where nobody can tell. `signal` is the name of that signal, or None.

    >>> ProcessDiedError("process 7 was killed by SIGSEGV", 7, -11).signal
    'SIGSEGV'
    """

    def __init__(self, message: str, pid: int = 0, exitcode: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        self.exitcode = exitcode
        self.signal = None if exitcode is None or exitcode >= 0 else _signal_name(-exitcode)


class RemoteError(OrchestraError):
    """Stands in for an exception of another process that can't be brought over as itself.

    `type_name` is its class with the module, `message` its text, `traceback` all of it in words.

    >>> print(RemoteError("app.LostError", "no such job", "Traceback ..."))
    app.LostError: no such job
    """

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        super().__init__(type_name, message, traceback)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class StopTimeoutError(OrchestraError, TimeoutError):
    """Some players had to be cut off: they did not stop in time, or a second signal came.

    `left` are their full paths, down to the leaves of the tree. `stuck` says for each where it was
    when its time was over: the await chain of a coroutine, the stack of a thread, the pid of a
    process. `abandoned` are those of them that even the cut-off did not end, and that may go on.

    >>> error = StopTimeoutError(["api.worker"], {"api.worker": "at app.py:7 in worker"})
    >>> error.left
    ('api.worker',)
    >>> print(error)
    1 player did not stop in time: api.worker
    """

    left: tuple[str, ...]
    stuck: Mapping[str, str]
    abandoned: tuple[str, ...]

    def __init__(
        self,
        left: Iterable[str],
        stuck: Mapping[str, str] | None = None,
        abandoned: Iterable[str] = (),
    ) -> None:
        self.left = tuple(left)
        self.stuck = MappingProxyType(dict(stuck or {}))
        self.abandoned = tuple(abandoned)
        super().__init__(self._message())

    def _message(self) -> str:
        text = f"{counted(len(self.left), 'player')} did not stop in time: {_listing(self.left)}"
        if self.abandoned:
            text += f" (abandoned, may go on: {_listing(self.abandoned)})"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy does not pickle, and OSError's own way would lose all but the message.
        given = {"left", "stuck", "abandoned"}
        rest = {name: value for name, value in vars(self).items() if name not in given}
        return type(self), (self.left, dict(self.stuck), self.abandoned), rest


class ConductorError(ExceptionGroup[Exception]):
    """All that went wrong in a group, first failure first, nested groups flattened.

    `exceptions` are the players' own exceptions, each with a note that names its player, so that
    `except* ConnectionError` works. `failures` gives them by path.

    >>> failures = [OSError("a"), KeyError("b")]
    >>> error = ConductorError("2 players failed", failures, ["db", "api.web"])
    >>> error.failures["api.web"]
    KeyError('b')
    """

    base: str
    """The path of the group that raised it: where the players' paths begin."""

    _paths: tuple[str, ...]
    _moments: tuple[float, ...]

    def __new__(
        cls, message: str, exceptions: Sequence[Exception], paths: Sequence[str] = ()
    ) -> Self:
        """As a group takes them; the paths are for `__init__`."""
        return super().__new__(cls, message, exceptions)

    def __init__(
        self, message: str, exceptions: Sequence[Exception], paths: Sequence[str] = ()
    ) -> None:
        # Only what a group takes goes on, or a pickled copy could not be made again; the rest
        # travels in the instance's __dict__.
        super().__init__(message, exceptions)
        missing = len(exceptions) - len(paths)
        self._paths = (*paths, *[""] * missing)
        self._moments = (0.0,) * len(exceptions)
        self.base = ""

    @classmethod
    def of(
        cls, message: str, failures: Sequence[tuple[float, str, Exception]], base: str
    ) -> ConductorError:
        """One of failures that are given with their moments and paths."""
        moments, paths, exceptions = zip(*failures, strict=True)
        error = cls(message, exceptions, paths)
        error._moments, error.base = moments, base
        return error

    @property
    def failures(self) -> Mapping[str, Exception]:
        """The first exception of each path; a `StopTimeoutError` is in `exceptions` only."""
        found: dict[str, Exception] = {}
        for _, path, error in self.entries():
            if not isinstance(error, StopTimeoutError):
                found.setdefault(path, error)
        return MappingProxyType(found)

    def entries(self) -> list[tuple[float, str, Exception]]:
        """All of the exceptions with their moments, by the loop's clock, and their players' paths.

        The path is `""` for what is of no one player.
        """
        return list(zip(self._moments, self._paths, self.exceptions, strict=True))

    def derive(self, excs: Sequence[Exception]) -> ConductorError:  # type: ignore[override]
        """The same kind of group for some of its exceptions: what `split` and `except*` make."""
        of_leaf: dict[int, list[tuple[float, str, Exception]]] = {}
        for entry in reversed(self.entries()):
            for leaf in _leaves(entry[2]):
                of_leaf.setdefault(leaf, []).append(entry)
        found = []
        for error in excs:
            # A group that a player raised may come back as a part of itself. And each entry counts
            # once, since two players may have raised one and the same exception.
            own = [of_leaf[leaf].pop() for leaf in _leaves(error) if of_leaf.get(leaf)]
            moment, path, _ = own[0] if own else (0.0, "", error)
            found.append((moment, path, error))
        return ConductorError.of(self.message, found, self.base)


def _leaves(error: BaseException) -> set[int]:
    if not isinstance(error, BaseExceptionGroup):
        return {id(error)}
    return {leaf for part in error.exceptions for leaf in _leaves(part)}


def not_installed(module: str | None, extra: str) -> ModuleNotFoundError:
    """The error for a library that is not there, and that an extra of this distribution brings."""
    text = f"{module} is not installed: pip install 'orchestra-players[{extra}]'"
    return ModuleNotFoundError(text, name=module)


def counted(number: int, noun: str) -> str:
    """So many of something, in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listing(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of a message about a name that nobody has: the nearest that somebody has."""
    names = sorted(filter(None, known))  # the root has none
    listed = f"There are: {_listing(names)}." if names else "There are none."
    return did_you_mean(name, names) or listed


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The same, or nothing where none is near."""
    from difflib import get_close_matches  # needed on this path only, and not free to import

    folded = {one.casefold(): one for one in known}
    close = get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    return f"Did you mean {folded[close[0]]!r}?" if close else ""
