"""The values in an `orchestra.toml`: how each is read; `ValueError` for what makes no sense."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..errors import nearest
from .durations import parse_duration
from .spec import BackoffSpec, LogSpec, ProbeSpec

CONDITIONS: Final = ("started", "ready", "done")

_SIZE: Final = re.compile(r"(\d+)\s*(k|M|G)?B?").fullmatch
_GIVE_UP: Final = re.compile(r"(\d+)(?:\s+in\s+(\S.*))?").fullmatch


def read_text(value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"{value!r} is no text")
    return value


def read_texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    if isinstance(value, str):
        return (read_text(value),)
    if not isinstance(value, list) or not value:
        raise ValueError(f"{value!r} is no text and no list of texts")
    return tuple(read_text(one) for one in value)


def read_flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def read_number(value: Any, least: int = 0) -> int:
    """A whole number from `least` on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{value!r} is no whole number from {least} on")
    return value


ANY_CODE: Final = tuple(range(-64, 256))
"""All codes with which a process can end; those below 0 are the numbers of signals."""


def read_codes(value: Any) -> tuple[int, ...]:
    """An exit code, or a list of them, or `any`."""
    if value == "any":
        return ANY_CODE
    values = value if isinstance(value, list) else [value]
    return tuple(read_number(one) for one in values)


def read_one_of(*words: str) -> Callable[[Any], str]:
    """A reader of one of these words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is unknown. {nearest(str(value), words)}")
        return str(value)

    return read


def read_command(value: Any) -> str | tuple[str, ...]:
    """A command line, or its words."""
    return read_text(value) if isinstance(value, str) else read_texts(value)


def read_args(value: Any) -> tuple[Any, ...]:
    """A list of anything."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list of arguments")
    return tuple(value)


def read_environment(value: Any) -> Mapping[str, str]:
    """Variables by name."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no table of variables")
    made = {}
    for name, one in value.items():
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name of a variable")
        if isinstance(one, bool) or not isinstance(one, (str, int, float)):
            raise ValueError(f"{name} = {one!r} is no text")
        made[name] = str(one)
    return MappingProxyType(made)


def read_umask(value: Any) -> int:
    """A umask, octal where it is text."""
    if isinstance(value, str) and re.fullmatch(r"0?o?[0-7]{1,4}", value):
        return int(value.replace("o", ""), 8)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
        return value
    raise ValueError(f'{value!r} is no umask: write "022" or 0o022')


def read_after(value: Any) -> Mapping[str, str]:
    """What comes before, with the condition; an empty one is the usual."""
    if isinstance(value, (str, list)):
        return MappingProxyType(dict.fromkeys(read_texts(value), ""))
    if not isinstance(value, Mapping):
        raise ValueError(
            f'{value!r} is neither a list of players nor a table such as {{ db = "ready" }}'
        )
    read = read_one_of(*CONDITIONS)
    return MappingProxyType({read_text(name): read(word) for name, word in value.items()})


def read_signal(value: Any) -> str:
    """The name of a signal, without `SIG`."""
    name = str(value).upper().removeprefix("SIG")
    known = {one.name.removeprefix("SIG") for one in signal.Signals}
    if isinstance(value, bool) or (isinstance(value, int) and not _is_signal(value)):
        raise ValueError(f"{value!r} is no signal")
    if isinstance(value, int):
        return signal.Signals(value).name.removeprefix("SIG")
    if name not in known:
        raise ValueError(f"{value!r} is no signal. {nearest(name, known)}")
    return name


def _is_signal(number: int) -> bool:
    return number in {int(one) for one in signal.Signals}


def read_size(value: Any) -> int:
    """A number of bytes, as in `10MB`."""
    match = _SIZE(value) if isinstance(value, str) else None
    if match is not None:
        return int(match[1]) * {None: 1, "k": 1000, "M": 1_000_000, "G": 1_000_000_000}[match[2]]
    return read_number(value, 1)


def table(value: Any, keys: Mapping[str, Callable[[Any], Any]], what: str) -> dict[str, Any]:
    """The values of an inline table, each read; `ValueError` for a key that is none."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no table: {what}")
    made = {}
    for name, one in value.items():
        if name not in keys:
            raise ValueError(f"{name!r} is unknown here. {nearest(name, keys)}")
        made[name] = keys[name](one)
    return made


