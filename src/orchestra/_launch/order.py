"""What is to be started: a command and what is around it, checked."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import nearest

Argument = str | os.PathLike[str]

SHELL_WORDS: Final = frozenset(["|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1"])
"""That a string which is split without a shell can hardly mean as arguments."""

HIGHEST_ID: Final = 2**32 - 2
"""Of a user or group: the number above it says nobody."""


@dataclass(frozen=True, slots=True)
class User:
    """Whose rights a command has: numbers, and for a user that has a name, what goes with it."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] | None = None
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A command and what is around it."""

    argv: tuple[str, ...]
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    inherit_env: bool = True
    user: User = User()
    umask: int | None = None

    @property
    def name(self) -> str:
        """What to call it: the name of its program."""
        return os.path.basename(self.argv[0]) or self.argv[0]

    def of(self, argv: Sequence[Argument]) -> Order:
        """Another command with the same around it."""
        return replace(self, argv=checked_argv(argv))

    def environment(self) -> dict[str, str]:
        """All of the variables that the command has."""
        if not self.inherit_env:
            return dict(self.env)
        return {**os.environ, **dict(self.user.env), **dict(self.env)}

    def working_directory(self) -> str:
        """Where it starts: the launcher has been started elsewhere, so this is absolute."""
        return os.path.abspath(self.cwd or ".")

    def as_message(self) -> dict[str, Any]:
        """As a minder takes it, by the state of this program right now."""
        encode = os.fsencode
        user = self.user
        return {
            "argv": [encode(argument) for argument in self.argv],
            "env": {encode(name): encode(value) for name, value in self.environment().items()},
            "cwd": encode(self.working_directory()),
            "umask": self.umask,
            "user": user.user,
            "group": user.group,
            "groups": None if user.groups is None else list(user.groups),
        }


def checked_argv(command: Any) -> tuple[str, ...]:
    """The command as its arguments: a string is split as a shell would, without one."""
    if isinstance(command, str):
        try:
            argv: Sequence[Any] = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"the command {command!r} can't be split: {error}") from None
        _check_for_shell(command)
    elif isinstance(command, Sequence) and not isinstance(command, (bytes, bytearray)):
        argv = command
    else:
        raise TypeError(f"a command is a string or a list of strings, not {command!r}")
    if not argv or argv[0] == "":
        raise ValueError(f"the command is empty: {command!r}")
    return tuple(_text("an argument of the command", argument) for argument in argv)


def _check_for_shell(command: str) -> None:
    """Refuse a string that has, without quotes, a word for a shell."""
    try:
        words = shlex.split(command, posix=False)
    except ValueError:
        return  # it has quotes that this way of splitting does not know
    for word in SHELL_WORDS.intersection(words):
        raise ValueError(
            f"the command {command!r} has {word!r} for a shell, and there is none: say "
            "['sh', '-c', '...'] for one, or put what is meant as an argument into quotes"
        )


def _text(what: str, value: Any) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise TypeError(f"{what} must be a string, such as {str(value)!r}, not {value!r}")
    if "\0" in path:
        raise ValueError(f"{what} can't have a null character: {path!r}")
    return path


def checked_cwd(cwd: Any) -> str | None:
    """A directory to start in; that it exists is seen when the command starts."""
    if cwd is None:
        return None
    path = _text("cwd", cwd)
    if not path:
        raise ValueError("cwd is empty: '.' is where the program is")
    return path


def checked_env(env: Any) -> tuple[tuple[str, str], ...]:
    """Variables of the environment."""
    if env is None:
        return ()
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of names to strings, not {env!r}")
    for name in env:
        if not isinstance(name, str):
            raise TypeError(f"a name in env must be a string, not {name!r}")
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} in env can't be the name of a variable")
    return tuple((name, _text(f"env[{name!r}]", value)) for name, value in env.items())


def checked_umask(umask: Any) -> int | None:
    """The bits that are taken from the rights of new files."""
    if umask is None:
        return None
    if not isinstance(umask, int) or isinstance(umask, bool):
        raise TypeError(f"umask must be a number, such as 0o022, not {umask!r}")
    if not 0 <= umask <= 0o777:
        raise ValueError(f"umask must be from 0 to 0o777, not {oct(umask)}")
    return umask


def checked_signal(number: Any) -> signal.Signals:
    """A signal by itself, its number or its name."""
    if isinstance(number, str):
        name = number.upper() if number.upper().startswith("SIG") else f"SIG{number.upper()}"
        if name not in signal.Signals.__members__:
            known = signal.Signals.__members__
            raise ValueError(f"there is no signal {number!r}. {nearest(name, known)}")
        return signal.Signals[name]
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"stop_signal must be a signal, such as signal.SIGTERM, not {number!r}")
    try:
        return signal.Signals(number)
    except ValueError:
        raise ValueError(f"there is no signal {number}") from None


def checked_user(user: Any, group: Any) -> User:
    """The rights that a command has; raises `ValueError` for who is not known on this system."""
    if user is None and group is None:
        return User()
    import grp
    import pwd

    gid = None if group is None else _id("group", group, lambda name: grp.getgrnam(name).gr_gid)
    if user is None:
        return User(group=gid, groups=None if gid is None else (gid,))
    uid = _id("user", user, lambda name: pwd.getpwnam(name).pw_uid)
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, gid, None if gid is None else (gid,))
    gid = entry.pw_gid if gid is None else gid
    env = (("HOME", entry.pw_dir), ("USER", entry.pw_name), ("LOGNAME", entry.pw_name))
    return User(uid, gid, tuple(os.getgrouplist(entry.pw_name, gid)), env)


def _id(what: str, given: Any, find: Any) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        if not 0 <= given <= HIGHEST_ID:
            raise ValueError(
                f"{what} must be a name, or a number from 0 to {HIGHEST_ID}, not {given}"
            )
        return given
    if not isinstance(given, str):
        raise TypeError(f"{what} must be a name or a number, not {given!r}")
    try:
        return int(find(given))
    except (KeyError, ValueError):
        raise ValueError(f"there is no {what} {given!r} on this system") from None
