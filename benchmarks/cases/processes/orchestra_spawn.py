"""orchestra, a ProcessPlayer for each, spawn."""

from collections.abc import Sequence
from pathlib import Path

from harness.supervising import main, our_program


def arrange(folder: Path, child: str, size: int) -> Sequence[str]:
    """A conductor of them, with an asyncio loop and a tree of its own in each."""
    return [*our_program("processes.py"), str(folder / "pids"), str(size), "spawn"]


if __name__ == "__main__":
    main(arrange)
