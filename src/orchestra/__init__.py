"""Orchestra runs, supervises and gracefully stops everything long-running in one program.

The map of the house; each room imports from the floors below it only:

    cli, __main__                                  the command line
    run, testing, web                              entry points; test kit; status page
    players, servers, observers, cluster           what plays, and who watches; one kind a file
    conductor, performance                         the group; the running tree
    _life                                          the life of one player
    player, restart                                what a player is; what follows an ending
    context, backoff, status, log                  the stop signal; delays; snapshots; logger
    errors, events, _clock                         exceptions; event types; time
"""

from typing import TYPE_CHECKING

from ._in_lifespan import lifespan
from .backoff import ConstantBackoff, ExponentialBackoff
from .conductor import Conductor
from .context import Context
from .errors import (
    AlreadyPlayingError,
    CommandFailedError,
    ConductorError,
    OrchestraError,
    PermanentError,
    PlayerAbortedError,
    ProbeFailedError,
    ProcessDiedError,
    RemoteError,
    StartTimeoutError,
    StopTimeoutError,
    WatchdogError,
)
from .events import (
    Abandoned,
    BackingOff,
    CutOff,
    Event,
    Failed,
    Ready,
    Skipped,
    Started,
    Stopped,
    Stopping,
)
from .log import Logger, logger_from_logging, set_logger
from .performance import Performance
from .player import Player, PlayerFunc, PlayerWithBackoff, as_player, restarting
from .players.replicate import replicate
from .players.thread import ThreadPlayer
from .run import play_until_signal, playing, playing_in_thread, run
from .status import PlayerStatus

if TYPE_CHECKING:
    from .players.command import CommandPlayer
    from .players.periodic import PeriodicPlayer
    from .players.process import ProcessPlayer
    from .servers import ServerPlayer
    from .web.player import StatusPlayer

__all__ = [
    "Abandoned",
    "AlreadyPlayingError",
    "BackingOff",
    "CommandFailedError",
    "CommandPlayer",
    "Conductor",
    "ConductorError",
    "ConstantBackoff",
    "Context",
    "CutOff",
    "Event",
    "ExponentialBackoff",
    "Failed",
    "Logger",
    "OrchestraError",
    "Performance",
    "PeriodicPlayer",
    "PermanentError",
    "Player",
    "PlayerAbortedError",
    "PlayerFunc",
    "PlayerStatus",
    "PlayerWithBackoff",
    "ProbeFailedError",
    "ProcessDiedError",
    "ProcessPlayer",
    "Ready",
    "RemoteError",
    "ServerPlayer",
    "Skipped",
    "StartTimeoutError",
    "Started",
    "StatusPlayer",
    "StopTimeoutError",
    "Stopped",
    "Stopping",
    "ThreadPlayer",
    "WatchdogError",
    "as_player",
    "lifespan",
    "logger_from_logging",
    "play_until_signal",
    "playing",
    "playing_in_thread",
    "replicate",
    "restarting",
    "run",
    "set_logger",
]


def __getattr__(name: str) -> object:
    # Imported when they are asked for: most programs have no use for what comes with them.
    if name == "CommandPlayer":
        from .players.command import CommandPlayer

        return CommandPlayer
    if name == "PeriodicPlayer":
        from .players.periodic import PeriodicPlayer

        return PeriodicPlayer
    if name == "ServerPlayer":
        from .servers import ServerPlayer

        return ServerPlayer
    if name == "ProcessPlayer":
        from .players.process import ProcessPlayer

        return ProcessPlayer
    if name == "StatusPlayer":
        from .web.player import StatusPlayer

        return StatusPlayer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
