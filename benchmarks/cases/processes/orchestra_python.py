"""orchestra, a CommandPlayer for each, `python child.py`."""

from collections.abc import Sequence
from pathlib import Path

from harness.supervising import main, our_program


def arrange(folder: Path, child: str, size: int) -> Sequence[str]:
    """A conductor of the same commands that the peers have."""
    return [*our_program("commands.py"), child, str(size)]


if __name__ == "__main__":
    main(arrange, python=True)
