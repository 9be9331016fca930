"""What the environment says about how to play the demo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

OFF = {"", "0", "no", "off", "false"}


@dataclass(frozen=True)
class Settings:
    """How to play it: by itself for some `seconds`, with a `stuck` player, on which port and file."""

    stuck: bool = False
    seconds: float | None = None
    port: int = 0
    file: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Those of `STUCK`, `DEMO_SECONDS`, `DEMO_PORT` and `DEMO_DB`; `ValueError` for nonsense."""
        seconds = environment.get("DEMO_SECONDS", "")
        port = environment.get("DEMO_PORT", "") or "0"
        file = environment.get("DEMO_DB", "")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"DEMO_PORT={port} is no port: a number from 1 to 65535 is one")
        return cls(
            stuck=environment.get("STUCK", "").lower() not in OFF,
            seconds=_seconds(seconds) if seconds else None,
            port=int(port),
            file=Path(file) if file else None,
        )

    @contextmanager
    def database(self) -> Iterator[Path]:
        """The file for the rows: the one asked for, or one that is gone at the end."""
        if self.file is not None:
            yield self.file
            return
        with TemporaryDirectory(prefix="orchestra-demo-") as folder:
            yield Path(folder) / "jobs.sqlite"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < 1e6:
        raise ValueError(f"DEMO_SECONDS={text} is no time to play: a number of seconds is")
    return seconds
