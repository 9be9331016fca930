"""What the control calls to have a file read again: errors come with a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..loading.errors import LoadError
from ..loading.program import Program
from ..loading.reload import Reload
from ..log import in_words
from ..player import Player

if TYPE_CHECKING:
    from ..web.console.program import Reloader


def reloader_of(program: Program, player: Player) -> Reloader:
    """Reads the file of a program that plays, and applies what has changed."""
    from ..web.console.control import CommandError

    reload = Reload(program, player)

    async def apply(dry_run: bool) -> dict[str, Any]:
        try:
            return await reload.apply(dry_run)
        except LoadError as error:
            raise CommandError("invalid", str(error)) from None
        except Exception as error:
            raise CommandError("failed", in_words(error)) from error

    return apply
