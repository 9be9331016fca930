"""An external program as a player."""

from __future__ import annotations

import os
import shlex
import signal
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import IO, Any

from .._clock import seconds
from .._launch.launcher import Launcher, hold_launcher
from .._launch.order import (
    Order,
    checked_argv,
    checked_cwd,
    checked_env,
    checked_signal,
    checked_umask,
    checked_user,
)
from .._returning import is_supervised, when_gone
from ..backoff import as_backoff
from ..context import Context
from ..errors import OrchestraError
from ..probes import Probe
from ..probes.probe import check_probe
from .command_run import CommandRun, Terms
from .execution import checked_stdin
from .health import Liveness


class CommandPlayer:
    """Runs an external program, for as long as it plays.

    `command` is a list of arguments, or a string that is split as a shell would; there is no shell.

    - `ready`: a probe of `orchestra.probes`; without one it is ready as soon as it has been started.
    - `alive`: a probe that looks `every` so many seconds once it is ready; when that fails so many
      times in a row as `failures` says, the program is stopped, and the player fails.
    - `stop_signal`: what asks it to stop: a signal, its number or its name. It is sent to all of the
      program's process group; with `stop_group=False` to the program alone.
    - `stop_timeout`: seconds that it has then, and never more than its context has left, less some
      for the kill.
    - `cwd`, `umask`: where it starts, and the rights that its new files lack.
    - `env`: variables, added to those of this program; with `inherit_env=False` they are all.
    - `stdin`: a string, bytes, or an open file for it to read. By default there is nothing to read.
    - `user`, `group`: names or numbers, for a program that runs as root. A user's other groups and
      `HOME`, `USER` and `LOGNAME` come with it.
    - `clean_codes`: exit codes that are no failure; a negative one is the number of a signal.
    - `backoff`: delays in seconds after which it comes back when it fails; see `PlayerWithBackoff`.

    What it prints goes to the logger of its conductor, line by line, with the attributes `path` and
    `stream`, which is `"stdout"` or `"stderr"`. Its `pid` and the `addresses` of its probes are in the
    status. Set `start_timeout`, in seconds, on an instance or a subclass to bound the time until it is
    ready.

    It has a session and a process group of its own. When it ends, all that it has started ends with
    it, and so it does when this program ends, however that happens. Its methods are for the loop's
    thread; an instance may be made in any.

    Raises at once `TypeError` or `ValueError` for arguments that make no sense, and `OrchestraError` on a
    system that has no Unix sockets.

    >>> from orchestra.probes import tcp
    >>> CommandPlayer("redis-server --port 6379", ready=tcp("127.0.0.1", 6379))
    CommandPlayer('redis-server --port 6379')
    """

    kind = "command"
    signals_ready = True
    start_timeout: float | None = None
    watchdog: float | None = None

    def __init__(
        self,
        command: str | Sequence[str | os.PathLike[str]],
        *,
        ready: Probe | None = None,
        alive: Probe | None = None,
        every: float = 10.0,
        failures: int = 3,
        stop_signal: signal.Signals | int | str = signal.SIGTERM,
        stop_group: bool = True,
        stop_timeout: float | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str | os.PathLike[str]] | None = None,
        inherit_env: bool = True,
        stdin: str | bytes | IO[Any] | None = None,
        user: str | int | None = None,
        group: str | int | None = None,
        umask: int | None = None,
        clean_codes: Collection[int] = (0,),
        backoff: Iterable[float] | None = None,
    ) -> None:
        if not hasattr(socket, "AF_UNIX") or not hasattr(os, "fork"):
            raise OrchestraError("commands are played on systems with Unix sockets only")
        self._order = Order(
            checked_argv(command),
            cwd=checked_cwd(cwd),
            env=checked_env(env),
            inherit_env=bool(inherit_env),
            user=checked_user(user, group),
            umask=checked_umask(umask),
        )
        self._terms = Terms(
            ready=None if ready is None else check_probe("ready", ready),
            alive=_checked_liveness(alive, every, failures),
            stop_signal=checked_signal(stop_signal),
            stop_group=bool(stop_group),
            stop_timeout=None if stop_timeout is None else seconds("stop_timeout", stop_timeout),
            stdin=checked_stdin(stdin),
            clean_codes=_checked_codes(clean_codes),
        )
        self._backoff = None if backoff is None else as_backoff(backoff)
        self._kept: dict[tuple[Any, str], list[Any]] = {}

    @property
    def __name__(self) -> str:
        return self._order.name

    def __repr__(self) -> str:
        return f"CommandPlayer({shlex.join(self._order.argv)!r})"

    def backoff(self) -> Iterable[float]:
        """The delays of the `backoff` that this was made with; none without."""
        return () if self._backoff is None else self._backoff

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows: not its arguments and its variables, which may hold secrets."""
        order, terms = self._order, self._terms
        return {
            "program": order.name,
            "cwd": order.cwd,
            "stop_signal": terms.stop_signal,
            "stop_group": terms.stop_group,
            "stop_timeout": terms.stop_timeout,
            "clean_codes": sorted(terms.clean_codes),
            "inherit_env": order.inherit_env,
            "variables": [name for name, _ in order.env],
            "ready": type(terms.ready).__name__ if terms.ready is not None else None,
            "alive_every": terms.alive.every if terms.alive is not None else None,
        }

    async def play(self, ctx: Context) -> None:
        """Run the program until it ends, or until `ctx` is done; then stop it gracefully.

        Raises the `OSError` that fits if it can't be started, such as `FileNotFoundError`;
        `CommandFailedError` if it ends with another code than the clean ones, where the stop signal is
        clean once it was asked to stop; `ProbeFailedError` if it serves no longer; `StopTimeoutError`
        if it did not stop in time, and was killed.
        """
        if ctx.done():
            return
        launcher = self._launcher_of(ctx)
        try:
            path = ctx.path or self._order.name
            await CommandRun(ctx, launcher, self._order, self._terms, path).play()
        finally:
            self._keep(ctx, launcher)

    # The launcher, from one run to the next

    def _launcher_of(self, ctx: Context) -> Launcher:
        kept = self._kept.pop(_key(ctx), None) if is_supervised(ctx, self.play) else None
        if kept is None:
            return hold_launcher()
        launcher, forget = kept
        forget()
        return launcher  # type: ignore[no-any-return]

    def _keep(self, ctx: Context, launcher: Launcher) -> None:
        """Hold the launcher while another run may follow."""
        key = _key(ctx)

        def let_go() -> None:
            self._kept.pop(key, None)
            launcher.release()

        kept = self._kept[key] = [launcher, None]
        kept[1] = when_gone(ctx, self.play, let_go)


def _key(ctx: Context) -> tuple[Any, str]:
    return ctx.performance, ctx.path


def _checked_liveness(probe: Any, every: Any, failures: Any) -> Liveness | None:
    every = seconds("every", every)
    if not every:
        raise ValueError("every=0 leaves no time between two looks")
    if not isinstance(failures, int) or isinstance(failures, bool):
        raise TypeError(f"failures must be a number, not {failures!r}")
    if failures < 1:
        raise ValueError(f"failures must be 1 or more, not {failures}")
    return None if probe is None else Liveness(check_probe("alive", probe), every, failures)


def _checked_codes(codes: Any) -> frozenset[int]:
    if not isinstance(codes, Collection) or isinstance(codes, (str, bytes)):
        raise TypeError(f"clean_codes must be several numbers, such as (0, 3), not {codes!r}")
    for code in codes:
        if not isinstance(code, int) or isinstance(code, bool):
            raise TypeError(f"an exit code is a number, not {code!r}")
        if not -128 < code < 256:
            raise ValueError(f"an exit code is from 0 to 255, or a signal's number below 0: {code}")
    return frozenset(codes)
