"""The exit codes of `orchestra play` and `orchestra check`."""

from __future__ import annotations

from typing import Final

CLEAN: Final = 0
FAILED: Final = 1
"""A player has failed, or the user's code raised as it was loaded."""
USAGE: Final = 2
"""What was named can't be played."""
LATE: Final = 3
"""Nothing has failed, but some did not stop in time."""
