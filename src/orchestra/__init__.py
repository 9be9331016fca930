"""Orchestra runs, supervises and gracefully stops everything long-running in one program.

The map of the house; each room imports from the floors below it only:

    cli, __main__                                  the command line
    entry_points, testing, web, loading, demo      entry points; test kit; status page; files that play
    players, servers, observers, probes            what plays, and who watches; one kind a file
    conductor, performance                         the group; the running tree
    _life                                          the life of one player
    player, restart                                what a player is; what follows an ending
    context, backoff, status, log                  the stop signal; delays; snapshots; logger
    errors, events, _clock                         exceptions; event types; time
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._in_lifespan import lifespan
    from .backoff import ConstantBackoff, ExponentialBackoff
    from .conductor import Conductor
    from .context import Context
    from .entry_points import play_until_signal, playing, playing_in_thread, run
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
    from .players.command import CommandPlayer
    from .players.periodic import PeriodicPlayer
    from .players.process import ProcessPlayer
    from .players.replicate import replicate
    from .players.thread import ThreadPlayer
    from .servers import ServerPlayer
    from .status import PlayerStatus
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

# Where each name is, to be imported when somebody asks for it: a command line that looks at a program in
# another process has no need of an event loop, nor most programs of what comes with external commands.
_HOMES = {
    "_in_lifespan": ["lifespan"],
    "backoff": ["ConstantBackoff", "ExponentialBackoff"],
    "conductor": ["Conductor"],
    "context": ["Context"],
    "entry_points": ["play_until_signal", "playing", "playing_in_thread", "run"],
    "errors": [
        "AlreadyPlayingError",
        "CommandFailedError",
        "ConductorError",
        "OrchestraError",
        "PermanentError",
        "PlayerAbortedError",
        "ProbeFailedError",
        "ProcessDiedError",
        "RemoteError",
        "StartTimeoutError",
        "StopTimeoutError",
        "WatchdogError",
    ],
    "events": [
        "Abandoned",
        "BackingOff",
        "CutOff",
        "Event",
        "Failed",
        "Ready",
        "Skipped",
        "Started",
        "Stopped",
        "Stopping",
    ],
    "log": ["Logger", "logger_from_logging", "set_logger"],
    "performance": ["Performance"],
    "player": ["Player", "PlayerFunc", "PlayerWithBackoff", "as_player", "restarting"],
    "players.command": ["CommandPlayer"],
    "players.periodic": ["PeriodicPlayer"],
    "players.process": ["ProcessPlayer"],
    "players.replicate": ["replicate"],
    "players.thread": ["ThreadPlayer"],
    "servers": ["ServerPlayer"],
    "status": ["PlayerStatus"],
    "web.player": ["StatusPlayer"],
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
