"""Servers of other people's making, as players: one library a file, all behind one protocol.

`server` is the player. It asks `apps` what it was given and `libraries` who serves that, has `place`
open the sockets, and plays one `adapter` a run. Another server library is a file with its adapter, and
a row in `libraries`.
"""

from .server import ServerPlayer

__all__ = ["ServerPlayer"]
