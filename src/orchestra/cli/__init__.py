"""The command line, `orchestra` and `python -m orchestra`: made of click, and loaded a verb at a time."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line, and return its exit code; without click, say what is missing."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(
            "orchestra: the command line needs an extra: pip install 'orchestra-players[cli]'",
            file=sys.stderr,
        )
        return 2
    from .program import orchestra

    return orchestra()
