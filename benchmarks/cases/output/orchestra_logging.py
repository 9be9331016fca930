"""orchestra, standard logging, each line with its time."""

from collections.abc import Sequence
from pathlib import Path

from harness.flooding import main
from harness.supervising import our_program


def arrange(folder: Path, child: str) -> Sequence[str]:
    """A handler of `logging` on stdout."""
    return [*our_program("flood.py"), child, "logging"]


if __name__ == "__main__":
    main(arrange)
