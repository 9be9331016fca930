"""honcho, each line with its time."""

from collections.abc import Sequence
from pathlib import Path

from harness.flooding import main
from harness.supervising import installed


def arrange(folder: Path, child: str) -> Sequence[str]:
    """A Procfile of the one command."""
    (folder / "Procfile").write_text(f"child: {child}\n", encoding="utf-8")
    return [*installed("honcho"), "-f", str(folder / "Procfile"), "start"]


main(arrange)
