"""What has gone wrong among some players, and the one exception that it comes to."""

from __future__ import annotations

from ._life import Life
from .errors import ConductorError, StopTimeoutError
from .log import in_words
from .restart import note_whose
from .status import State


class Failures:
    """All that went wrong in a group, nested groups flattened, until the group has to raise it."""

    def __init__(self) -> None:
        self.abandoned: list[str] = []
        self._found: list[tuple[float, str, Exception]] = []  # when, whose, what
        self._left: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._found or self._left)

    def take(self, life: Life) -> None:
        """Take over what a life that has ended has to tell."""
        for error in life.errors or ():
            if isinstance(error, ConductorError):
                self._take_group(life, error)
            elif type(error) is StopTimeoutError:
                self._take_timeout(life, error)
            else:
                self._found.append((life.since, life.path, error))
        self._left.update(life.left or {})

    def _take_group(self, life: Life, group: ConductorError) -> None:
        # One that was played under a root of its own begins with its paths there.
        base = "" if _is_within(group.base, life.path) else life.path
        for moment, path, error in group.entries():
            if not path and isinstance(error, StopTimeoutError):
                self._take_left(base, error)
                continue
            full = join(base, path)
            if base:
                note_whose(error, full)
            self._found.append((moment, full, error))

    def _take_timeout(self, life: Life, error: StopTimeoutError) -> None:
        """Take over what a player raised that had to cut off what it does in its own way."""
        own = all(_is_within(path, life.path) for path in error.left)
        self._take_left("" if own else life.path, error)

    def _take_left(self, base: str, error: StopTimeoutError) -> None:
        stuck = {join(base, left): error.stuck.get(left, "") for left in error.left}
        self._left = {**stuck, **self._left}
        self.abandoned += [join(base, left) for left in error.abandoned]

    def outcome(self, path: str, now: float) -> ConductorError | None:
        """What the group with this path raises, if anything: first failure first."""
        found = sorted(self._found, key=lambda failure: failure[0])
        messages = []
        if found:
            count = len({whose for _, whose, _ in found})
            first = f"{found[0][1]}: {in_words(found[0][2])}"
            some = f"{count} players failed, first"
            messages.append(f"{'1 player failed,' if count == 1 else some} {first}")
        if self._left:
            abandoned = dict.fromkeys(one for one in self.abandoned if one in self._left)
            error = StopTimeoutError(self._left, self._left, abandoned)
            messages.append(str(error))
            found.append((now, "", error))
        return ConductorError.of("; ".join(messages), found, base=path) if found else None


def verdict_of(life: Life) -> Exception | None:
    """What one player's end comes to: its own exception, a stop timeout, or a group of both."""
    found = list(life.errors or ())
    left = dict(life.left or {})
    for error in found:
        if isinstance(error, ConductorError):
            # It has told of those itself.
            known = [one.left for one in error.exceptions if isinstance(one, StopTimeoutError)]
            left = {path: at for path, at in left.items() if not any(path in one for one in known)}
    if left:
        over = life.state is State.ABANDONED
        found.append(StopTimeoutError(left, left, left if over else ()))
    if len(found) < 2:
        return found[0] if found else None
    together = Failures()
    together.take(life)
    if life.state is State.ABANDONED:
        together.abandoned += left
    return together.outcome(life.path, life.since)


def join(path: str, name: str) -> str:
    """The path of what is called so below another path, either of which may be empty."""
    return f"{path}.{name}" if path and name else path or name


def _is_within(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(above + ".")
