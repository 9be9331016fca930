"""a loop over the lines of a pipe, each printed with its time."""

from collections.abc import Sequence
from pathlib import Path

from harness.flooding import main
from harness.supervising import our_program


def arrange(folder: Path, child: str) -> Sequence[str]:
    """The program that does no more."""
    return [*our_program("bare_lines.py"), child]


if __name__ == "__main__":
    main(arrange)