_PROBES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tcp": lambda value: read_address(value),
    "http": lambda value: read_url(value),
    "output": lambda value: read_pattern(value),
    "after": parse_duration,
    "command": lambda value: read_command(value),
}
_HOW: Final[Mapping[str, Callable[[Any], Any]]] = {
    "status": lambda value: read_number(value, 100),
    "interval": parse_duration,
    "timeout": parse_duration,
}
_HOW_OF: Final[Mapping[str, Collection[str]]] = {
    "tcp": ("interval", "timeout"),
    "http": ("status", "interval", "timeout"),
    "output": ("timeout",),
    "after": (),
    "command": ("interval", "timeout"),
}
_LIVENESS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "every": parse_duration,
    "failures": lambda value: read_number(value, 1),
}


def read_probe(
    value: Any, more: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})
) -> ProbeSpec:
    """A probe: one kind, and how it asks."""
    example = 'such as { tcp = "localhost:5432" }'
    found = table(value, {**_PROBES, **_HOW, **more}, f"a probe is one, {example}")
    kinds = [name for name in found if name in _PROBES]
    if len(kinds) != 1:
        raise ValueError(
            f"a probe has one of {', '.join(_PROBES)}, {example}, not {kinds or 'none'}"
        )
    kind: Any = kinds[0]
    what = found.pop(kind)
    for name in found:
        if name not in (*_HOW_OF[kind], *more):
            fits = " and ".join(one for one, names in _HOW_OF.items() if name in names)
            raise ValueError(f"{name} is for {fits}, and not for {kind}")
    return ProbeSpec(kind, what, MappingProxyType(found))


def read_liveness(value: Any) -> ProbeSpec:
    """A probe that can be asked again and again."""
    probe = read_probe(value, _LIVENESS)
    if probe.kind in ("after", "output"):
        raise ValueError(f"{probe.kind} says that something has begun, not that it is alive")
    return probe


def read_address(value: Any) -> tuple[str, int]:
    """A host and a port."""
    host, _, port = read_text(value).rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} is no address: write 'localhost:5432'")
    return host.removeprefix("[").removesuffix("]"), int(port)


def read_url(value: Any) -> str:
    """A URL of HTTP."""
    if not re.match(r"https?://[^/\s]+", read_text(value)):
        raise ValueError(f"{value!r} is no URL: write 'http://localhost:8000/readyz'")
    return str(value)


def read_pattern(value: Any) -> str:
    """A regular expression."""
    try:
        re.compile(read_text(value))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None
    return str(value)


_BACKOFF: Final[Mapping[str, Callable[[Any], Any]]] = {
    "initial": parse_duration,
    "multiplier": lambda value: read_factor(value, 1.0, 1000.0),
    "max_delay": parse_duration,
    "jitter": lambda value: read_factor(value, 0.0, 1.0),
}


def read_factor(value: Any, least: float, most: float) -> float:
    """A number between two others."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"{value!r} is no number from {least:g} to {most:g}")
    return float(value)


def read_backoff(value: Any) -> BackoffSpec:
    """A delay, a list of delays, or how they grow."""
    if isinstance(value, Mapping):
        found = table(value, _BACKOFF, "such as { initial = '1s', max_delay = '1m' }")
        made = BackoffSpec(**found)
        if made.max_delay < made.initial:
            raise ValueError("max_delay is less than initial")
        return made
    if isinstance(value, list):
        if not value:
            raise ValueError("no delay is no backoff: leave the key out")
        return BackoffSpec(delays=tuple(parse_duration(one) for one in value))
    return BackoffSpec(initial=parse_duration(value), multiplier=1.0, jitter=0.0)


def read_give_up(value: Any) -> tuple[int, float | None]:
    """How many restarts, and within how many seconds."""
    match = _GIVE_UP(value.strip()) if isinstance(value, str) else None
    if match is None and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, None
    if match is None:
        raise ValueError(f"{value!r} does not say when to give up: write '5 in 60s', or 5")
    per = None if match[2] is None else parse_duration(match[2])
    if per == 0:
        raise ValueError(f"{value!r}: nothing happens in no time")
    return int(match[1]), per


def read_stop(value: Any) -> dict[str, Any]:
    """How to stop: the signal, and the time for it."""
    return table(
        value,
        {"signal": read_signal, "timeout": parse_duration},
        "such as { signal = 'INT', timeout = '20s' }",
    )


def read_log(value: Any) -> LogSpec:
    """Where the log goes."""
    found = table(
        {"file": value} if isinstance(value, str) else value,
        {"file": read_text, "max_size": read_size, "keep": read_number},
        "such as { file = 'shop.log', max_size = '10MB', keep = 5 }",
    )
    if "file" not in found:
        raise ValueError("file is missing: where does the log go?")
    if "max_size" in found:
        found["max_bytes"] = found.pop("max_size")
    return LogSpec(**found)


def read_name(value: Any) -> str:
    """The name of a program."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", read_text(value)):
        raise ValueError(f"{value!r} is no name: letters, digits, '_' and '-' make one")
    return str(value)
