"""orchestra, a CommandPlayer for each."""

from collections.abc import Sequence
from pathlib import Path

from harness.supervising import main, our_program


def arrange(folder: Path, child: str, size: int) -> Sequence[str]:
    """A conductor of them."""
    return [*our_program("commands.py"), child, str(size)]


if __name__ == "__main__":
    main(arrange)
