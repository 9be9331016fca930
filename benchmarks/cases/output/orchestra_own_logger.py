"""orchestra, a Logger of one's own that writes to stdout."""

from collections.abc import Sequence
from pathlib import Path

from harness.flooding import main
from harness.supervising import our_program


def arrange(folder: Path, child: str) -> Sequence[str]:
    """A logger of three methods."""
    return [*our_program("flood.py"), child, "logger"]


if __name__ == "__main__":
    main(arrange)
