"""subprocess.Popen and terminate, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

from harness.supervising import main, our_program


def arrange(folder: Path, child: str, size: int) -> Sequence[str]:
    """The program that does no more."""
    return [*our_program("bare_children.py"), child, str(size)]


if __name__ == "__main__":
    main(arrange)
