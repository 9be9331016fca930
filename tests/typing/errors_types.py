"""The types of errors, events, loggers and snapshots, as their users see them; never run."""

import logging
from collections.abc import Mapping
from typing import Any, assert_type

from orchestra import (
    BackingOff,
    Conductor,
    ConductorError,
    Event,
    Failed,
    Logger,
    OrchestraError,
    PlayerStatus,
    Ready,
    StopTimeoutError,
    logger_from_logging,
    set_logger,
)
from orchestra.status import State


def errors(error: ConductorError, late: StopTimeoutError) -> None:
    assert_type(error.failures, Mapping[str, Exception])
    assert_type(error.exceptions[0], Exception | ExceptionGroup[Exception])
    group: ExceptionGroup[Exception] = error
    assert_type(group.message, str)
    assert_type(late.left, tuple[str, ...])
    assert_type(late.stuck, Mapping[str, str])
    assert_type(late.abandoned, tuple[str, ...])
    base: OrchestraError = late
    timeout: TimeoutError = late
    print(base, timeout)
    try:
        raise error
    except* StopTimeoutError as caught:
        for one in caught.exceptions:
            print(one)


def observe(event: Event) -> None:
    assert_type(event.path, str)
    assert_type(event.time, float)
    match event:
        case Failed(error=error, final=final):
            assert_type(error, Exception)
            assert_type(final, bool)
        case BackingOff(delay=delay, error=mended):
            assert_type(delay, float)
            assert_type(mended, Exception | None)
        case Ready(details=details):
            assert_type(details, Mapping[str, object])
        case _:
            pass
    event.path = "other"  # type: ignore[misc]


class Printing:
    def info(self, msg: str, **attrs: object) -> None: ...

    def error(self, msg: str, **attrs: object) -> None: ...

    def with_group(self, name: str) -> "Printing":
        return self


class Silent:
    def info(self, msg: str) -> None: ...


def loggers(logger: Logger) -> None:
    assert_type(logger.with_group("api"), Logger)
    assert_type(logger_from_logging(logging.getLogger("x"), info_level=logging.DEBUG), Logger)
    logger_from_logging(logging.LoggerAdapter(logging.getLogger("x")))
    set_logger(Printing())
    set_logger(None)
    Conductor(logger=Printing())
    set_logger(Silent())  # type: ignore[arg-type]
    set_logger(logging.getLogger("x"))  # type: ignore[arg-type]


def snapshots(status: PlayerStatus) -> None:
    assert_type(status.state, State)
    assert_type(status.ready, bool)
    assert_type(status.error, str | None)
    assert_type(status.uptime, float | None)
    assert_type(status.next_restart_in, float | None)
    assert_type(status.details, Mapping[str, object])
    assert_type(status.players["api"], PlayerStatus)
    assert_type(status.players[0], PlayerStatus)
    assert_type(status.players[1:], tuple[PlayerStatus, ...])
    assert_type(status.find("api.worker"), PlayerStatus)
    assert_type(status.to_dict(), dict[str, Any])
    for player in status.walk():
        assert_type(player, PlayerStatus)
    for name, player in status.players.items():
        assert_type(name, str)
        assert_type(player, PlayerStatus)
    status.ready = False  # type: ignore[misc]
