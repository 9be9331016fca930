"""Exceptions and other values of one process, brought to another, whatever they are."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, cast

from .. import _root
from ..errors import ConductorError, PermanentError, RemoteError, StopTimeoutError
from ..log import in_words, shown
from ..restart import note_of

_MOST_CAUSES: Final = 20
"""How many causes of an exception are followed."""

_PLAIN: Final = (type(None), str, int, float, bool, bytes)


class _PermanentRemoteError(RemoteError, PermanentError):
    """Stands in for a `PermanentError`, and is one."""


def portable(value: Any) -> Any:
    """What to send for a value: it comes out as itself if that is possible, or as what is shown for it."""
    if type(value) in _PLAIN:
        return value
    try:
        data = pickle.dumps(value)
        pickle.loads(data)
    except Exception:
        return shown(value)
    return _Sealed(data, shown(value))


class _Sealed:
    """A value on its way by itself, so that it takes nothing with it where it can't be read."""

    def __init__(self, data: bytes, text: str) -> None:
        self._data, self._text = data, text

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self._data, self._text)


def _opened(data: bytes, text: str) -> Any:
    try:
        return pickle.loads(data)
    except Exception:
        return text


@dataclass(frozen=True, slots=True)
class Carried:
    """An exception on its way: as itself if that is possible, and with what stands in for it."""

    pickled: bytes | None
    type_name: str
    message: str
    traceback: str
    notes: tuple[str, ...]
    permanent: bool
    parts: tuple[Carried, ...] = ()
    cause: Carried | None = None
    context: Carried | None = None
    suppressed: bool = False


def carried(error: BaseException) -> Carried:
    """Make an exception ready to be sent, with all that it came from."""
    return _carried(error, set())


def _carried(error: BaseException, above: set[int], *, is_cause: bool = False) -> Carried:
    above.add(id(error))

    def before(other: BaseException | None) -> Carried | None:
        if other is None or id(other) in above or len(above) > _MOST_CAUSES:
            return None
        return _carried(other, above, is_cause=True)

    parts: tuple[Carried, ...] = ()
    if isinstance(error, BaseExceptionGroup):
        parts = tuple(_carried(one, set()) for one in error.exceptions)
    return Carried(
        _pickled(error, parts),
        _type_name(error),
        _message(error),
        _traceback(error, with_causes=not is_cause),
        tuple(str(note) for note in getattr(error, "__notes__", ())),
        isinstance(error, PermanentError),
        parts,
        before(error.__cause__),
        before(error.__context__),
        error.__suppress_context__,
    )


def restored(carried: Carried, where: str) -> BaseException:
    """The exception, or what stands in for it; with a note of what its traceback was, and where."""
    error = _unpickled(carried, where)
    if carried.cause is not None:
        error.__cause__ = restored(carried.cause, "")
    if carried.context is not None:
        error.__context__ = restored(carried.context, "")
    error.__suppress_context__ = carried.suppressed
    # A group shows those of its parts.
    if where and carried.traceback and not carried.parts and isinstance(error, Exception):
        note_of(error, f"in {where}:\n{carried.traceback}")
    return error


def _pickled(error: BaseException, parts: tuple[Carried, ...]) -> bytes | None:
    try:
        if parts:
            return pickle.dumps((type(error), _message(error), _portable_state(error)))
        data = pickle.dumps(error)
        # An `__init__` of its own is called when it is read, and may do anything.
        copy = pickle.loads(data)
        same = type(copy) is type(error) and str(copy) == str(error)
    except BaseException:  # it is the code of others that runs here
        return None
    return data if same else None


def _portable_state(error: BaseException) -> dict[str, Any]:
    return {name: portable(value) for name, value in vars(error).items()}


def _unpickled(carried: Carried, where: str) -> BaseException:
    parts = [restored(part, where) for part in carried.parts]
    try:
        if carried.pickled is not None:
            found: Any = pickle.loads(carried.pickled)
            if not parts:
                return cast(BaseException, found)
            kind, message, state = found
            group: BaseException = kind(message, parts)
            group.__dict__.update(state)
            return group
    except BaseException:
        pass
    stand_in: BaseException
    if parts:
        stand_in = BaseExceptionGroup(f"{carried.type_name}: {carried.message}", parts)
    else:
        kind = _PermanentRemoteError if carried.permanent else RemoteError
        stand_in = kind(carried.type_name, carried.message, carried.traceback)
    for note in carried.notes:
        stand_in.add_note(note)
    return stand_in


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)


def _full_name(kind: type) -> str:
    return f"{_as_here(kind.__module__)}.{kind.__qualname__}"


def _as_here(text: str) -> str:
    """The same with the name that the main module has here, and not there."""
    return text.replace("__mp_main__", "__main__")


def _message(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return error.message
    try:
        return str(error)
    except Exception:
        return in_words(error)


def _traceback(error: BaseException, *, with_causes: bool) -> str:
    if error.__traceback__ is None:
        return ""
    try:
        summary = traceback.TracebackException(
            type(error), error, _inside(error.__traceback__), compact=True
        )
        # They come over by themselves.
        summary.__notes__ = None
        return _as_here("".join(summary.format(chain=with_causes)).rstrip("\n"))
    except Exception:
        return ""


def _inside(trace: TracebackType) -> TracebackType:
    """The traceback without what is ours around the player."""
    ours, at = trace, trace.tb_next
    while at is not None:
        if at.tb_frame.f_code.co_filename == _root.__file__ and at.tb_next is not None:
            ours = at.tb_next
        at = at.tb_next
    return ours


def in_process(error: BaseException, pid: int) -> BaseException:
    """Say of those who were stuck that it was in a process, which is gone by now."""
    if isinstance(error, ConductorError):
        message = error.message
        entries: list[tuple[float, str, Exception]] = []
        for moment, path, one in error.entries():
            if type(one) is StopTimeoutError:
                there = _timeout_in_process(one, pid)
                message = message.replace(str(one), str(there))
                entries.append((moment, path, there))
            else:
                entries.append((moment, path, one))
        return ConductorError.of(message, entries, error.base)
    return _timeout_in_process(error, pid) if type(error) is StopTimeoutError else error


def _timeout_in_process(error: StopTimeoutError, pid: int) -> StopTimeoutError:
    # Nothing goes on that was abandoned there.
    stuck = {path: place(pid, error.stuck.get(path, "")) for path in error.left}
    return StopTimeoutError(error.left, stuck)


def place(pid: int, where: str) -> str:
    """Where something is, in a process."""
    return f"process {pid}" + (f"\n{where}" if where else "")


def portable_details(details: Mapping[str, object]) -> dict[str, object]:
    """What a player told of itself, as it can be sent."""
    return {name: portable(value) for name, value in details.items()}
